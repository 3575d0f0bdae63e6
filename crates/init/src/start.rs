//! A created container: waits for whoever starts it, then becomes the program.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use caisson_plan::Plan;
use caisson_plan::protocol::{Failure, MAX_MESSAGE, StartReply, StartRequest, decode, encode, fd};
use caisson_sys::errno::{EACCES, ENOENT, ENOEXEC};
use caisson_sys::poll::Poller;
use caisson_sys::{process, socket};

use crate::failure::{Problem, Result};
use crate::hook::{self, Moment};
use crate::process::Program;

const PHASE: &str = "start";

/// Returns only when the program could not be started, or when the caller of an attached container is gone.
pub fn wait(plan: &Plan, control: &OwnedFd, listener: OwnedFd, program: Option<Program>) -> i32 {
    match await_request(plan, control, &listener) {
        Ok(Some(starter)) => {
            drop(listener); // no second start from here on: connecting is refused
            let failure = start(plan, &starter, program);
            reply(&starter, &StartReply::Failed(failure));
            1
        }
        // Nobody is there who could be told about a failure here.
        Ok(None) | Err(_) => 1,
    }
}

/// Keys of the poller; connections have the numbers of their descriptors above these.
const LISTENER: u64 = 0;
const CONTROL: u64 = 1;
const CONNECTIONS: u64 = 2;

/// The connection that asked for the start. Connections that say nothing (somebody looks whether we are there) are
/// kept until they end, so that none of them can keep others waiting. `None`: the caller is gone and we go with it.
fn await_request(plan: &Plan, control: &OwnedFd, listener: &OwnedFd) -> Result<Option<OwnedFd>> {
    let poller = Poller::new()?;
    poller.add(listener, LISTENER)?;
    poller.add(control, CONTROL)?;
    let preserved = plan.process.as_ref().map_or(0, |process| process.preserve_fds.cast_signed());
    let above = fd::PRESERVED + preserved;
    let mut connections: Vec<OwnedFd> = vec![];
    loop {
        for key in poller.wait(None)? {
            match key {
                CONTROL if !matches!(socket::receive(control, MAX_MESSAGE, false), Ok(None)) => {}
                CONTROL if plan.kill_on_parent_death => return Ok(None),
                // A detached container outlives its creator.
                CONTROL => poller.remove(control)?,
                LISTENER => {
                    // A connection that is gone already is nobody's start.
                    let Ok(connection) = socket::accept(listener) else { continue };
                    let Ok(connection) = process::duplicate_above(connection.as_fd(), above) else {
                        continue;
                    };
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
                            return Ok(Some(connection));
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

fn reply(starter: &OwnedFd, reply: &StartReply) {
    // A starter that has gone away does not stop the start it asked for.
    if let Ok(bytes) = encode(reply) {
        let _ = socket::send(starter, &bytes, &[]);
    }
}

/// Hooks, descriptors, exec. Comes back only with what went wrong.
fn start(plan: &Plan, starter: &OwnedFd, program: Option<Program>) -> Failure {
    let Some(program) = program else {
        return Problem::refused("ERR_INVALID_SPEC", "the configuration has no process to start")
            .phase(PHASE)
            .about("process")
            .into_failure();
    };
    reply(starter, &StartReply::Starting);
    let hooks = hook::run_all(&plan.start_container_hooks, &Moment::created(plan, program.umask));
    if let Err(problem) = hooks {
        return problem.into_failure();
    }
    if let Err(problem) = preserve(program.preserved) {
        return problem.phase(PHASE).about("preserved descriptors").into_failure();
    }
    process::set_umask(program.umask);
    execute(&program)
}

fn execute(program: &Program) -> Failure {
    let error = process::execute(&program.path, &program.arguments, &program.environment);
    let code = match error.errno() {
        ENOENT => "ERR_EXEC_NOT_FOUND",
        EACCES => "ERR_EXEC_DENIED",
        _ => "ERR_SYSCALL",
    };
    let hint = match error.errno() {
        ENOEXEC => {
            "the file is no program for this machine (another architecture, or a script without #! line)"
        }
        ENOENT => "the file is there, but its interpreter (the #! line, or the dynamic loader) is not",
        _ => "",
    };
    let problem = Problem::from(error).code(code);
    if hint.is_empty() { problem } else { problem.hint(hint) }
        .phase(PHASE)
        .about("process.args")
        .into_failure()
}

/// Descriptors 6… of the helper become 3… of the program; all others close on exec. The connection to the starter is
/// above them all, or it would be replaced here.
fn preserve(count: i32) -> Result<()> {
    for index in 0..count {
        let from = process::borrowed(fd::PRESERVED + index)?;
        process::install(from, 3 + index)?;
    }
    Ok(process::close_on_exec_from(3 + count)?)
}
