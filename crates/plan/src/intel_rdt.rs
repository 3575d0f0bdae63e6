//! `linux.intelRdt`: what the names and lines must be. What the host has decides about the rest.

use crate::Operation;
use crate::config::Config;
use crate::host::Host;
use crate::issue::{Issues, SpecError};

const AT: &str = "linux.intelRdt";
/// Directories of resctrl that are not groups.
const RESERVED: [&str; 5] = [".", "..", "info", "mon_data", "mon_groups"];

pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let Some(rdt) = &config.linux.intel_rdt else { return };
    let name = rdt.clos_id.as_deref().filter(|name| !matches!(*name, "" | "/"));
    if name
        .is_some_and(|name| RESERVED.contains(&name) || name.contains(['/', '\n', '\0']) || name.len() > 255)
    {
        // COMPAT(runc): its sentence.
        issues.add(format!("{AT}.closID"), format!("invalid intelRdt.ClosID {:?}", name.unwrap_or_default()));
    }
    let is_line = |line: &str| !line.contains(['\n', '\0']);
    if rdt.l3_cache_schema.as_deref().is_some_and(|line| !is_line(line)) {
        issues.add(format!("{AT}.l3CacheSchema"), "must be one line");
    }
    if rdt.mem_bw_schema.as_deref().is_some_and(|line| !is_line(line) || !line.starts_with("MB:")) {
        issues.add(format!("{AT}.memBwSchema"), "must be one line that starts with MB:");
    }
    for (index, _) in rdt.schemata.iter().flatten().enumerate().filter(|(_, line)| !is_line(line)) {
        issues.add(format!("{AT}.schemata[{index}]"), "must be one line");
    }
}

/// # Errors A host without a mounted resctrl file system.
pub(crate) fn operations(config: &Config, host: &Host) -> Result<Vec<Operation>, SpecError> {
    if config.linux.intel_rdt.is_none() {
        return Ok(Vec::new());
    }
    let Some(tasks) = &host.resctrl_tasks else {
        // COMPAT(runc): its sentence.
        let mut error =
            SpecError::invalid(AT, "intelRdt is specified in config, but Intel RDT is not enabled");
        error.unsupported = true;
        return Err(error);
    };
    Ok(tasks.iter().map(|file| Operation::JoinResctrl { host_tasks_file: file.clone() }).collect())
}
