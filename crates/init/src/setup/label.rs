//! Labels of security modules: proc_pid_attr(5), always through the private procfs.

use caisson_sys::errno::{EINVAL, ENOENT, EPERM};

use super::Setup;
use crate::failure::{Result, SetupError};

/// Of the program, and of hooks that run before it.
pub fn apparmor_profile(setup: &Setup<'_>, profile: &str) -> Result<()> {
    // The second name is that of Linux before 5.8.
    let files = ["self/attr/apparmor/exec", "self/attr/exec"];
    setup.host.procfs.write_first(&files, &format!("exec {profile}")).map_err(|problem| {
        match problem.errno() {
            ENOENT | EINVAL => problem.hint("the profile must be loaded: apparmor_parser --replace FILE"),
            EPERM => problem.hint("the profile of this process does not allow the change (change_profile)"),
            _ => problem,
        }
    })
}

/// The same for SELinux.
pub fn of_program(setup: &Setup<'_>, label: &str) -> Result<()> {
    setup.host.procfs.write("self/attr/exec", label).map_err(invalid_label)
}

pub fn of_keys(setup: &Setup<'_>, label: &str) -> Result<()> {
    setup.host.procfs.write("self/attr/keycreate", label).map_err(invalid_label)
}

fn invalid_label(problem: SetupError) -> SetupError {
    if problem.errno() == EINVAL {
        return problem.hint("the loaded SELinux policy does not know the label");
    }
    problem
}

/// Whether a file system takes the option `context`; the others have the labels that the policy gives them.
/// COMPAT(runc, crun): mqueue is labelled by the attribute of its root.
pub fn takes_context(fstype: &str) -> bool {
    !matches!(fstype, "proc" | "sysfs" | "mqueue" | "cgroup" | "cgroup2")
}
