//! create on the spawner thread: decide, begin, and hand the rest to the reactor.

use std::sync::{Arc, PoisonError};

use caisson_sys::pidfd;

use crate::container::{Container, Stage};
use crate::engine::{Key, Shared};
use crate::failure::{Failure, Result};
use crate::guard::Guard;
use crate::prepare::{self, Begun};
use crate::request::{CreateRequest, Handle, Token};
use crate::threads::Job;

pub(crate) fn create(shared: &Arc<Shared>, token: Token, request: &CreateRequest) {
    if let Err(failure) = try_create(shared, token, request) {
        shared.reply(token, Err(failure));
    }
}

fn try_create(shared: &Arc<Shared>, token: Token, request: &CreateRequest) -> Result<()> {
    let facts = shared.facts()?;
    let decided = prepare::decide(request, facts)?;
    let handle = shared.next_serial();
    let begun = prepare::begin(request, &decided, facts, &shared.program, |directory, cgroups| {
        if request.attached {
            with_guard(shared, |guard| guard.register(handle, directory, cgroups))
        } else {
            Ok(())
        }
    });
    let Begun { directory, mut state, cgroup, spawned, control, streams } = match begun {
        Ok(begun) => begun,
        Err(failure) => {
            forget(shared, handle);
            return Err(failure);
        }
    };
    if request.attached {
        // Known to the guard by its cgroup already; a failure here costs only the second way of killing.
        let _ = with_guard(shared, |guard| guard.started(handle, &spawned.pidfd));
    }
    let start_time = pidfd::state_and_start_time(spawned.pid).map_or(0, |(_, time)| time);
    state.pid = Some(spawned.pid);
    state.start_time = Some(start_time.to_string());
    let container = Container {
        handle,
        root: request.root.clone(),
        directory,
        state,
        cgroup,
        pid: spawned.pid,
        start_time,
        pidfd: Arc::new(spawned.pidfd),
        control: Some(control),
        stage: Stage::Setup,
        token: Some(token),
        attached: request.attached,
        released: false,
        streams,
        console: None,
        console_socket: request.console_socket.clone(),
        warnings: decided.plan.warnings.clone(),
        user_namespace: decided.plan.user_namespace.clone().filter(|_| !decided.plan.join.is_empty()),
    };
    let mut registry = shared.registry();
    let container = registry.containers.entry(handle).or_insert(container);
    let watched =
        container.control.as_ref().map_or(Ok(()), |control| shared.watch(control, Key::Control(handle)));
    let watched = watched.and_then(|()| shared.watch(&container.pidfd, Key::Process(handle)));
    drop(registry);
    if let Err(failure) = watched {
        shared.post(Job::Abandon(handle, Box::new(failure)), shared);
    }
    Ok(())
}

/// The hooks of the runtime have passed: the helper goes on, and its next report is the answer.
pub(crate) fn proceed(shared: &Arc<Shared>, token: Token, handle: Handle) {
    let mut registry = shared.registry();
    let outcome = match registry.containers.get_mut(&handle) {
        Some(container) if container.stage == Stage::Hooks => {
            container.stage = Stage::Setup;
            container.token = Some(token);
            container.control.as_ref().map_or(Ok(()), prepare::send_proceed)
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

/// Runs `call` with the guard, starting one where there is none or the last one died.
fn with_guard(shared: &Shared, call: impl FnOnce(&Guard) -> Result<()>) -> Result<()> {
    let mut slot = shared.guard.lock().unwrap_or_else(PoisonError::into_inner);
    if !slot.as_ref().is_some_and(Guard::is_alive) {
        *slot = Some(Guard::start(&shared.program)?);
    }
    slot.as_ref().map_or(Ok(()), call)
}

/// Tells the guard that a container is gone.
pub(crate) fn forget(shared: &Shared, handle: Handle) {
    if let Some(guard) = shared.guard.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        guard.forget(handle);
    }
}
