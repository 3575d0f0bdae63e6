//! The common form of failures that leave the engine. No consumer parses a message.

use caisson_code::{Code, Phase};
use caisson_plan::protocol;

/// See `NativeError` in docs/internal/native-face.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: Code,
    /// One line: the operation, its object, and the cause.
    pub message: String,
    pub phase: Phase,
    pub syscall: Option<String>,
    /// Symbolic, such as `EPERM`.
    pub errno: Option<String>,
    pub path: Option<String>,
    pub hint: Option<String>,
    /// Issues of a document: (JSON path, message).
    pub issues: Vec<(String, String)>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(code: Code, phase: Phase, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            phase,
            syscall: None,
            errno: None,
            path: None,
            hint: None,
            issues: Vec::new(),
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// A process or thread of ours is gone, or answered what it must not.
    pub fn internal(phase: Phase, message: impl Into<String>) -> Self {
        Self::new(Code::Internal, phase, message)
    }

    /// A failed system call of the operation `what`.
    pub fn syscall(phase: Phase, what: &str, error: &caisson_sys::Error) -> Self {
        Self {
            syscall: Some(error.call().into()),
            errno: Some(error.errno_name()),
            path: error.path().map(Into::into),
            ..Self::new(Code::Syscall, phase, format!("{what}: {error}"))
        }
    }

    /// A failed standard library call on `path`.
    pub fn io(phase: Phase, what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let errno = error.raw_os_error().map(caisson_sys::errno_name);
        let reason = errno.clone().unwrap_or_else(|| error.to_string());
        Self {
            errno,
            ..Self::new(Code::Syscall, phase, format!("{what} {}: {reason}", path.display()))
                .on(path.display().to_string())
        }
    }
}

impl From<protocol::Failure> for Failure {
    fn from(failure: protocol::Failure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            phase: failure.phase,
            syscall: failure.syscall,
            errno: (failure.errno != 0).then(|| caisson_sys::errno_name(failure.errno)),
            path: failure.path,
            hint: failure.hint,
            issues: Vec::new(),
        }
    }
}

impl From<caisson_plan::SpecError> for Failure {
    fn from(error: caisson_plan::SpecError) -> Self {
        let code = if error.unsupported { Code::UnsupportedSpec } else { Code::InvalidSpec };
        let hint = error.issues.iter().find_map(|issue| issue.hint).map(Into::into);
        let issues: Vec<_> = error.issues.into_iter().map(|issue| (issue.path, issue.message)).collect();
        let text =
            issues.iter().map(
                |(path, message)| {
                    if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
                },
            );
        Self {
            issues: issues.clone(),
            hint,
            ..Self::new(
                code,
                Phase::Validate,
                format!("config.json: {}", text.collect::<Vec<_>>().join("; ")),
            )
        }
    }
}
