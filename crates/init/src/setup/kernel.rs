//! Settings of the kernel for a namespace or for this process.

use caisson_sys::errno::{EACCES, EINVAL, ENOENT, EPERM};
use caisson_sys::process;

use super::Setup;
use crate::failure::{Result, SetupError};

/// `key` with slashes, below `/proc/sys`.
pub fn sysctl(setup: &Setup<'_>, key: &str, value: &str) -> Result<()> {
    setup.host.procfs.write(&format!("sys/{key}"), value).map_err(|problem| match problem.errno() {
        ENOENT => problem.hint("unknown to this kernel, or not in this namespace"),
        EACCES | EPERM => problem.hint("the setting belongs to a namespace that the container does not own"),
        EINVAL => problem.hint("the kernel does not take this value"),
        _ => problem,
    })
}

/// A limit that is right already (the caller, who may more, may have set it) is left alone.
pub fn limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    match process::set_limit(resource, soft, hard) {
        Err(error) if error.errno() == EPERM => {
            if process::limit(resource)? == (soft, hard) {
                return Ok(());
            }
            Err(SetupError::from(error).hint("raising a hard limit needs CAP_SYS_RESOURCE on the host"))
        }
        other => Ok(other?),
    }
}

/// Lowering needs a right on the host; the caller may have done it already.
pub fn oom_score(setup: &Setup<'_>, score: i32) -> Result<()> {
    const FILE: &str = "self/oom_score_adj";
    setup.host.procfs.write(FILE, &score.to_string()).or_else(|problem| {
        if setup.host.procfs.read(FILE, 64).is_ok_and(|now| now.trim() == score.to_string()) {
            return Ok(());
        }
        Err(problem.hint("lowering the score needs CAP_SYS_RESOURCE on the host"))
    })
}
