//! `linux.netDevices`: devices of the runtime's network namespace that are moved into the container's.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::host::Host;
use crate::issue::{Issues, SpecError};
use crate::object::Object;
use crate::{NamespaceKind, NetDevice};

const AT: &str = "linux.netDevices";
/// IFNAMSIZ with its NUL.
const LONGEST: usize = 15;

pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let devices = of(config);
    if !devices.is_empty() && config.namespace(NamespaceKind::Network).is_none() {
        // COMPAT(runc): its sentence.
        issues.add(AT, "unable to move network devices without a NET namespace");
    }
    let mut seen = BTreeSet::new();
    for NetDevice { outside, inside } in devices {
        let at = format!("{AT}.{outside}");
        if !is_name(&outside) || outside.contains('%') {
            issues.add(
                &at,
                format!("invalid name {outside:?}: expected 1 to {LONGEST} bytes without /, : or space"),
            );
        }
        let template = inside.matches('%').count();
        let fits = template == 0 || template == 1 && inside.contains("%d");
        if inside != outside && (!is_name(&inside) || !fits) {
            let message = format!(
                "invalid name {inside:?}: expected 1 to {LONGEST} bytes without /, : or space, with at most one %d"
            );
            issues.add(format!("{at}.name"), message);
        }
        if template == 0 && !seen.insert(inside.clone()) {
            issues.add(format!("{at}.name"), format!("duplicate name {inside:?}"));
        }
    }
}

/// `dev_valid_name` of the kernel.
fn is_name(name: &str) -> bool {
    let is_excluded = |byte: u8| matches!(byte, b'/' | b':' | b' ' | b'\t'..=b'\r' | 0xa0 | 0);
    !name.is_empty() && name.len() <= LONGEST && name != "." && name != ".." && !name.bytes().any(is_excluded)
}

/// In the order of their names.
pub(crate) fn of(config: &Config) -> Vec<NetDevice> {
    let devices = config.linux.net_devices.iter().flatten();
    let device = |(outside, device): (&String, &Object<crate::document::NetDevice>)| {
        let inside = device.name.as_ref().filter(|name| !name.is_empty()).unwrap_or(outside);
        NetDevice { outside: outside.clone(), inside: inside.clone() }
    };
    devices.map(device).collect()
}

/// # Errors An ordinary user, who has no rights over the devices of its network namespace.
pub(crate) fn decide(config: &Config, host: &Host) -> Result<Vec<NetDevice>, SpecError> {
    let devices = of(config);
    if !devices.is_empty() && host.euid != 0 {
        // COMPAT(runc): its sentence.
        let mut error = SpecError::invalid(AT, "network devices are not supported for rootless containers");
        error.unsupported = true;
        return Err(error);
    }
    Ok(devices)
}
