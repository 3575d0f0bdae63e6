//! Failures, each at the property that asks for what failed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// `linux.intelRdt.closID`.
    pub property: &'static str,
    pub message: String,
    /// Of the failed call; `None`: the configuration does not fit what is there.
    pub errno: Option<i32>,
    pub path: Option<PathBuf>,
}

impl Error {
    pub(crate) fn invalid(property: &'static str, message: impl Into<String>) -> Self {
        Self { property, message: message.into(), errno: None, path: None }
    }

    /// With what the kernel says about its last refusal, `info/last_cmd_status`.
    pub(crate) fn io(root: &Path, what: &str, path: &Path, error: &io::Error) -> Self {
        let status = std::fs::read_to_string(root.join("info/last_cmd_status")).unwrap_or_default();
        let status = status.trim();
        let status = if matches!(status, "" | "ok") { String::new() } else { format!(" ({status})") };
        Self {
            property: "linux.intelRdt",
            message: format!("{what} {}: {error}{status}", path.display()),
            errno: error.raw_os_error(),
            path: Some(path.to_owned()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.message)
    }
}

impl std::error::Error for Error {}
