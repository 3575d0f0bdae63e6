//! Hooks in the runtime's own namespaces: prestart, createRuntime, poststart, poststop (runtime-spec, "POSIX-platform
//! Hooks"). createContainer and startContainer run in the helper.

use std::os::fd::AsFd;
use std::path::Path;

use caisson_code::{Code, Phase};
use caisson_hook::{Context, Environment, HookError};
use caisson_plan::Config;
use caisson_sys::poll::Waker;

use super::Subject;
use crate::failure::{Failure, Result};
use crate::state::{Progress, StateDirectory, StateFile};

/// prestart, then createRuntime. COMPAT(runc): the state says `creating`.
pub fn runtime(subject: &Subject) -> Result<()> {
    let record = &subject.record;
    let state = StateFile { pid: Some(subject.pid), status: Progress::Creating, ..record.state.clone() };
    record.directory.write_state(&state)?;
    let text = state.oci_state("creating", subject.pid);
    ["prestart", "createRuntime"]
        .iter()
        .try_for_each(|list| run(&record.config, list, &text, &state.bundle, subject.cancelled.as_deref()))
}

pub fn poststart(subject: &Subject) -> Result<()> {
    let Subject { record, pid, cancelled, .. } = subject;
    let text = record.state.oci_state("running", *pid);
    run(&record.config, "poststart", &text, &record.state.bundle, cancelled.as_deref())
}

/// For a container created by another process.
pub fn poststart_of(config: &Config, state: &StateFile) -> Result<()> {
    let text = state.oci_state("running", state.pid.unwrap_or_default());
    run(config, "poststart", &text, &state.bundle, None)
}

/// runtime-spec, Lifecycle: a failed poststop hook is a warning, and the remaining ones still run.
pub fn poststop(config: &Config, state: &StateFile) -> Vec<String> {
    let text = state.oci_state("stopped", 0);
    let hooks = config.hooks("poststop");
    hooks
        .iter()
        .filter_map(|hook| {
            caisson_hook::run_all(std::slice::from_ref(hook), &context(&text, &state.bundle, None)).err()
        })
        .map(|error| error.message)
        .collect()
}

/// The private copy of a configuration; `None` if a killed create has not written it.
pub fn config_of(directory: &StateDirectory) -> Result<Option<Config>> {
    let bytes = match directory.read_config() {
        Err(error) if error.errno.as_deref() == Some("ENOENT") => return Ok(None),
        bytes => bytes?,
    };
    Config::parse(&bytes).map(Some).map_err(|error| {
        let message = format!("damaged configuration of container {}: {error}", directory.id());
        Failure::new(Code::StateDamaged, Phase::Resolve, message)
            .hint("end the container and remove what is left of it: caisson delete --force")
    })
}

fn run(config: &Config, list: &str, state: &str, bundle: &str, cancelled: Option<&Waker>) -> Result<()> {
    let hooks = config.hooks(list);
    if hooks.is_empty() {
        return Ok(());
    }
    caisson_hook::run_all(&hooks, &context(state, bundle, cancelled)).map_err(failure)
}

/// COMPAT(runc): the runtime's environment, and the bundle as working directory.
fn context<'a>(state: &'a str, bundle: &'a str, cancelled: Option<&'a Waker>) -> Context<'a> {
    Context {
        state,
        environment: Environment::Inherited,
        directory: Some(Path::new(bundle)).filter(|bundle| bundle.is_dir()),
        cancelled: cancelled.map(AsFd::as_fd),
    }
}

fn failure(HookError { message, path, call }: HookError) -> Failure {
    let known = match call {
        Some(error) => Failure::syscall(Phase::Hook, "cannot run", &error),
        None => Failure::new(Code::Hook, Phase::Hook, ""),
    };
    Failure { code: Code::Hook, message, path: Some(path), ..known }
}
