//! From a failed call to the [`Failure`] that travels to the addon: code, phase, one line of text, and a hint where the
//! usual cause is known.

use caisson_code::{Code, Phase};
use caisson_plan::protocol::Failure;
use caisson_sys::{Error, errno};

pub type Result<T, E = SetupError> = std::result::Result<T, E>;

/// A failure in the making: the executor adds the operation.
#[derive(Debug)]
pub struct SetupError(Box<Failure>);

impl From<Error> for SetupError {
    fn from(error: Error) -> Self {
        let too_old = error.errno() == errno::ENOSYS;
        // How the resolver refuses a link (RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, O_NOFOLLOW) or another mount.
        let unsafe_path =
            error.call().starts_with("open") && matches!(error.errno(), errno::ELOOP | errno::EXDEV);
        let hint = "Linux 5.6 or newer is needed, and a sandbox around us must not hide its system calls";
        Self(Box::new(Failure {
            code: match () {
                () if too_old => Code::KernelTooOld,
                () if unsafe_path => Code::UnsafePath,
                () => Code::Syscall,
            },
            phase: Phase::Setup,
            message: error.to_string(),
            syscall: Some(error.call().to_owned()),
            errno: error.errno(),
            path: error.path().map(str::to_owned),
            hint: too_old.then(|| hint.to_owned()),
        }))
    }
}

impl From<Failure> for SetupError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl SetupError {
    /// Something we refuse to do, with no failed call behind it.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            code,
            phase: Phase::Setup,
            message: message.into(),
            syscall: None,
            errno: 0,
            path: None,
            hint: None,
        }))
    }

    /// SECURITY: a path that leads elsewhere, or to another kind of file, than it must.
    pub fn unsafe_path(message: impl Into<String>) -> Self {
        Self::refused(Code::UnsafePath, message)
    }

    /// A plan or message that this package should never have written.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::refused(Code::Internal, message)
    }

    /// Replaces the text; call and errno stay.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    pub fn code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    pub fn phase(mut self, phase: Phase) -> Self {
        self.0.phase = phase;
        self
    }

    /// Adds a hint, unless it has one.
    pub fn hint(mut self, hint: &str) -> Self {
        self.0.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    pub fn replace_hint(mut self, hint: &str) -> Self {
        self.0.hint = Some(hint.to_owned());
        self
    }

    /// Adds to the text what else is known, e.g. what the kernel logged.
    pub fn detail(mut self, detail: Option<String>) -> Self {
        if let Some(detail) = detail {
            self.0.message = format!("{} ({detail})", self.0.message);
        }
        self
    }

    /// Puts in front of the text what it is about (`mount "/proc"`).
    pub fn about(mut self, subject: &str) -> Self {
        if !subject.is_empty() {
            self.0.message = format!("{subject}: {}", self.0.message);
        }
        self
    }

    /// errno of the failed call; 0 without one.
    pub fn errno(&self) -> i32 {
        self.0.errno
    }

    /// Hooks name their own phase.
    pub fn is_of_a_hook(&self) -> bool {
        self.0.phase == Phase::Hook
    }

    pub fn into_failure(self) -> Failure {
        *self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_keeps_its_parts_and_says_what_it_was_about() {
        let error = Error::new("fsmount", "5, 0x1, 0xe", errno::EPERM).on("/proc");
        let failure =
            SetupError::from(error).about("mount \"/proc\"").hint("first").hint("second").into_failure();
        assert_eq!(failure.message, "mount \"/proc\": fsmount(5, 0x1, 0xe): EPERM (Operation not permitted)");
        assert_eq!((failure.code, failure.errno), (Code::Syscall, errno::EPERM));
        assert_eq!((failure.syscall.as_deref(), failure.path.as_deref()), (Some("fsmount"), Some("/proc")));
        assert_eq!(failure.hint.as_deref(), Some("first"));
    }

    #[test]
    fn a_missing_system_call_is_an_old_kernel() {
        let failure = SetupError::from(Error::new("openat2", "", errno::ENOSYS)).into_failure();
        assert_eq!(failure.code, Code::KernelTooOld);
    }

    #[test]
    fn a_link_that_the_resolver_refuses_is_an_unsafe_path() {
        let code = |call, errno| SetupError::from(Error::new(call, "", errno)).into_failure().code;
        assert_eq!(code("openat2", errno::ELOOP), Code::UnsafePath);
        assert_eq!(code("openat2", errno::EXDEV), Code::UnsafePath);
        assert_eq!(code("openat", errno::ELOOP), Code::UnsafePath);
        assert_eq!(code("openat2", errno::ENOENT), Code::Syscall);
        assert_eq!(code("renameat", errno::EXDEV), Code::Syscall);
    }
}
