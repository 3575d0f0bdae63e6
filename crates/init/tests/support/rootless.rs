//! Plans of an ordinary user with one id. As root a test runs itself again as another user.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use caisson_flags::Namespaces;
use caisson_plan::{IdMapping, Operation, Plan, UserNamespace};
use caisson_sys::credentials::effective_uid;
use caisson_sys::pidfd::Exit;

use super::plans::Parts;
use super::{Bundle, Helper};

/// An id without a user.
pub const USER: u32 = 54_321;

/// Set for a test that runs as the ordinary user.
pub const INNER: &str = "CAISSON_TEST_INNER";

/// Runs the body as an ordinary user: root starts this program again for the one test.
pub fn as_user(test: &str, body: impl FnOnce()) {
    if effective_uid() != 0 || std::env::var_os(INNER).is_some() {
        return body();
    }
    if let Some(reason) = super::unable() {
        return super::skip(reason);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.uid(USER).gid(USER).current_dir("/").env(INNER, "1").args(["--exact", test, "--nocapture"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return super::skip(&format!("another user cannot run this test program: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(reason) = text.lines().find_map(|line| line.strip_prefix("SKIPPED: ")) {
        return super::skip(reason);
    }
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

pub fn single_id(bundle: &Bundle, script: &str) -> Plan {
    let mut parts = Parts::new(&["/bin/sh", "-c", script]);
    parts.before_pivot.iter_mut().for_each(|operation| {
        if let Operation::Device(device) = operation {
            device.origin = caisson_plan::DeviceOrigin::Host;
        }
    });
    for mount in &mut parts.mounts {
        mount.data = mount.data.replace(",gid=5", "");
    }
    parts.process.as_mut().unwrap().setgroups = false;
    let map = |host_id| vec![IdMapping { container_id: 0, host_id, size: 1 }];
    let uid = effective_uid();
    let mut plan = parts.plan(bundle);
    plan.clone_flags |= Namespaces::USER;
    plan.user_namespace = Some(UserNamespace { uid_mappings: map(uid), gid_mappings: map(uid) });
    plan
}

/// A helper whose maps are written.
pub fn spawn(bundle: &Bundle, plan: &Plan) -> Option<Helper> {
    let Ok(helper) = Helper::try_spawn(bundle, plan, &[]) else {
        super::skip("user namespaces are denied here");
        return None;
    };
    let (uid, gid) = (effective_uid(), effective_gid());
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("gid_map", format!("0 {gid} 1\n")),
        ("uid_map", format!("0 {uid} 1\n")),
    ] {
        fs::write(format!("/proc/{}/{file}", helper.pid), text).unwrap();
    }
    helper.proceed();
    Some(helper)
}

pub fn run(bundle: &Bundle, plan: &Plan) -> Option<String> {
    let mut helper = spawn(bundle, plan)?;
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    assert_eq!(helper.wait(), Exit::Code(0), "{output}");
    Some(output)
}

/// Effective group id: that of our own files.
pub fn effective_gid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().gid()
}
