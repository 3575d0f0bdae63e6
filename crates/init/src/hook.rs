//! Hooks that run in the container's namespaces. The state goes in on stdin, as a memory file: no hook that does not
//! read can make us wait. The environment is exactly the one given.
//!
//! SECURITY: CVE-2025-23266: the container's own environment never reaches a hook.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use caisson_plan::{Hook, Plan};
use caisson_sys::{descriptor, file, memfd, pidfd, poll, process};

use crate::failure::{Problem, Result};
use crate::setup::Setup;

/// When hooks run: what the state on their stdin says, and their file mode mask.
#[derive(Debug)]
pub struct Moment {
    state: String,
    umask: u32,
}

impl Moment {
    /// createContainer.
    pub fn creating(setup: &Setup<'_>) -> Self {
        Self::new(setup.plan, "creating", setup.umask)
    }

    /// startContainer.
    pub fn created(plan: &Plan, umask: u32) -> Self {
        Self::new(plan, "created", umask)
    }

    fn new(plan: &Plan, status: &str, umask: u32) -> Self {
        let separator = if plan.state_prefix.trim_end().ends_with('{') { "" } else { "," };
        let (prefix, pid) = (&plan.state_prefix, process::id());
        Self { state: format!("{prefix}{separator}\"status\":\"{status}\",\"pid\":{pid}}}"), umask }
    }
}

/// The last part of what a hook printed goes into the message.
const KEPT_OUTPUT: usize = 4096;

/// Runs the hooks in order; the first that fails ends it.
pub fn run_all(hooks: &[Hook], moment: &Moment) -> Result<()> {
    let before = process::set_umask(moment.umask);
    let result = hooks.iter().try_for_each(|hook| {
        run(hook, moment)
            .map_err(|problem| problem.code("ERR_HOOK").phase("hook").on(&hook.path).about(&title(hook)))
    });
    process::set_umask(before);
    result
}

/// COMPAT(runc): the beginning that engines look for.
fn title(hook: &Hook) -> String {
    format!("error running {} hook #{}", hook.list, hook.index)
}

fn run(hook: &Hook, moment: &Moment) -> Result<()> {
    let state = memfd::data("state.json", moment.state.as_bytes())?;
    let (read, write) = descriptor::pipe()?;
    let mut command = Command::new(&hook.path);
    if let Some((name, rest)) = hook.args.split_first() {
        command.arg0(name).args(rest);
    }
    command.env_clear().envs(hook.env.iter().filter_map(|pair| pair.split_once('=')));
    let errors = process::duplicate_above(write.as_fd(), 3)?;
    command.stdin(File::from(state)).stdout(File::from(write)).stderr(File::from(errors)).process_group(0);
    let failed =
        |error: std::io::Error| Problem::from(caisson_sys::Error::from_io("execve", &hook.path, &error));
    let mut child = command.spawn().map_err(failed)?;
    drop(command); // and with it our writing ends
    let limit = hook.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    let mut output = Output { pipe: Some(read), kept: vec![] };
    let ended = wait(&mut child, limit, &mut output);
    output.drain()?;
    match ended? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Problem::refused("ERR_HOOK", describe(status)).detail(output.text())),
        None => {
            let seconds = hook.timeout.unwrap_or_default();
            Err(Problem::refused("ERR_HOOK", format!("hook ran past specified timeout of {seconds} s"))
                .detail(output.text()))
        }
    }
}

/// `None`: it took too long and was killed, with what it had started in its process group.
fn wait(child: &mut Child, limit: Option<Duration>, output: &mut Output) -> Result<Option<ExitStatus>> {
    let failed = |error: std::io::Error| Problem::from(caisson_sys::Error::from_io("waitid", "hook", &error));
    let deadline = limit.map(|limit| Instant::now() + limit);
    let handle = pidfd::open(child.id().cast_signed())?;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let [ended, printed] = match &output.pipe {
            Some(pipe) => poll::readable([&handle, pipe], left)?,
            None => [poll::readable([&handle], left)?[0], false],
        };
        if printed {
            output.take()?;
        }
        if ended {
            return Ok(Some(child.wait().map_err(failed)?));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            process::kill_group(child.id().cast_signed())?;
            child.wait().map_err(failed)?;
            return Ok(None);
        }
    }
}

/// What the hook prints, its end kept.
struct Output {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Output {
    fn take(&mut self) -> Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let chunk = file::read_some(pipe.as_fd())?;
        if chunk.is_empty() {
            self.pipe = None;
        }
        self.kept.extend(chunk);
        let surplus = self.kept.len().saturating_sub(KEPT_OUTPUT);
        self.kept.drain(..surplus);
        Ok(())
    }

    /// What is there already; a background process of the hook may keep the pipe open for ever.
    fn drain(&mut self) -> Result<()> {
        while let Some(pipe) = &self.pipe {
            if !poll::readable([pipe], Some(Duration::ZERO))?[0] {
                break;
            }
            self.take()?;
        }
        Ok(())
    }

    fn text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.kept).trim().to_owned();
        (!text.is_empty()).then(|| format!("it printed: {text}"))
    }
}

/// COMPAT(runc): as Go prints it.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}
