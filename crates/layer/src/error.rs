//! Errors of layers. The kind determines the public code; the fields say where it happened.

use std::borrow::Cow;
use std::fmt;

use caisson_code::Code;
use rustix::io::Errno;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    BlobNotFound,
    SizeMismatch,
    DigestMismatch,
    /// Malformed: not tar, not gzip, or truncated.
    Invalid,
    /// Well-formed, but what it asks for is refused.
    Unsafe,
    /// A path of the host is a link or was replaced: another user controls where it leads.
    UnsafePath,
    Limit,
    Unsupported,
    Exists,
    NotFound,
    Option,
    /// The image itself is at fault, for example with a user that it does not have.
    Image,
    System,
    /// The overlay form of a layer cannot be written here.
    Overlay,
    /// No user namespace is available to read or write files of other ids.
    Namespace,
    Stopped,
    /// A tree changed while it was read.
    Changed,
    /// The other end of the pipeline failed and has the cause.
    Broken,
}

impl Kind {
    pub fn code(self) -> Code {
        match self {
            Kind::BlobNotFound => Code::BlobNotFound,
            Kind::SizeMismatch => Code::SizeMismatch,
            Kind::DigestMismatch => Code::DigestMismatch,
            Kind::Invalid => Code::LayerInvalid,
            Kind::Unsafe => Code::LayerUnsafe,
            Kind::UnsafePath => Code::UnsafePath,
            Kind::Limit => Code::LimitExceeded,
            Kind::Unsupported => Code::UnsupportedImage,
            Kind::Exists => Code::Exists,
            Kind::NotFound => Code::NotFound,
            Kind::Option => Code::InvalidOption,
            Kind::Image => Code::InvalidImage,
            Kind::System | Kind::Broken => Code::Syscall,
            Kind::Overlay => Code::OverlayUnavailable,
            Kind::Namespace => Code::UsernsDenied,
            Kind::Stopped => Code::Aborted,
            Kind::Changed => Code::Changed,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub path: Option<String>,
    pub call: Option<&'static str>,
    pub errno: Option<Errno>,
    pub hint: Option<Cow<'static, str>>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, call: None, errno: None, hint: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A failed system call on `path`.
    pub fn system(call: &'static str, path: &[u8], errno: Errno) -> Self {
        let path = display(path);
        let failed = caisson_sys::Error::new(call, format!("{path:?}"), errno.raw_os_error());
        let mut error = Self::new(Kind::System, failed.to_string()).on(path);
        error.call = Some(call);
        error.errno = Some(errno);
        match errno {
            Errno::NOSPC => error.hint("free some space on that file system, or take another"),
            Errno::NOSYS => error.hint("Linux 5.6 or newer is needed (openat2)"),
            Errno::MFILE => error.hint("raise the limit of open files (ulimit -n)"),
            _ => error,
        }
    }

    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Says which file is invalid; other errors name what they are about.
    #[must_use]
    pub fn of(mut self, name: &str) -> Self {
        if self.kind == Kind::Invalid && !self.message.contains(name) {
            self.message = format!("{name}: {}", self.message);
            self.path.get_or_insert_with(|| name.to_owned());
        }
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The symbolic name, such as `EPERM`, where a system call failed.
    pub fn errno_name(&self) -> Option<String> {
        self.errno.map(|errno| caisson_sys::errno_name(errno.raw_os_error()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<caisson_digest::Error> for Error {
    fn from(error: caisson_digest::Error) -> Self {
        let kind = match error {
            caisson_digest::Error::Unsupported(_) => Kind::Unsupported,
            caisson_digest::Error::Invalid { .. } => Kind::Image,
        };
        Self::new(kind, error.to_string())
    }
}

/// A path of the archive for display: invalid UTF-8 is replaced.
pub fn display(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
