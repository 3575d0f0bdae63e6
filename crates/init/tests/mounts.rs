//! Mounts other than the default ones: binds, flags, tmpfs modes, and what is refused.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use caisson_code::{Code, Phase};
use caisson_flags::{MountAttributes, MountFlags};
use caisson_plan::{Mount, Operation};
use support::plans::{Parts, bind, filesystem};
use support::{Bundle, Helper, shell};

/// A plan with one more mount, at index 6.
fn with(bundle: &Bundle, mount: Mount) -> caisson_plan::Plan {
    let mut parts = Parts::new(&["/bin/true"]);
    parts.mounts.push(Mount { index: 6, ..mount });
    parts.plan(bundle)
}

fn options(output: &str, point: &str) -> String {
    let line = output
        .lines()
        .rfind(|line| line.split(' ').nth(4) == Some(point))
        .unwrap_or_else(|| panic!("{output}"));
    line.split(' ').nth(5).unwrap().to_owned()
}

const MOUNTS: &str = "cat /proc/self/mountinfo";

#[test]
fn a_bind_makes_its_mount_point_and_gets_its_flags() {
    privileged!();
    let bundle = Bundle::new();
    let source = bundle.top.join("data");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    let plan = with(
        &bundle,
        bind(source.to_str().unwrap(), "/deep/er/data", MountFlags::RDONLY | MountFlags::NODEV),
    );
    let output = shell(&bundle, &plan, &format!("cat /deep/er/data/file; echo; {MOUNTS}"));
    assert!(output.starts_with("content\n"), "{output}");
    assert!(options(&output, "/deep/er/data").starts_with("ro,nodev"), "{output}");
}

#[test]
fn a_file_is_bound_on_a_file() {
    privileged!();
    let bundle = Bundle::new();
    fs::write(bundle.top.join("hosts"), "127.0.0.1 localhost\n").unwrap();
    let plan =
        with(&bundle, bind(bundle.top.join("hosts").to_str().unwrap(), "/etc/hosts", MountFlags::empty()));
    assert_eq!(shell(&bundle, &plan, "cat /etc/hosts"), "127.0.0.1 localhost\n");
}

#[test]
fn a_bind_of_a_missing_source_names_its_mount() {
    privileged!();
    let bundle = Bundle::new();
    let failure =
        Helper::spawn(&bundle, &with(&bundle, bind("/no/such/source", "/data", MountFlags::empty())))
            .failed();
    assert!(
        failure.message.starts_with("mount \"/data\": openat(AT_FDCWD, \"/no/such/source\""),
        "{failure:?}"
    );
    assert_eq!((failure.phase, failure.path.as_deref()), (Phase::Setup, Some("/no/such/source")));
}

#[test]
fn an_unknown_type_is_named_with_a_hint() {
    privileged!();
    let bundle = Bundle::new();
    let failure =
        Helper::spawn(&bundle, &with(&bundle, filesystem("/x", "nosuchfs", MountFlags::empty(), "")))
            .failed();
    assert_eq!(failure.syscall.as_deref(), Some("fsopen"));
    assert!(failure.message.contains("ENODEV"), "{failure:?}");
    assert!(failure.hint.unwrap().contains("/proc/filesystems"));
}

#[test]
fn what_the_kernel_logs_about_an_option_is_told() {
    privileged!();
    let bundle = Bundle::new();
    let failure =
        Helper::spawn(&bundle, &with(&bundle, filesystem("/x", "tmpfs", MountFlags::empty(), "nosuch=1")))
            .failed();
    assert!(failure.message.contains("tmpfs: Unknown parameter 'nosuch'"), "{failure:?}");
}

#[test]
fn a_tmpfs_has_the_mode_of_the_directory_it_covers() {
    privileged!();
    let bundle = Bundle::new();
    fs::set_permissions(bundle.root().join("tmp"), fs::Permissions::from_mode(0o1751)).unwrap();
    let plan = with(&bundle, filesystem("/tmp", "tmpfs", MountFlags::empty(), ""));
    assert_eq!(shell(&bundle, &plan, "stat -c %a /tmp"), "1751\n");
    let plan = with(&bundle, filesystem("/tmp", "tmpfs", MountFlags::empty(), "mode=700"));
    assert_eq!(shell(&bundle, &plan, "stat -c %a /tmp"), "700\n");
}

