//! A container's first process, from a plan in a memory file to the program.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use caisson_plan::Plan;
use caisson_plan::protocol::{Report, decode, fd};
use caisson_sys::{credentials, descriptor, memfd, process};

use crate::control::Control;
use crate::failure::{Problem, Result};
use crate::process::Program;
use crate::procfs::Procfs;
use crate::setup::Setup;
use crate::{namespaces, start};

/// The exit status matters only to a caller who lost the control socket.
pub fn run() -> i32 {
    let Ok(control) = descriptor::inherited(fd::CONTROL) else { return 1 };
    let mut control = Control::new(control);
    match create(&mut control) {
        Ok(started) => started,
        Err(problem) => {
            control.fail(problem.into_failure(), Report::Failed);
            1
        }
    }
}

fn create(control: &mut Control) -> Result<i32> {
    let begin = begin(control).map_err(|problem| problem.phase("spawn").about("caisson-init"));
    let Inherited { plan, listener, guard } = begin?;
    let program = prepare(&plan, control, guard)?;
    close_all_but_the_programs(&plan, control, &listener).map_err(|problem| problem.about("descriptors"))?;
    let program = program.map(Program::locate).transpose()?;
    control.report(&Report::Created, None)?;
    Ok(start::wait(&plan, control, listener, program))
}

struct Inherited {
    plan: Plan,
    listener: OwnedFd,
    /// To ask for host paths.
    guard: Option<OwnedFd>,
}

/// What the guard has handed over. The sockets get numbers above all that the program keeps.
fn begin(control: &mut Control) -> Result<Inherited> {
    credentials::set_name(c"caisson-init")?;
    let bytes = memfd::read_all(&descriptor::inherited(fd::PLAN)?)?;
    let plan: Plan =
        decode(&bytes).map_err(|error| Problem::refused("ERR_SYSCALL", format!("the plan: {error}")))?;
    let least = fd::PRESERVED + preserved(&plan);
    let guard = descriptor::inherited(least).ok(); // not every container has it
    control.move_above(least)?;
    let listener = descriptor::inherited(fd::START)?;
    let listener = process::duplicate_above(listener.as_fd(), least)?;
    Ok(Inherited { plan, listener, guard })
}

/// Everything up to the look-up of the program. All descriptors of the host end with this.
fn prepare(plan: &Plan, control: &Control, guard: Option<OwnedFd>) -> Result<Option<Program>> {
    let procfs = Procfs::default();
    let sources = namespaces::enter(plan, control, &procfs, guard)?;
    let inherited_umask = process::set_umask(0); // modes are exactly what they are meant to be, until the end
    let mut setup = Setup::new(plan, control, &procfs, sources, inherited_umask);
    setup.run()?;
    setup.prepare_process()
}

/// SECURITY: from here on paths are looked up in the image by the kernel itself: of the program, of hooks, of interpreters
/// and loaders. Standard streams, what the caller preserves and our sockets are all that is open: no link in the image leads
/// anywhere else. Preserved descriptors 6… become 3….
fn close_all_but_the_programs(plan: &Plan, control: &Control, listener: &OwnedFd) -> Result<()> {
    let count = preserved(plan);
    for index in 0..count {
        descriptor::renumber(process::borrowed(fd::PRESERVED + index)?, 3 + index)?;
    }
    let sockets = [control.socket().as_raw_fd(), listener.as_raw_fd()];
    let keep: Vec<_> = (3..3 + count).chain(sockets).collect();
    Ok(descriptor::close_all_but(&keep)?)
}

fn preserved(plan: &Plan) -> i32 {
    plan.process.as_ref().map_or(0, |process| i32::try_from(process.preserve_fds).unwrap_or(i32::MAX))
}
