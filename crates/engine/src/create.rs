//! create on the spawner thread: decide, begin, and hand the rest to the reactor.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use caisson_plan::protocol::Command;
use caisson_sys::pidfd;

use crate::container::{Container, Stage};
use crate::decide;
use crate::engine::{Key, Shared};
use crate::failure::{Failure, Result};
use crate::guard::{Guard, Origin};
use crate::prepare::{self, Begun};
use crate::request::{CreateRequest, Handle, Token};
use crate::threads::Job;

pub(crate) fn create(shared: &Arc<Shared>, token: Token, request: &CreateRequest) {
    if let Err(failure) = try_create(shared, token, request) {
        shared.reply(token, Err(failure));
    }
}

fn try_create(shared: &Arc<Shared>, token: Token, request: &CreateRequest) -> Result<()> {
    if shared.closed.load(Ordering::Acquire) {
        return Err(closed());
    }
    let facts = shared.facts()?;
    let decided = decide::decide(request, &facts)?;
    let handle = shared.next_serial();
    let guard = guard_for(shared, Origin::now(decided.placement.is_some()))?;
    let Begun { directory, mut state, cgroup, born, control, streams } =
        prepare::begin(request, &decided, &facts, &guard, handle)?;
    let start_time = pidfd::state_and_start_time(born.pid).map_or(0, |(_, time)| time);
    state.pid = Some(born.pid);
    state.start_time = Some(start_time.to_string());
    let container = Container {
        handle,
        root: request.root.clone(),
        directory,
        state,
        cgroup,
        pid: born.pid,
        start_time,
        pidfd: Arc::new(born.pidfd),
        guard,
        control: Some(control),
        starting: None,
        stage: Stage::Setup,
        token: Some(token),
        attached: request.attached,
        released: false,
        streams,
        console: None,
        console_socket: request.console_socket.clone(),
        warnings: decided.plan.warnings.clone(),
        later_hooks: ["poststart", "poststop"].iter().any(|list| !decided.config.hooks(list).is_empty()),
        user_namespace: decided.plan.user_namespace.clone().filter(|_| !decided.plan.join.is_empty()),
    };
    let mut registry = shared.registry();
    let container = registry.containers.entry(handle).or_insert(container);
    let watched =
        container.control.as_ref().map_or(Ok(()), |control| shared.watch(control, Key::Control(handle)));
    let watched = watched.and_then(|()| shared.watch(&container.pidfd, Key::Process(handle)));
    // Whoever closes looks for containers under the same lock: either it finds this one, or this is seen here.
    let late = request.attached && shared.closed.load(Ordering::Acquire);
    drop(registry);
    if let Err(failure) = if late { Err(closed()) } else { watched } {
        shared.post(Job::Abandon(handle, Box::new(failure)), shared);
    }
    Ok(())
}

fn closed() -> Failure {
    Failure::new("ERR_INVALID_STATE", "prepare", "the thread that asked for the container has ended")
}

/// The hooks of the runtime have passed: the helper goes on, and its next report is the answer.
pub(crate) fn proceed(shared: &Arc<Shared>, token: Token, handle: Handle) {
    let mut registry = shared.registry();
    let outcome = match registry.containers.get_mut(&handle) {
        Some(container) if container.stage == Stage::Hooks => {
            container.stage = Stage::Setup;
            container.token = Some(token);
            container
                .control
                .as_ref()
                .map_or(Ok(()), |control| prepare::send(control, Command::Proceed, None))
        }
        Some(_) => Err(Failure::new("ERR_INVALID_STATE", "hook", "the container does not wait for hooks")),
        None => Err(registry.failed_at_hooks.remove(&handle).unwrap_or_else(|| {
            Failure::new("ERR_INVALID_STATE", "hook", "the container was deleted while its hooks ran")
        })),
    };
    drop(registry);
    if let Err(failure) = outcome {
        shared.reply(token, Err(failure));
    }
}

/// A living guard of that origin, started where there is none.
fn guard_for(shared: &Shared, origin: Origin) -> Result<Arc<Guard>> {
    let mut guards = shared.guards.lock().unwrap_or_else(PoisonError::into_inner);
    guards.retain(|guard| guard.is_alive());
    if let Some(guard) = guards.iter().find(|guard| guard.origin == origin) {
        return Ok(Arc::clone(guard));
    }
    let guard = Arc::new(Guard::start(&shared.program, origin)?);
    guards.push(Arc::clone(&guard));
    Ok(guard)
}
