//! Errors of a state directory.

use std::fmt;
use std::path::Path;

use caisson_code::{Code, Phase};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    InvalidId,
    NotFound,
    Exists,
    /// Another user owns it or can write to it.
    Unsafe,
    /// It does not parse, or is incomplete.
    Damaged,
    /// Written by a later version of this package.
    Version,
    /// A document exceeds its limit.
    TooLarge,
    /// Another process has its lock, and keeps it.
    Timeout,
    System,
}

impl Kind {
    pub fn code(self) -> Code {
        match self {
            Self::InvalidId => Code::InvalidId,
            Self::NotFound => Code::NotFound,
            Self::Exists => Code::Exists,
            Self::Unsafe => Code::StateUnsafe,
            Self::Damaged => Code::StateDamaged,
            Self::Version => Code::StateVersion,
            Self::TooLarge => Code::LimitExceeded,
            Self::Timeout => Code::Timeout,
            Self::System => Code::Syscall,
        }
    }

    /// The phase of a container's life in which the error occurs.
    pub fn phase(self) -> Phase {
        match self {
            Self::InvalidId => Phase::Validate,
            Self::NotFound | Self::Unsafe | Self::Damaged | Self::Version => Phase::Resolve,
            Self::Timeout => Phase::Delete,
            Self::Exists | Self::TooLarge | Self::System => Phase::Prepare,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    /// `operation: cause`.
    pub message: String,
    pub path: Option<String>,
    /// Symbolic, such as `ENOENT`.
    pub errno: Option<String>,
    pub hint: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, errno: None, hint: None }
    }

    #[must_use]
    pub(crate) fn on(mut self, path: &Path) -> Self {
        self.path = Some(path.display().to_string());
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A failed system call of `operation` on `path`.
    pub(crate) fn system(operation: &str, path: &Path, errno: rustix::io::Errno) -> Self {
        let name = caisson_sys::errno_name(errno.raw_os_error());
        Self {
            errno: Some(name.clone()),
            ..Self::new(Kind::System, format!("{operation} {}: {name}", path.display())).on(path)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
