//! The ids and capabilities the program runs with. The order is capabilities(7)'s: what needs a right comes before the
//! right is given up.

use caisson_plan::{Process, show_capabilities};
use caisson_sys::capability::{self, Sets};
use caisson_sys::{credentials, errno};

use crate::control::Control;
use crate::failure::{Problem, Result};

/// Becomes the process's user with its capabilities. What the kernel does not know or does not grant is a warning.
pub fn assume(process: &Process, control: &Control) -> Result<()> {
    let wanted = &process.capabilities;
    let bounding = match capability::limit_bounding(wanted.bounding) {
        Err(error) if error.errno() == errno::EPERM => {
            control.warn(format!("process.capabilities.bounding: the set cannot be limited: {error}"));
            wanted.bounding
        }
        other => other?,
    };
    if process.uid != 0 {
        credentials::keep_capabilities(true)?;
    }
    let unmapped = "the id must be mapped in the container's user namespace";
    if process.setgroups {
        credentials::set_groups(&process.additional_gids)
            .map_err(|error| explain(error, unmapped, "additionalGids"))?;
    }
    credentials::set_gid(process.gid).map_err(|error| explain(error, unmapped, "gid"))?;
    credentials::set_uid(process.uid).map_err(|error| explain(error, unmapped, "uid"))?;
    set_capabilities(process, bounding, control)
}

fn explain(error: caisson_sys::Error, hint: &str, field: &str) -> Problem {
    let invalid = error.errno() == errno::EINVAL;
    let problem = Problem::from(error).about(&format!("process.user.{field}"));
    if invalid { problem.hint(hint) } else { problem }
}

fn set_capabilities(process: &Process, bounding: u64, control: &Control) -> Result<()> {
    let wanted = &process.capabilities;
    let have = capability::get()?;
    let permitted = wanted.permitted & have.permitted;
    let sets = Sets {
        permitted,
        effective: wanted.effective & permitted,
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
    let missing = [
        ("bounding", wanted.bounding & !bounding),
        ("permitted", wanted.permitted & !sets.permitted),
        ("effective", wanted.effective & !sets.effective),
        ("inheritable", wanted.inheritable & !sets.inheritable),
        // COMPAT(runc): what is not inheritable cannot be ambient, and its default configuration asks for that.
        ("ambient", wanted.ambient & wanted.inheritable & wanted.permitted & !ambient),
    ];
    for (set, mask) in missing {
        if mask != 0 {
            control.warn(format!("process.capabilities.{set}: not granted: {}", show_capabilities(mask)));
        }
    }
    Ok(())
}
