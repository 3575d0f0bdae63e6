//! Runs one hook: spawns it with the state, and waits until it ends, times out, or is cancelled.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use caisson_plan::Hook;
use caisson_sys::poll::{Interest, ready};
use caisson_sys::{Error, descriptor, errno_name, memfd, pidfd, process};

use crate::output::Output;

/// Shared by all hooks of a list.
pub struct Context<'a> {
    /// The OCI state as JSON.
    pub state: &'a str,
    /// For hooks without `env`.
    pub environment: Environment<'a>,
    /// Working directory; `None` for the caller's.
    pub directory: Option<&'a Path>,
    /// Readable on cancellation: the running hook is killed.
    pub cancelled: Option<BorrowedFd<'a>>,
}

/// The environment of a hook without `env`.
///
/// SECURITY: CVE-2025-23266 — a hook with host privileges never gets the container's environment.
pub enum Environment<'a> {
    /// The caller's own.
    Inherited,
    /// `NAME=value` pairs.
    Given(&'a [String]),
}

/// A hook that failed.
#[derive(Debug)]
pub struct HookError {
    /// `error running createRuntime hook #0: exit status 3, stdout: , stderr: …`
    pub message: String,
    /// Path of the hook.
    pub path: String,
    /// The failed system call, if any.
    pub call: Option<Error>,
}

/// How one hook failed.
enum Problem {
    Ended(String),
    Call(String, Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Call(error.to_string(), error)
    }
}

/// Runs the hooks in order, up to the first failure.
pub fn run_all(hooks: &[Hook], context: &Context<'_>) -> Result<(), HookError> {
    hooks.iter().try_for_each(|hook| {
        run(hook, context).map_err(|problem| {
            let (reason, call) = match problem {
                Problem::Ended(reason) => (reason, None),
                Problem::Call(reason, error) => (reason, Some(error)),
            };
            // COMPAT(runc): the prefix that engines look for.
            let message = format!("error running {} hook #{}: {reason}", hook.list, hook.index);
            HookError { message, path: hook.path.clone(), call }
        })
    })
}

fn run(hook: &Hook, context: &Context<'_>) -> Result<(), Problem> {
    let state = memfd::data("state.json", context.state.as_bytes())?;
    let ((output, stdout), (errors, stderr)) = (descriptor::pipe()?, descriptor::pipe()?);
    let mut child = command(hook, context, state, stdout, stderr).spawn().map_err(|error| {
        let error = Error::from_io("execve", &hook.path, &error);
        Problem::Call(format!("cannot run {}: {}", hook.path, errno_name(error.errno())), error)
    })?;
    let mut outputs = [Output::new(output), Output::new(errors)];
    let ended = wait(&mut child, hook, context, &mut outputs);
    for output in &mut outputs {
        output.drain()?;
    }
    let reason = match ended? {
        End::Status(status) if status.success() => return Ok(()),
        End::Status(status) => describe(status),
        // COMPAT(runc): the same wording.
        End::TimedOut => format!("hook ran past specified timeout of {} s", hook.timeout.unwrap_or_default()),
        End::Cancelled => "cancelled".to_owned(),
    };
    let [stdout, stderr] = outputs.map(|output| output.text());
    Err(Problem::Ended(format!("{reason}, stdout: {stdout}, stderr: {stderr}")))
}

fn command(hook: &Hook, context: &Context<'_>, state: OwnedFd, stdout: OwnedFd, stderr: OwnedFd) -> Command {
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    let given = match (&hook.env, &context.environment) {
        (Some(env), _) => Some(env.as_slice()),
        (None, Environment::Given(env)) => Some(*env),
        (None, Environment::Inherited) => None,
    };
    if let Some(env) = given {
        command.env_clear().envs(env.iter().filter_map(|pair| pair.split_once('=')));
    }
    if let Some(directory) = context.directory {
        command.current_dir(directory);
    }
    // The hook gets a process group, so that a time-out ends its children too.
    command.stdin(File::from(state)).stdout(File::from(stdout)).stderr(File::from(stderr)).process_group(0);
    command
}

enum End {
    Status(ExitStatus),
    TimedOut,
    Cancelled,
}

/// A hook that is killed here is killed with its process group.
fn wait(
    child: &mut Child,
    hook: &Hook,
    context: &Context<'_>,
    outputs: &mut [Output; 2],
) -> Result<End, Problem> {
    let failed = |error: std::io::Error| Problem::from(Error::from_io("waitid", &hook.path, &error));
    let deadline = hook.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    let handle = pidfd::open(child.id().cast_signed())?;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let [stdout, stderr] = outputs.each_ref().map(|output| output.pipe.as_ref().map(AsFd::as_fd));
        let watched = [Some(handle.as_fd()), stdout, stderr, context.cancelled].map(|fd| {
            // A missing descriptor is replaced by another one and not polled.
            (fd.unwrap_or(handle.as_fd()), Interest { read: fd.is_some(), write: false })
        });
        let [ended, printed, complained, cancelled] = ready(watched, left)?;
        if printed {
            outputs[0].read()?;
        }
        if complained {
            outputs[1].read()?;
        }
        if ended {
            return Ok(End::Status(child.wait().map_err(failed)?));
        }
        let late = deadline.is_some_and(|deadline| deadline <= Instant::now());
        if late || cancelled {
            process::kill_group(child.id().cast_signed())?;
            child.wait().map_err(failed)?;
            return Ok(if late { End::TimedOut } else { End::Cancelled });
        }
    }
}

/// COMPAT(runc): the format of Go.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
    }
}
