//! Failures are passed as data: an object with fields. No message is parsed.

use caisson_code::{Code, Phase};
use caisson_engine::Failure;
use napi_derive::napi;

/// An issue of a document.
#[napi(object)]
pub struct NativeIssue {
    pub path: String,
    pub message: String,
}

/// See docs/internal/native-face.md; `ts/native/failure.ts` converts it to the error classes.
#[napi(object)]
pub struct NativeError {
    pub code: String,
    pub message: String,
    pub phase: Option<String>,
    pub syscall: Option<String>,
    pub errno: Option<String>,
    pub path: Option<String>,
    pub hint: Option<String>,
    pub issues: Option<Vec<NativeIssue>>,
}

impl NativeError {
    pub fn new(code: Code, message: String) -> Self {
        Self {
            code: code.as_str().to_owned(),
            message,
            phase: None,
            syscall: None,
            errno: None,
            path: None,
            hint: None,
            issues: None,
        }
    }

    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase.as_str().to_owned());
        self
    }
}

impl From<Failure> for NativeError {
    fn from(failure: Failure) -> Self {
        let issues: Vec<_> =
            failure.issues.into_iter().map(|(path, message)| NativeIssue { path, message }).collect();
        Self {
            syscall: failure.syscall,
            errno: failure.errno,
            path: failure.path,
            hint: failure.hint,
            issues: (!issues.is_empty()).then_some(issues),
            ..Self::new(failure.code, failure.message).phase(failure.phase)
        }
    }
}
