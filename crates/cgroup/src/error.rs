//! Errors with file, value and errno, and with advice where the cause is known.

use std::fmt;
use std::path::Path;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    errno: Option<i32>,
    path: Option<String>,
    hint: Option<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), errno: None, path: None, hint: None }
    }

    /// `action` is the attempted operation, e.g. `write "64" to`.
    pub(crate) fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let errno = error.raw_os_error();
        let reason = errno.map_or_else(|| error.to_string(), caisson_sys::errno_name);
        let hint = match errno {
            Some(errno) if is_denial(errno) => {
                Some("this user may not change cgroups there: run as root, or have the cgroup delegated (systemd: Delegate=yes), or ask for no limits".into())
            }
            _ => None,
        };
        Self {
            message: format!("{action} {}: {reason}", path.display()),
            errno,
            path: Some(path.display().to_string()),
            hint,
        }
    }

    /// Whether the caller lacks a permission, as opposed to having made an invalid request.
    #[cfg(feature = "resources")]
    pub(crate) fn is_denied(&self) -> bool {
        self.errno.is_some_and(is_denial)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The raw errno, if a system call failed.
    pub fn errno(&self) -> Option<i32> {
        self.errno
    }

    pub fn errno_name(&self) -> Option<String> {
        self.errno.map(caisson_sys::errno_name)
    }

    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// How to fix the cause.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

fn is_denial(errno: i32) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_raw_os_error(errno), Errno::ACCESS | Errno::PERM | Errno::ROFS)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