#[test]
fn a_read_only_tmpfs_still_gets_the_mount_points_below_it() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&[]);
    parts.mounts[1].flags |= MountFlags::RDONLY; // /dev, with all its devices
    parts.mounts.push(filesystem("/run", "tmpfs", MountFlags::RDONLY, ""));
    parts.mounts.push(filesystem("/run/lock", "tmpfs", MountFlags::empty(), ""));
    let output = shell(&bundle, &parts.plan(&bundle), MOUNTS);
    assert!(options(&output, "/dev").starts_with("ro,"), "{output}");
    assert!(options(&output, "/run").starts_with("ro,"), "{output}");
    assert!(options(&output, "/run/lock").starts_with("rw,"), "{output}");
}

#[test]
fn tmpcopyup_brings_what_the_image_has() {
    privileged!();
    let bundle = Bundle::new();
    let etc = bundle.root().join("etc");
    fs::create_dir(etc.join("sub")).unwrap();
    fs::write(etc.join("sub/file"), "kept").unwrap();
    fs::set_permissions(etc.join("sub/file"), fs::Permissions::from_mode(0o4640)).unwrap();
    symlink("sub/file", etc.join("link")).unwrap();
    let mount = Mount { tmpcopyup: true, ..filesystem("/etc", "tmpfs", MountFlags::RDONLY, "") };
    let output = shell(
        &bundle,
        &with(&bundle, mount),
        &format!("cat /etc/link; echo; stat -c %a /etc/sub/file; {MOUNTS}"),
    );
    assert!(output.starts_with("kept\n4640\n"), "{output}");
    assert!(options(&output, "/etc").starts_with("ro,"), "{output}");
}

#[test]
fn recursive_attributes_reach_the_mounts_below() {
    privileged!();
    let bundle = Bundle::new();
    let mount = Mount {
        recursive_set: MountAttributes::RDONLY | MountAttributes::NOATIME,
        ..bind("/sys", "/hostsys", MountFlags::empty())
    };
    let output = shell(&bundle, &with(&bundle, mount), MOUNTS);
    assert!(options(&output, "/hostsys").contains("ro,"), "{output}");
    assert!(options(&output, "/hostsys").contains("noatime"), "{output}");
    assert!(options(&output, "/hostsys/fs/cgroup").starts_with("ro,"), "{output}");
}

#[test]
fn propagation_is_set_in_order() {
    privileged!();
    let bundle = Bundle::new();
    let mount = Mount {
        propagation: vec![MountFlags::PRIVATE | MountFlags::REC, MountFlags::SHARED],
        ..filesystem("/s", "tmpfs", MountFlags::empty(), "")
    };
    let output = shell(&bundle, &with(&bundle, mount), "grep ' /s ' /proc/self/mountinfo");
    assert!(output.contains(" shared:"), "{output}");
}

#[test]
fn options_too_long_for_fsconfig_go_the_classic_way() {
    privileged!();
    let bundle = Bundle::new();
    let mut lower = vec![];
    for index in 0..12 {
        let layer = bundle.top.join(format!("layer-with-a-rather-long-name-{index}"));
        fs::create_dir(&layer).unwrap();
        fs::write(layer.join(format!("file{index}")), "").unwrap();
        lower.push(layer.display().to_string());
    }
    let data = format!("lowerdir={}", lower.join(":"));
    assert!(data.len() > 256);
    let plan = with(&bundle, filesystem("/all", "overlay", MountFlags::RDONLY, &data));
    let output = shell(&bundle, &plan, &format!("echo /all/*; {MOUNTS}"));
    assert_eq!(output.lines().next().unwrap().split(' ').count(), 12, "{output}");
    assert!(options(&output, "/all").starts_with("ro,"), "{output}");
}

#[test]
fn links_in_place_of_proc_and_sys_are_refused() {
    privileged!();
    for name in ["proc", "sys"] {
        let bundle = Bundle::new();
        fs::remove_dir(bundle.root().join(name)).unwrap();
        symlink("/tmp", bundle.root().join(name)).unwrap();
        let failure =
            Helper::spawn(&bundle, &with(&bundle, filesystem("/x", "tmpfs", MountFlags::empty(), "")))
                .failed();
        assert_eq!(failure.code, Code::UnsafePath);
        assert!(failure.message.contains("must be mounted on ordinary directory"), "{failure:?}");
    }
}

