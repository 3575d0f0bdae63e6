//! Hooks that run in the container's namespaces: createContainer before pivot_root, startContainer before exec.

use caisson_code::{Code, Phase};
use caisson_hook::{Context, Environment, HookError};
use caisson_plan::{Hook, Plan};
use caisson_sys::process;

use crate::failure::{Result, SetupError};

/// Where a list of hooks runs.
pub struct HookContext<'a> {
    pub plan: &'a Plan,
    /// `status` of the state.
    pub status: &'a str,
    pub umask: u32,
    /// What hooks without `env` get: nothing while the host's files are in reach.
    pub environment: &'a [String],
}

/// Runs the hooks in order; the first that fails ends the list.
pub fn run_all(hooks: &[Hook], context: &HookContext<'_>) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    let state = context.plan.state(context.status, process::id());
    let before = process::set_umask(context.umask);
    let result = caisson_hook::run_all(
        hooks,
        &Context {
            state: &state,
            environment: Environment::Given(context.environment),
            directory: None,
            cancelled: None,
        },
    );
    process::set_umask(before);
    result.map_err(|HookError { message, path, call }| {
        let problem = match call {
            Some(error) => SetupError::from(error).message(message),
            None => SetupError::refused(Code::Hook, message),
        };
        problem.code(Code::Hook).phase(Phase::Hook).on(path)
    })
}
