//! Events as JavaScript objects. Descriptors become numbers here: whoever receives the event owns them.

use std::os::fd::{IntoRawFd, OwnedFd};

use caisson_engine::{Created, Event, Reply};
use napi_derive::napi;

use crate::failure::NativeError;

/// The answer of `create` and `proceed`.
#[napi(object)]
pub struct NativeCreated {
    pub handle: i64,
    /// Runtime hooks are to run now, then `proceed`.
    pub hooks: bool,
    /// There are poststart or poststop hooks.
    pub later_hooks: bool,
    pub pid: i32,
    /// Clock ticks since boot, as text.
    pub start_time: String,
    pub stdin: Option<i32>,
    pub stdout: Option<i32>,
    pub stderr: Option<i32>,
    pub console: Option<i32>,
    pub warnings: Vec<String>,
}

/// A reply (`token`, and `error`, `created` or `handle`) or an exit (`handle`, `exitCode` or `signal`).
#[napi(object)]
pub struct NativeEvent {
    pub token: Option<u32>,
    pub error: Option<NativeError>,
    pub created: Option<NativeCreated>,
    pub handle: Option<i64>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub oom_killed: Option<bool>,
}

impl NativeEvent {
    /// The descriptors in it, so that they can be closed when nobody takes the event.
    pub fn descriptors(&self) -> Vec<i32> {
        let created = self.created.as_ref();
        created
            .map_or(Vec::new(), |c| [c.stdin, c.stdout, c.stderr, c.console].into_iter().flatten().collect())
    }
}

impl From<Event> for NativeEvent {
    fn from(event: Event) -> Self {
        let mut converted = Self {
            token: None,
            error: None,
            created: None,
            handle: None,
            exit_code: None,
            signal: None,
            oom_killed: None,
        };
        match event {
            Event::Reply { token, result } => {
                converted.token = Some(token);
                match result {
                    Ok(Reply::Created(created)) => converted.created = Some(created.into()),
                    Ok(Reply::Watching(handle)) => converted.handle = Some(handle.cast_signed()),
                    Ok(Reply::Done) => {}
                    Err(failure) => converted.error = Some(failure.into()),
                }
            }
            Event::Exit { handle, code, signal, oom_killed } => {
                converted.handle = Some(handle.cast_signed());
                converted.exit_code = code;
                converted.signal = signal;
                converted.oom_killed = Some(oom_killed);
            }
        }
        converted
    }
}

impl From<Created> for NativeCreated {
    fn from(created: Created) -> Self {
        let number = |fd: Option<OwnedFd>| fd.map(IntoRawFd::into_raw_fd);
        Self {
            handle: created.handle.cast_signed(),
            hooks: created.hooks,
            later_hooks: created.later_hooks,
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
