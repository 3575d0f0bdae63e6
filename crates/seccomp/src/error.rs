//! A profile that is refused, at the place of the mistake.

/// Where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// From `linux.seccomp` on: `syscalls[3].args[0].index`; empty for the profile itself.
    pub path: String,
    pub reason: String,
}

impl Error {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, reason } = self;
        if path.is_empty() { f.write_str(reason) } else { write!(f, "{path}: {reason}") }
    }
}

impl std::error::Error for Error {}
