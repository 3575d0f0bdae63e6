//! An ordinary user's container: one id, no help from anybody. As root the tests run themselves as another user.

mod support;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use caisson_plan::{IdMapping, Operation, Plan, UserNamespace};
use caisson_sys::credentials::effective_uid;
use caisson_sys::mount::flag;
use caisson_sys::namespace::NEW_USER;
use caisson_sys::pidfd::Exit;
use support::plans::{Parts, bind};
use support::{Bundle, Helper};

/// An id that nobody has.
const USER: u32 = 54_321;

/// Set for a test that runs as the ordinary user.
const INNER: &str = "CAISSON_TEST_INNER";

/// Runs the body as an ordinary user: root starts this program again for the one test.
fn as_user(test: &str, body: impl FnOnce()) {
    if effective_uid() != 0 || std::env::var_os(INNER).is_some() {
        return body();
    }
    if let Some(reason) = support::unable() {
        return support::skip(reason);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.uid(USER).gid(USER).current_dir("/").env(INNER, "1").args(["--exact", test, "--nocapture"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return support::skip(&format!("another user cannot run this test program: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(reason) = text.lines().find_map(|line| line.strip_prefix("SKIPPED: ")) {
        return support::skip(reason);
    }
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn single_id(bundle: &Bundle, script: &str) -> Plan {
    let mut parts = Parts::new(&["/bin/sh", "-c", script]);
    parts.before_pivot.iter_mut().for_each(|operation| {
        if let Operation::Device(device) = operation {
            device.bind = true;
        }
    });
    for mount in &mut parts.mounts {
        mount.data = mount.data.replace(",gid=5", "");
    }
    parts.process.as_mut().unwrap().setgroups = false;
    let map = |host_id| vec![IdMapping { container_id: 0, host_id, size: 1 }];
    let uid = effective_uid();
    let mut plan = parts.plan(bundle);
    plan.clone_flags |= NEW_USER;
    plan.user_namespace = Some(UserNamespace { uid_mappings: map(uid), gid_mappings: map(uid) });
    plan
}

fn run(bundle: &Bundle, plan: &Plan) -> Option<String> {
    let Ok(mut helper) = Helper::try_spawn(bundle, plan, &[]) else {
        support::skip("user namespaces are denied here");
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
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    assert_eq!(helper.wait(), Exit::Code(0), "{output}");
    Some(output)
}

/// Effective group id: that of our own files.
fn effective_gid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().gid()
}

#[test]
fn the_default_configuration_runs_with_one_id() {
    as_user("the_default_configuration_runs_with_one_id", default_configuration);
}

fn default_configuration() {
    let bundle = Bundle::new();
    let script = "id -u; id -g; echo x > /dev/null; hostname; grep -E 'CapEff|NoNew' /proc/self/status; grep ' / / ' /proc/self/mountinfo | wc -l; stat -c %t:%T /dev/zero";
    if let Some(output) = run(&bundle, &single_id(&bundle, script)) {
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines[..3], ["0", "0", "runc"], "{output}");
        assert_eq!(lines[3..5], ["CapEff:\t0000000020000420", "NoNewPrivs:\t1"], "{output}");
        assert_eq!(*lines.last().unwrap(), "1:5");
    }
}

#[test]
fn locked_flags_of_a_source_stay() {
    as_user("locked_flags_of_a_source_stay", locked_flags);
}

fn locked_flags() {
    let bundle = Bundle::new();
    // Somebody else's mount with flags that are locked in a user namespace.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let source = mounts.lines().find_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        (fields[3].contains("nodev") && fs::read_dir(fields[1]).is_ok()).then(|| fields[1].to_owned())
    });
    let Some(source) = source else { return support::skip("no mount with nodev here") };
    let mut plan = single_id(&bundle, "grep ' /data ' /proc/self/mountinfo");
    let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_))).unwrap();
    plan.setup.insert(place, Operation::Mount(bind(&source, "/data", flag::RDONLY)));
    if let Some(output) = run(&bundle, &plan) {
        assert!(output.contains("ro,") && output.contains("nodev"), "{output}");
    }
}
