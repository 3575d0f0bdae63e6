//! Plans with a new user namespace that maps a range of ids, and the maps as the addon writes them.

use std::fs;
use std::process::Command;

use caisson_flags::Namespaces;
use caisson_plan::{IdMapping, Operation, Plan, UserNamespace};
use caisson_sys::pidfd::Exit;

use super::plans::{Parts, set_args};
use super::{Bundle, Helper};

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

/// Output of a script as the program of a plan, with a user namespace or without one.
pub fn run(bundle: &Bundle, plan: Plan, script: &str) -> String {
    let plan = with_script(plan, script);
    let mut helper = Helper::spawn(bundle, &plan);
    if plan.user_namespace.is_some() {
        write_maps(helper.pid);
        helper.proceed();
    }
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    assert_eq!(helper.wait(), Exit::Code(0), "{output}");
    output
}
