//! A container's first process, from a plan in a memory file to the program.

use std::os::fd::OwnedFd;

use caisson_plan::Plan;
use caisson_plan::protocol::{Report, decode, fd};
use caisson_sys::{credentials, descriptor, memfd, process};

use crate::control::Control;
use crate::failure::{Problem, Result};
use crate::procfs::Procfs;
use crate::setup::Setup;
use crate::{namespaces, start};

/// The exit status matters only to a caller who lost the control socket.
pub fn run() -> i32 {
    let Ok(control) = descriptor::inherited(fd::CONTROL) else { return 1 };
    let control = Control::new(control);
    match create(&control) {
        Ok(started) => started,
        Err(problem) => {
            control.fail(problem.into_failure(), Report::Failed);
            1
        }
    }
}

fn create(control: &Control) -> Result<i32> {
    let (plan, listener) = begin().map_err(|problem| problem.phase("spawn").about("caisson-init"))?;
    let procfs = Procfs::default();
    let sources = namespaces::enter(&plan, control, &procfs)?;
    let inherited_umask = process::set_umask(0); // modes are exactly what they are meant to be, until the end
    let mut setup = Setup::new(&plan, control, &procfs, sources, inherited_umask);
    setup.run()?;
    let program = setup.prepare_process()?;
    control.report(&Report::Created, None)?;
    Ok(start::wait(&plan, control, listener, program))
}

fn begin() -> Result<(Plan, OwnedFd)> {
    credentials::set_name(c"caisson-init")?;
    let bytes = memfd::read_all(&descriptor::inherited(fd::PLAN)?)?;
    let plan =
        decode(&bytes).map_err(|error| Problem::refused("ERR_SYSCALL", format!("the plan: {error}")))?;
    Ok((plan, descriptor::inherited(fd::START)?))
}
