//! A failed system call: the call, its arguments as strace would print them, the errno.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, on what, and why. `Display` gives `mount("proc", "/proc", "proc", 0xe): EPERM (Operation not
/// permitted)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    call: &'static str,
    arguments: String,
    path: Option<String>,
    errno: i32,
}

impl Error {
    /// `arguments` is the text between the parentheses; `errno` is the raw number.
    pub fn new(call: &'static str, arguments: impl Into<String>, errno: i32) -> Self {
        Self { call, arguments: arguments.into(), path: None, errno }
    }

    /// From the errno the C library left behind.
    pub fn last(call: &'static str, arguments: impl Into<String>) -> Self {
        Self::new(call, arguments, std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// From an `io::Error` of the standard library on `path`.
    pub fn from_io(call: &'static str, path: impl Into<String>, error: &std::io::Error) -> Self {
        let path = path.into();
        Self::new(call, format!("{path:?}"), error.raw_os_error().unwrap_or(libc::EIO)).on(path)
    }

    /// Names the file the call was about.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The text between the parentheses.
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The raw errno number; 0 where the call did not set one.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// `EPERM` and its like.
    pub fn errno_name(&self) -> String {
        errno_name(self.errno)
    }
}

/// Symbolic name of an errno number, `errno 4095` without one.
pub fn errno_name(errno: i32) -> String {
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => format!("errno {errno}"),
        known => format!("{known:?}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = nix::errno::Errno::from_raw(self.errno).desc();
        write!(f, "{}({}): {} ({reason})", self.call, self.arguments, self.errno_name())
    }
}

impl std::error::Error for Error {}
