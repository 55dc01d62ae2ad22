//! Where the audit log is written to: the files of a directory.

pub mod active_file;
mod day;
pub mod directory;
pub mod resume;
mod sink_error;
mod space_meter;

pub use self::{
    day::{DAY_LENGTH, Day},
    sink_error::SinkError,
};
