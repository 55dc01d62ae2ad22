//! One verdict: in each trouble `status`, the probes, the metrics, the log, `doctor` and the exit codes say the same.

pub(crate) mod agreement;
mod directories;
mod doctor;
mod explain;
mod logins;
mod rejected;
mod secrets;
mod troubles;
