//! What root of a new user namespace cannot make and has all the same: devices that the host lacks, a sysfs of the
//! host's network.

mod support;

use std::fs;

use caisson_flags::Namespaces;
use caisson_plan::{Device, DeviceOrigin, Operation, Plan};
use support::plans::device;
use support::user_namespace::{self, in_user_namespace, write_maps};
use support::{Bundle, Helper};

fn with(mut plan: Plan, device: Device) -> Plan {
    let place = plan.setup.iter().rposition(|operation| matches!(operation, Operation::Device(_))).unwrap();
    plan.setup.insert(place + 1, Operation::Device(device));
    plan
}

#[test]
fn a_device_that_the_host_lacks_is_made_before() {
    privileged!();
    let bundle = Bundle::new();
    assert!(!std::path::Path::new("/dev/caisson-zero").exists());
    let wanted = Device {
        mode: 0o640,
        uid: 0,
        gid: 5,
        origin: DeviceOrigin::Caller,
        ..device("/dev/caisson-zero", 1, 5)
    };
    let plan = with(in_user_namespace(&bundle, &[]), wanted);
    let script =
        "stat -c '%a %u:%g %t:%T' /dev/caisson-zero; busybox head -c 4 /dev/caisson-zero | busybox wc -c";
    assert_eq!(user_namespace::run(&bundle, plan, script), "640 0:5 1:5\n4\n");
    assert!(!std::path::Path::new("/dev/caisson-zero").exists());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(" devices "), "{mounts}");
}

#[test]
fn an_owner_that_is_not_mapped_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    let wanted = Device { uid: 70_000, origin: DeviceOrigin::Caller, ..device("/dev/x", 1, 5) };
    let mut helper = Helper::spawn(&bundle, &with(in_user_namespace(&bundle, &["true"]), wanted));
    write_maps(helper.pid);
    helper.proceed();
    let failure = helper.failed();
    assert_eq!(failure.message, "device \"/dev/x\": uid 70000 is not mapped in the user namespace");
}

#[test]
fn a_sysfs_of_the_hosts_network_is_a_read_only_view() {
    privileged!();
    let bundle = Bundle::new();
    let host_network = |host_bind: Option<&str>| {
        let mut plan = in_user_namespace(&bundle, &[]);
        plan.clone_flags &= !Namespaces::NETWORK;
        plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
        for operation in &mut plan.setup {
            if let Operation::Mount(mount) = operation
                && mount.fstype == "sysfs"
            {
                mount.host_bind = host_bind.map(str::to_owned);
            }
        }
        plan
    };
    let mut helper = Helper::spawn(&bundle, &host_network(None));
    write_maps(helper.pid);
    helper.proceed();
    assert!(helper.failed().message.contains("EPERM"));
    let script = "ls -d /sys/kernel; cat /proc/self/mountinfo";
    let output = user_namespace::run(&bundle, host_network(Some("/sys")), script);
    assert!(output.starts_with("/sys/kernel\n"), "{output}");
    let of_sys = |point: &str| point == "/sys" || point.starts_with("/sys/") && point != "/sys/firmware"; // masked
    let below = output.lines().filter(|line| line.split(' ').nth(4).is_some_and(of_sys));
    let flags: Vec<_> = below.map(|line| line.split(' ').nth(5).unwrap().to_owned()).collect();
    assert!(!flags.is_empty());
    assert!(flags.iter().all(|flags| flags.starts_with("ro,") && flags.contains("nosuid")), "{output}");
}
