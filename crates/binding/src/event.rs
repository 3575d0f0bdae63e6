//! Events as JavaScript objects. Descriptors become numbers here: the receiver of the event owns them.

use std::os::fd::{IntoRawFd, OwnedFd};

use caisson_engine::{Created, Event, Reply};
use caisson_sys::pidfd::Exit;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::failure::NativeError;
use crate::system_call::NativeSyscall;

/// The reply to `create`.
#[napi(object)]
pub struct NativeCreated {
    pub handle: i64,
    pub pid: i32,
    /// Clock ticks since boot, as a string.
    pub start_time: String,
    pub stdin: Option<i32>,
    pub stdout: Option<i32>,
    pub stderr: Option<i32>,
    pub console: Option<i32>,
    pub warnings: Vec<String>,
}

/// An event of the engine: the single reply to a request (with its `token`), or the end of a process.
#[napi(discriminant = "kind", discriminant_case = "lowercase")]
pub enum NativeEvent {
    Failed {
        token: u32,
        error: NativeError,
    },
    Created {
        token: u32,
        created: NativeCreated,
    },
    Started {
        token: u32,
    },
    Destroyed {
        token: u32,
        warnings: Vec<String>,
    },
    Watching {
        token: u32,
        handle: i64,
    },
    /// A proxied terminal has ended.
    Ended {
        token: u32,
    },
    /// Memory of a process.
    Memory {
        token: u32,
        bytes: Buffer,
    },
    /// A process waits for an answer to a system call.
    Syscall {
        handle: i64,
        call: NativeSyscall,
    },
    /// A process has ended. Without `exitCode` and `signal` the kernel cannot tell how.
    Exit {
        handle: i64,
        exit_code: Option<i32>,
        signal: Option<i32>,
        oom_killed: bool,
    },
}

impl NativeEvent {
    /// The descriptors in the event, to be closed if it is not delivered.
    pub fn descriptors(&self) -> Vec<i32> {
        let Self::Created { created: c, .. } = self else { return Vec::new() };
        [c.stdin, c.stdout, c.stderr, c.console].into_iter().flatten().collect()
    }
}

impl From<Event> for NativeEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Reply { token, result } => match result {
                Ok(Reply::Created(created)) => Self::Created { token, created: created.into() },
                Ok(Reply::Started) => Self::Started { token },
                Ok(Reply::Destroyed { warnings }) => Self::Destroyed { token, warnings },
                Ok(Reply::Watching(handle)) => Self::Watching { token, handle: handle.cast_signed() },
                Ok(Reply::Ended) => Self::Ended { token },
                Ok(Reply::Memory(bytes)) => Self::Memory { token, bytes: bytes.into() },
                Err(failure) => Self::Failed { token, error: failure.into() },
            },
            Event::SystemCall { handle, call } => {
                Self::Syscall { handle: handle.cast_signed(), call: call.into() }
            }
            Event::Exit { handle, exit, oom_killed } => {
                let (exit_code, signal) = match exit {
                    Some(Exit::Code(code)) => (Some(code), None),
                    Some(Exit::Signal(signal)) => (None, Some(signal)),
                    None => (None, None),
                };
                Self::Exit { handle: handle.cast_signed(), exit_code, signal, oom_killed }
            }
        }
    }
}

impl From<Created> for NativeCreated {
    fn from(created: Created) -> Self {
        let number = |fd: Option<OwnedFd>| fd.map(IntoRawFd::into_raw_fd);
        Self {
            handle: created.handle.cast_signed(),
            pid: created.pid,
            start_time: created.start_time.to_string(),
            stdin: number(created.stdin),
            stdout: number(created.stdout),
            stderr: number(created.stderr),
            console: number(created.console),
            warnings: created.warnings,
        }
    }
}
