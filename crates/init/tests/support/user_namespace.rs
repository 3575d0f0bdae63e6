//! Plans with a new user namespace that maps a range of ids, and the maps as the addon writes them.

use std::fs;
use std::process::Command;

use caisson_flags::Namespaces;
use caisson_plan::{IdMapping, Operation, Plan, UserNamespace};

use super::Bundle;
use super::plans::{Parts, set_args};

pub const FIRST_ID: u32 = 200_000;

pub fn mapped() -> UserNamespace {
    let map = vec![IdMapping { container_id: 0, host_id: FIRST_ID, size: 65536 }];
    UserNamespace { uid_mappings: map.clone(), gid_mappings: map }
}

/// What the addon does for a new user namespace.
pub fn write_maps(pid: i32) {
    for file in ["gid_map", "uid_map"] {
        fs::write(format!("/proc/{pid}/{file}"), format!("0 {FIRST_ID} 65536\n")).unwrap();
    }
}

/// The default configuration in a user namespace: devices are bound.
pub fn in_user_namespace(bundle: &Bundle, args: &[&str]) -> Plan {
    let mut parts = Parts::new(args);
    for operation in &mut parts.before_pivot {
        if let Operation::Device(device) = operation {
            device.origin = caisson_plan::DeviceOrigin::Host;
        }
    }
    let mut plan = parts.plan(bundle);
    plan.clone_flags |= Namespaces::USER;
    plan.user_namespace = Some(mapped());
    own(bundle);
    plan
}

/// The root file system belongs to the container's root.
pub fn own(bundle: &Bundle) {
    let status =
        Command::new("chown").args(["-R", &FIRST_ID.to_string()]).arg(bundle.root()).status().unwrap();
    assert!(status.success());
}

pub fn with_script(mut plan: Plan, script: &str) -> Plan {
    set_args(&mut plan, &["/bin/sh", "-c", script]);
    plan
}
