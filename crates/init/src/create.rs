//! A container's first process, from a plan in a memory file to the program.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::Phase;
use caisson_plan::Plan;
use caisson_plan::protocol::{Report, decode, fd};
use caisson_sys::{credentials, descriptor, memfd, process};

use crate::control::Control;
use crate::failure::{Result, SetupError};
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
    let inherited = begin(control).map_err(|problem| problem.phase(Phase::Spawn).about("caisson-init"));
    let Inherited { plan, listener, guard } = inherited?;
    let procfs = Procfs::default();
    let entered = namespaces::enter(&plan, control, &procfs, guard)?;
    let umask = process::set_umask(0); // modes are exactly what they are meant to be, until the end
    let mut setup = Setup::new(&plan, control, listener, procfs, entered, umask);
    setup.run(&plan.setup)?;
    control.report(&Report::Created, None)?;
    Ok(start::wait(setup))
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
    let plan: Plan = decode(&bytes).map_err(|error| SetupError::internal(format!("the plan: {error}")))?;
    let least = fd::PRESERVED + plan.preserve_fds.cast_signed();
    let guard = descriptor::inherited(least).ok(); // not every container has it
    control.move_above(least)?;
    let listener = descriptor::inherited(fd::START)?;
    let listener = process::duplicate_above(listener.as_fd(), least)?;
    Ok(Inherited { plan, listener, guard })
}