#[test]
fn nothing_but_a_procfs_goes_on_proc_and_little_below_it() {
    privileged!();
    let bundle = Bundle::new();
    let refused = |mount: Mount, text: &str| {
        let failure = Helper::spawn(&bundle, &with(&bundle, mount)).failed();
        assert!(failure.message.contains(text), "{failure:?}");
    };
    refused(filesystem("/proc", "tmpfs", MountFlags::empty(), ""), "is not of type proc");
    refused(bind("/etc", "/tmp/../proc", MountFlags::empty()), "is not of type proc");
    refused(filesystem("/proc/self", "tmpfs", MountFlags::empty(), ""), "is inside /proc");
    refused(filesystem("/", "tmpfs", MountFlags::empty(), ""), "cannot cover the root");
    symlink("proc/sys", bundle.root().join("sneaky")).unwrap();
    refused(filesystem("/sneaky", "tmpfs", MountFlags::empty(), ""), "is inside /proc");

    fs::write(bundle.top.join("meminfo"), "mine").unwrap();
    let plan = with(
        &bundle,
        bind(bundle.top.join("meminfo").to_str().unwrap(), "/proc/meminfo", MountFlags::empty()),
    );
    assert_eq!(shell(&bundle, &plan, "cat /proc/meminfo"), "mine");
}

#[test]
fn links_of_the_image_lead_nowhere_outside() {
    privileged!();
    let bundle = Bundle::new();
    let canary = bundle.top.join("canary");
    fs::create_dir(&canary).unwrap();
    symlink(&canary, bundle.root().join("absolute")).unwrap();
    symlink("../canary", bundle.root().join("relative")).unwrap();
    let mut parts = Parts::new(&[]);
    parts.mounts.push(filesystem("/absolute/x", "tmpfs", MountFlags::empty(), ""));
    parts.mounts.push(filesystem("/relative/x", "tmpfs", MountFlags::empty(), ""));
    parts.before_pivot.push(Operation::Symlink {
        inside: "/relative/link".into(),
        target: "x".into(),
        replace: true,
    });
    let output = shell(&bundle, &parts.plan(&bundle), MOUNTS);
    assert!(output.contains(" /canary/x "), "{output}");
    assert_eq!(fs::read_dir(&canary).unwrap().count(), 0);
}

#[test]
fn without_pivot_root_the_host_is_out_of_reach_too() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&[]);
    parts.pivot = false;
    let output = shell(&bundle, &parts.plan(&bundle), &format!("{MOUNTS}; echo /*"));
    let points: Vec<_> = output.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert!(points.contains(&"/proc") && points.contains(&"/dev/pts"), "{output}");
    assert!(output.ends_with("/bin /dev /etc /proc /sys /tmp\n"), "{output}");
}

#[test]
fn nothing_is_left_in_the_hosts_mounts() {
    privileged!();
    for pivot in [true, false] {
        let bundle = Bundle::new();
        let parts = Parts { pivot, ..Parts::new(&[]) };
        shell(&bundle, &parts.plan(&bundle), "true");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(bundle.top.to_str().unwrap()), "{mounts}");
        assert!(mounts.contains(" /proc ") && mounts.contains(" /sys "), "{mounts}");
    }
}

#[test]
fn a_remount_changes_what_is_mounted_already() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&[]);
    parts.mounts.push(filesystem("/tmp", "tmpfs", MountFlags::empty(), "size=1m"));
    let again = MountFlags::REMOUNT | MountFlags::RDONLY;
    parts.mounts.push(Mount { index: 7, ..filesystem("/tmp", "tmpfs", again, "size=2m") });
    let source = bundle.top.join("data");
    fs::create_dir(&source).unwrap();
    parts.mounts.push(bind(source.to_str().unwrap(), "/etc", MountFlags::empty()));
    parts.mounts.push(bind(source.to_str().unwrap(), "/etc", again | MountFlags::NOEXEC));
    let output = shell(&bundle, &parts.plan(&bundle), MOUNTS);
    let lines = |point: &str| -> Vec<&str> {
        output.lines().filter(|line| line.split(' ').nth(4) == Some(point)).collect()
    };
    assert_eq!((lines("/tmp").len(), lines("/etc").len()), (1, 1), "{output}");
    assert!(
        options(&output, "/tmp").starts_with("ro,") && lines("/tmp")[0].contains("size=2048k"),
        "{output}"
    );
    assert!(options(&output, "/etc").starts_with("ro,noexec"), "{output}");
}

#[test]
fn a_remount_of_what_is_no_mount_is_explained() {
    privileged!();
    let bundle = Bundle::new();
    let plan = with(&bundle, filesystem("/tmp", "tmpfs", MountFlags::REMOUNT, ""));
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert!(failure.message.starts_with("mount \"/tmp\": no earlier mount has put"), "{failure:?}");
}
