//! The ids and capabilities the program runs with. The order is capabilities(7)'s: what needs a right comes before the
//! right is given up.

use caisson_plan::{Capabilities, User, show_capabilities};
use caisson_sys::capability::{self, Sets};
use caisson_sys::{credentials, errno};

use crate::control::Control;
use crate::failure::{Result, SetupError};

/// Limits the bounding set; what it has then. What the kernel does not know or does not grant is a warning.
pub fn limit_bounding(mask: u64, control: &Control) -> Result<u64> {
    let bounding = match capability::limit_bounding(mask) {
        Err(error) if error.errno() == errno::EPERM => {
            control.warn(format!("process.capabilities.bounding: the set cannot be limited: {error}"));
            mask
        }
        other => other?,
    };
    warn_missing("bounding", mask & !bounding, control);
    Ok(bounding)
}

/// Changes the ids; the permitted capabilities survive that.
/// `keeps_groups`: none can be dropped, and none has to be.
pub fn become_user(user: &User, keeps_groups: bool) -> Result<()> {
    if user.uid != 0 {
        credentials::keep_capabilities(true)?;
    }
    let unmapped = "the id must be mapped in the container's user namespace";
    if user.setgroups && !(keeps_groups && user.additional_gids.is_empty()) {
        credentials::set_groups(&user.additional_gids)
            .map_err(|error| explain(error, unmapped, "additionalGids"))?;
    }
    credentials::set_gid(user.gid).map_err(|error| explain(error, unmapped, "gid"))?;
    credentials::set_uid(user.uid).map_err(|error| explain(error, unmapped, "uid"))
}

fn explain(error: caisson_sys::Error, hint: &str, field: &str) -> SetupError {
    let invalid = error.errno() == errno::EINVAL;
    let problem = SetupError::from(error).about(&format!("process.user.{field}"));
    if invalid { problem.hint(hint) } else { problem }
}

/// Sets the four sets beside the bounding one.
pub fn set(wanted: &Capabilities, bounding: u64, control: &Control) -> Result<()> {
    let have = capability::get()?;
    let permitted = wanted.permitted & have.permitted;
    let until_exec = until_exec(wanted.until_exec, have.permitted)?;
    let sets = Sets {
        permitted: permitted | until_exec,
        effective: wanted.effective & permitted | until_exec,
        inheritable: wanted.inheritable & (have.inheritable | have.permitted & bounding),
    };
    capability::set(sets)?;
    capability::clear_ambient()?;
    let mut ambient = 0;
    for number in (0..64).filter(|number| wanted.ambient >> number & 1 == 1) {
        if capability::raise_ambient(number).is_ok() {
            ambient |= 1 << number;
        }
    }
    warn_missing("permitted", wanted.permitted & !permitted, control);
    warn_missing("effective", wanted.effective & !permitted, control);
    warn_missing("inheritable", wanted.inheritable & !sets.inheritable, control);
    // COMPAT(runc): what is not inheritable cannot be ambient, and its default configuration asks for that.
    warn_missing("ambient", wanted.ambient & wanted.inheritable & wanted.permitted & !ambient, control);
    Ok(())
}

/// SECURITY: under no_new_privs, the caller's or the configuration's, execve(2) leaves what is permitted now, and a
/// filter needs no capability.
fn until_exec(wanted: u64, have: u64) -> Result<u64> {
    let wanted = if credentials::has_no_new_privileges() { 0 } else { wanted };
    if wanted & !have == 0 {
        return Ok(wanted);
    }
    let reason = format!("loading a filter needs {} or process.noNewPrivileges", show_capabilities(wanted));
    let hint = "process.noNewPrivileges: true needs no capability";
    Err(SetupError::from(caisson_sys::Error::new("seccomp", "SECCOMP_SET_MODE_FILTER", errno::EACCES))
        .message(format!("linux.seccomp: {reason}"))
        .hint(hint))
}

fn warn_missing(set: &str, mask: u64, control: &Control) {
    if mask != 0 {
        control.warn(format!("process.capabilities.{set}: not granted: {}", show_capabilities(mask)));
    }
}
