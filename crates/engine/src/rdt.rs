//! Connects the resctrl crate and the plan.

use caisson_code::{Code, Phase};
use caisson_plan as plan;
use caisson_resctrl as resctrl;

use crate::failure::{Failure, Result};

/// The container's groups. `None`: it asks for none, or resctrl is not mounted, which the plan refuses.
pub fn place(
    mount: Option<&resctrl::Mount>,
    config: &plan::Config,
    id: &str,
) -> Result<Option<resctrl::Placement>> {
    let (Some(mount), Some(rdt)) = (mount, config.intel_rdt()) else { return Ok(None) };
    let request = resctrl::Request {
        id,
        clos_id: rdt.clos_id.as_deref(),
        l3_cache_schema: rdt.l3_cache_schema.as_deref(),
        mem_bw_schema: rdt.mem_bw_schema.as_deref(),
        schemata: rdt.schemata.as_deref().unwrap_or_default(),
        monitoring: rdt.enable_monitoring.unwrap_or(false),
    };
    mount.place(&request).map(Some).map_err(failure)
}

/// The plan's view: the files that the container's process writes itself into.
pub fn tasks(placement: &resctrl::Placement) -> Vec<String> {
    placement.tasks.iter().map(|file| file.display().to_string()).collect()
}

pub fn failure(error: resctrl::Error) -> Failure {
    let (code, phase) = match error.errno {
        Some(_) => (Code::Syscall, Phase::Prepare),
        None => (Code::InvalidSpec, Phase::Validate),
    };
    let issue = (error.property.to_owned(), error.message.clone());
    Failure {
        errno: error.errno.map(caisson_sys::errno_name),
        path: error.path.as_ref().map(|path| path.display().to_string()),
        issues: if error.errno.is_none() { vec![issue] } else { Vec::new() },
        // COMPAT(runc): the beginning of its sentence.
        ..Failure::new(code, phase, format!("unable to apply Intel RDT configuration: {error}"))
    }
}
