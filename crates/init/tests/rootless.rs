//! An ordinary user's container: one id, no helper programs. As root the tests run themselves as another user.

mod support;

use std::fs;

use caisson_flags::MountFlags;
use caisson_plan::Operation;
use support::Bundle;
use support::plans::bind;
use support::rootless::{as_user, run, single_id};

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
    // A mount of the host with flags that are locked in a user namespace.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let source = mounts.lines().find_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        (fields[3].contains("nodev") && fs::read_dir(fields[1]).is_ok()).then(|| fields[1].to_owned())
    });
    let Some(source) = source else { return support::skip("no mount with nodev here") };
    let mut plan = single_id(&bundle, "grep ' /data ' /proc/self/mountinfo");
    let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_))).unwrap();
    plan.setup.insert(place, Operation::Mount(bind(&source, "/data", MountFlags::RDONLY)));
    if let Some(output) = run(&bundle, &plan) {
        assert!(output.contains("ro,") && output.contains("nodev"), "{output}");
    }
}

#[test]
fn a_source_that_is_locked_read_only_stays_so() {
    as_user("a_source_that_is_locked_read_only_stays_so", locked_read_only);
}

/// podman asks for `rw` on every volume.
fn locked_read_only() {
    let bundle = Bundle::new();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let source = mounts.lines().find_map(|line| {
        let fields: Vec<_> = line.split(' ').collect();
        (fields[3].split(',').any(|option| option == "ro") && fs::read_dir(fields[1]).is_ok())
            .then(|| fields[1].to_owned())
    });
    let Some(source) = source else { return support::skip("no read-only mount here") };
    let mut plan = single_id(&bundle, "grep ' /data ' /proc/self/mountinfo");
    let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_))).unwrap();
    let mount =
        caisson_plan::Mount { cleared: MountFlags::RDONLY, ..bind(&source, "/data", MountFlags::empty()) };
    plan.setup.insert(place, Operation::Mount(mount));
    if let Some(output) = run(&bundle, &plan) {
        assert!(output.contains(" ro,") || output.contains(" ro "), "{output}");
    }
}

#[test]
fn time_offsets_are_set_in_a_user_namespace() {
    as_user("time_offsets_are_set_in_a_user_namespace", time_offsets);
}

fn time_offsets() {
    let bundle = Bundle::new();
    let mut plan = single_id(&bundle, "cat /proc/uptime");
    plan.time_namespace =
        Some(caisson_plan::TimeOffsets { monotonic: None, boottime: Some((1_000_000_000, 0)) });
    if let Some(output) = run(&bundle, &plan) {
        assert!(output.split(' ').next().unwrap().parse::<f64>().unwrap() > 1e9, "{output}");
    }
}
