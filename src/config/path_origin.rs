//! Why a directory is where it is: what an error about it has to name.

/// Where the path of a directory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathOrigin {
    /// The setting has it.
    Setting,
    /// The setting is missing.
    Default,
    /// The setting is missing, and systemd has made a directory.
    StateDirectory,
    /// The setting is missing, and the default cannot be written by this user.
    UserState,
}

impl PathOrigin {
    /// A clause about `setting`, such as `audit.path`.
    #[must_use]
    pub fn describe(self, setting: &str) -> String {
        match self {
            Self::Setting => format!("set by `{setting}`"),
            Self::Default => format!("the default of `{setting}`, which is not set"),
            Self::StateDirectory => {
                format!("systemd's $STATE_DIRECTORY, because `{setting}` is not set")
            }
            Self::UserState => format!(
                "your own state directory, because `{setting}` is not set and its default cannot be written"
            ),
        }
    }
}
