//! A created container: waits for its start, then becomes the program.

use std::os::fd::{AsRawFd, OwnedFd};

use caisson_code::{Code, Phase};
use caisson_plan::Plan;
use caisson_plan::protocol::{Failure, MAX_MESSAGE, Report, StartReply, StartRequest, decode, encode};
use caisson_sys::poll::Poller;
use caisson_sys::socket;

use crate::control::{Control, ControlMessage};
use crate::failure::{Result, SetupError};
use crate::setup::Setup;

const PHASE: Phase = Phase::Start;

/// Returns only when the program could not be started, or when the caller of an attached container is gone.
pub fn wait(mut setup: Setup<'_>) -> i32 {
    let Some(listener) = setup.listener.take() else { return 1 };
    match await_request(setup.plan, setup.control, &listener) {
        Ok(Some(starter)) => {
            drop(listener); // no second start from here on: connecting is refused
            starter.failed(start(setup, &starter));
            1
        }
        // There is no caller to report a failure to.
        Ok(None) | Err(_) => 1,
    }
}

/// Comes back only with what went wrong.
fn start(mut setup: Setup<'_>, starter: &Starter<'_>) -> Failure {
    let plan = setup.plan;
    let nothing = || SetupError::refused(Code::InvalidSpec, "the configuration has no process to start");
    if plan.start.is_empty() {
        return nothing().phase(PHASE).about("process").into_failure();
    }
    starter.starting();
    match setup.run(&plan.start) {
        Err(problem) if problem.is_of_a_hook() => problem.into_failure(),
        Err(problem) => problem.phase(PHASE).into_failure(),
        Ok(()) => nothing().phase(PHASE).into_failure(),
    }
}

/// Who asked for the start, and hears how it went. One that has gone away does not stop the start it asked for.
enum Starter<'c> {
    /// The process that made the container.
    Creator(&'c Control),
    Connection(OwnedFd),
}

impl Starter<'_> {
    fn starting(&self) {
        match self {
            Self::Creator(control) => drop(control.report(&Report::Starting, None)),
            Self::Connection(connection) => reply(connection, &StartReply::Starting),
        }
    }

    fn failed(&self, failure: Failure) {
        match self {
            Self::Creator(control) => control.fail(failure, Report::StartFailed),
            Self::Connection(connection) => reply(connection, &StartReply::Failed(failure)),
        }
    }
}

fn reply(connection: &OwnedFd, reply: &StartReply) {
    if let Ok(bytes) = encode(reply) {
        let _ = socket::send(connection, &bytes, &[]);
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
                    Ok(ControlMessage::Start) => return Ok(Some(Starter::Creator(control))),
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
                    match socket::receive(&connection, MAX_MESSAGE, false) {
                        Ok(Some(message)) if decode::<StartRequest>(&message.bytes).is_ok() => {
                            return Ok(Some(Starter::Connection(connection)));
                        }
                        _ => {} // closing it takes it out of the poller
                    }
                }
            }
        }
    }
}

fn number(connection: &OwnedFd) -> u64 {
    CONNECTIONS + u64::from(connection.as_raw_fd().unsigned_abs())
}
