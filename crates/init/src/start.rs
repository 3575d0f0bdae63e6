//! A created container: waits for whoever starts it, then becomes the program.

use std::os::fd::{AsRawFd, OwnedFd};

use caisson_plan::Plan;
use caisson_plan::protocol::{Failure, MAX_MESSAGE, Report, StartReply, StartRequest, decode, encode};
use caisson_sys::errno::{EACCES, ENOENT, ENOEXEC};
use caisson_sys::poll::Poller;
use caisson_sys::{descriptor, process, socket};

use crate::control::{Control, Word};
use crate::failure::{Problem, Result};
use crate::hook::{self, HookContext};
use crate::lookup;
use crate::process::Program;

const PHASE: &str = "start";

/// Returns only when the program could not be started, or when the caller of an attached container is gone.
pub fn wait(plan: &Plan, control: &Control, listener: OwnedFd, program: Option<Program>) -> i32 {
    match await_request(plan, control, &listener) {
        Ok(Some(starter)) => {
            drop(listener); // no second start from here on: connecting is refused
            let failure = start(plan, &starter, program);
            starter.failed(failure);
            1
        }
        // Nobody is there who could be told about a failure here.
        Ok(None) | Err(_) => 1,
    }
}

/// Who asked for the start, and hears how it went. One that has gone away does not stop the start it asked for.
enum Starter<'c> {
    /// Whoever made the container.
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

/// Whoever asks for the start. Connections that say nothing (somebody looks whether we are there) are
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
                    Ok(Word::Start) => return Ok(Some(Starter::Creator(control))),
                    Ok(Word::End) if plan.kill_on_parent_death => return Ok(None),
                    // A detached container outlives its creator.
                    Ok(Word::End) => poller.remove(control.socket())?,
                    Ok(Word::Proceed(_)) | Err(_) => {}
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

/// Hooks, descriptors, exec. Comes back only with what went wrong.
fn start(plan: &Plan, starter: &Starter<'_>, program: Option<Program>) -> Failure {
    let Some(program) = program else {
        return Problem::refused("ERR_INVALID_SPEC", "the configuration has no process to start")
            .phase(PHASE)
            .about("process")
            .into_failure();
    };
    starter.starting();
    let environment = plan.process.as_ref().map_or(&[][..], |process| &process.env);
    let context = HookContext { plan, status: "created", umask: program.umask, environment };
    if let Err(problem) = hook::run_all(&plan.start_container_hooks, &context) {
        return problem.into_failure();
    }
    if let Err(problem) = preserve(program.preserved) {
        return problem.phase(PHASE).about("preserved descriptors").into_failure();
    }
    process::set_umask(program.umask);
    // What was found at create may have been replaced since.
    if let Err(problem) = lookup::check(&program.path) {
        return problem.phase(PHASE).about("process.args").into_failure();
    }
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

/// Descriptors 3… stay open in the program; all others, our sockets, close on exec.
fn preserve(count: i32) -> Result<()> {
    process::close_on_exec_from(3 + count)?;
    for number in 3..3 + count {
        descriptor::keep_on_exec(number)?;
    }
    Ok(())
}
