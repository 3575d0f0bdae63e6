//! A created container: waits for its start, then becomes the program.

use std::os::fd::{AsRawFd, OwnedFd};

use caisson_code::{Code, Phase};
use caisson_plan::Plan;
use caisson_plan::protocol::{Failure, MAX_MESSAGE, StartRequest, decode};
use caisson_sys::poll::Poller;
use caisson_sys::socket;

use crate::control::{Control, ControlMessage};
use crate::failure::{Result, SetupError};
use crate::setup::Setup;
use crate::starter::{Peer, Starter};

const PHASE: Phase = Phase::Start;

/// Returns only when the program could not be started, or when the caller of an attached container is gone.
pub fn wait(mut setup: Setup<'_>) -> i32 {
    let Some(listener) = setup.listener.take() else { return 1 };
    match await_request(setup.plan, setup.control, &listener) {
        Ok(Some(starter)) => {
            drop(listener); // no second start from here on: connecting is refused
            setup.starter = Some(starter);
            let failure = start(&mut setup);
            if let Some(starter) = &setup.starter {
                starter.failed(failure);
            }
            1
        }
        // There is no caller to report a failure to.
        Ok(None) | Err(_) => 1,
    }
}

/// Comes back only with what went wrong.
fn start(setup: &mut Setup<'_>) -> Failure {
    let plan = setup.plan;
    let nothing = || SetupError::refused(Code::InvalidSpec, "the configuration has no process to start");
    if plan.start.is_empty() {
        return nothing().phase(PHASE).about("process").into_failure();
    }
    if let Some(starter) = &setup.starter {
        starter.starting();
    }
    match setup.run(&plan.start) {
        Err(problem) if problem.is_of_a_hook() => problem.into_failure(),
        Err(problem) => problem.phase(PHASE).into_failure(),
        Ok(()) => nothing().phase(PHASE).into_failure(),
    }
}

/// Keys of the poller; connections have the numbers of their descriptors above these.
const LISTENER: u64 = 0;
const CONTROL: u64 = 1;
const CONNECTIONS: u64 = 2;

/// The process that asks for the start. Connections that say nothing (probes of the status) are
/// kept until they end, so that none of them can keep others waiting. `None`: the caller is gone and we go with it.
fn await_request<'c>(plan: &Plan, control: &'c Control, listener: &OwnedFd) -> Result<Option<Starter<'c>>> {
    let poller = Poller::new()?;
    poller.add(listener, LISTENER)?;
    poller.add(control.socket(), CONTROL)?;
    let mut connections: Vec<OwnedFd> = vec![];
    loop {
        for key in poller.wait(None)? {
            match key {
                CONTROL => match control.wait() {
                    Ok(ControlMessage::Start(request, agent)) => {
                        let starter = Starter { peer: Peer::Creator(control), request, agent };
                        if let Some(starter) = accept(plan, starter) {
                            return Ok(Some(starter));
                        }
                    }
                    Ok(ControlMessage::End) if plan.kill_on_parent_death => return Ok(None),
                    // A detached container outlives its creator.
                    Ok(ControlMessage::End) => poller.remove(control.socket())?,
                    Ok(ControlMessage::Proceed) | Err(_) => {}
                },
                LISTENER => {
                    // A connection that is gone already is nobody's start.
                    let Ok(connection) = socket::accept(listener) else { continue };
                    poller.add(&connection, number(&connection))?;
                    connections.push(connection);
                }
                key => {
                    let Some(index) = connections.iter().position(|connection| number(connection) == key)
                    else {
                        continue;
                    };
                    let connection = connections.swap_remove(index);
                    // Closing a connection takes it out of the poller.
                    let Ok(Some(message)) = socket::receive(&connection, MAX_MESSAGE, false) else {
                        continue;
                    };
                    let Ok(StartRequest::Start(request)) = decode(&message.bytes) else { continue };
                    let agent = message.descriptors.into_iter().next();
                    let starter = Starter { peer: Peer::Connection(connection), request, agent };
                    if let Some(starter) = accept(plan, starter) {
                        return Ok(Some(starter));
                    }
                }
            }
        }
    }
}

/// A start without a connection to the agent that answers notified calls is refused, and the container stays created.
fn accept<'c>(plan: &Plan, starter: Starter<'c>) -> Option<Starter<'c>> {
    if plan.listener().is_none() || starter.agent.is_some() {
        return Some(starter);
    }
    let reason = "only the process that made the container can start it: it answers its system calls";
    let problem = SetupError::refused(Code::InvalidState, reason).phase(PHASE).about("linux.seccomp");
    starter.failed(problem.into_failure());
    None
}

fn number(connection: &OwnedFd) -> u64 {
    CONNECTIONS + u64::from(connection.as_raw_fd().unsigned_abs())
}
