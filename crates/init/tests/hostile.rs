//! Root file systems that try to lead us astray. A canary outside must stay as it is.

mod support;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use caisson_code::{Code, Phase};
use caisson_flags::MountFlags;
use caisson_plan::protocol::{Failure, Report};
use caisson_plan::{Device, Operation};
use caisson_sys::device::make_node;
use caisson_sys::file::Kind;
use support::plans::{Parts, bind, default_plan, device, filesystem, masks};
use support::{Bundle, Helper, shell};

/// A directory of the host beside the bundle's root, and what it must still look like afterwards.
struct Canary(PathBuf);

impl Canary {
    fn new(bundle: &Bundle) -> Self {
        let path = bundle.top.join("canary");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "untouched").unwrap();
        Self(path)
    }
    fn check(&self) {
        let names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
        assert_eq!(fs::read_to_string(self.0.join("file")).unwrap(), "untouched");
        let metadata = fs::metadata(self.0.join("file")).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (0, 0o644));
    }
}

/// The default configuration without a tmpfs on /dev: the image's own.
fn with_the_images_dev(args: &[&str]) -> Parts {
    let mut parts = Parts::new(args);
    parts.mounts.retain(|mount| !mount.inside.starts_with("/dev"));
    parts
}

fn failed(bundle: &Bundle, parts: Parts) -> Failure {
    Helper::spawn(bundle, &parts.plan(bundle)).failed()
}

#[test]
fn another_kind_of_file_in_place_of_a_device_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    let dev = fs::File::open(bundle.root().join("dev")).unwrap();
    let zero = bundle.root().join("dev/zero");
    let refused = |found: &str| {
        let failure = failed(&bundle, with_the_images_dev(&["true"]));
        let expected = format!("device \"/dev/zero\": another kind of file has this path already ({found})");
        assert_eq!((failure.code, failure.message), (Code::UnsafePath, expected));
        fs::remove_file(&zero).unwrap();
    };
    fs::write(&zero, "").unwrap();
    refused("RegularFile");
    make_node(dev.as_fd(), "zero", Kind::CharacterDevice, 0o600, (1, 7)).unwrap();
    refused("device 1:7");
    make_node(dev.as_fd(), "zero", Kind::BlockDevice, 0o600, (1, 5)).unwrap();
    refused("device 1:5");
    symlink("null", &zero).unwrap();
    refused("Symlink");
    make_node(dev.as_fd(), "zero", Kind::CharacterDevice, 0o600, (1, 5)).unwrap();
    shell(&bundle, &with_the_images_dev(&[]).plan(&bundle), "true");
}

#[test]
fn a_dev_that_is_a_link_leads_nowhere_outside() {
    privileged!();
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle);
    fs::remove_dir(bundle.root().join("dev")).unwrap();
    symlink("../canary", bundle.root().join("dev")).unwrap();
    // CVE-2026-41579: what is made lies inside, where the link leads to there.
    let output = shell(&bundle, &with_the_images_dev(&[]).plan(&bundle), "ls /canary");
    assert!(output.contains("null") && output.contains("stdin"), "{output}");
    canary.check();
}

#[test]
fn a_null_device_that_is_something_else_masks_nothing() {
    privileged!();
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle);
    // CVE-2025-31133: /dev/null as a link to a file that the container would then write through the mask.
    for target in ["/proc/sys/kernel/core_pattern", "../canary/file"] {
        let mut parts = Parts::new(&["true"]);
        let link = Operation::Symlink { inside: "/dev/null".into(), target: target.into(), replace: true };
        parts.before_pivot.push(link);
        let failure = failed(&bundle, parts);
        assert_eq!(failure.code, Code::UnsafePath);
        assert_eq!(
            failure.message,
            "linux.maskedPaths \"/proc/keys\": the container's /dev/null is not the null device"
        );
    }
    canary.check();
}

#[test]
fn stdio_is_not_replaced_by_what_poses_as_the_null_device() {
    privileged!();
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle);
    let mut parts = Parts::new(&[]);
    parts.after_pivot.retain(|operation| !matches!(operation, Operation::MaskPath { .. }));
    parts.before_pivot.push(Operation::Symlink {
        inside: "/dev/null".into(),
        target: "../canary/file".into(),
        replace: true,
    });
    parts.process.as_mut().unwrap().uid = 1000;
    // CVE-2026-88265: stdin was the host's null device, and that it stays.
    assert_eq!(shell(&bundle, &parts.plan(&bundle), "stat -L -c %t:%T /proc/self/fd/0"), "1:3\n");
    canary.check();
}

#[test]
fn a_device_is_given_away_by_what_it_is_not_by_its_name() {
    privileged!();
    let bundle = Bundle::new();
    let owned = Device { uid: 7, gid: 8, mode: 0o640, ..device("/dev/sub/owned", 1, 3) };
    let mut parts = Parts::new(&[]);
    parts.before_pivot.push(Operation::Device(owned));
    assert_eq!(shell(&bundle, &parts.plan(&bundle), "stat -c '%u:%g %a' /dev/sub/owned"), "7:8 640\n");
}

#[test]
fn a_fake_proc_of_the_image_gets_no_settings() {
    privileged!();
    let bundle = Bundle::new();
    // CVE-2019-19921, CVE-2025-52881: without a procfs mounted, /proc is the image's directory.
    fs::create_dir_all(bundle.root().join("proc/sys/kernel")).unwrap();
    fs::write(bundle.root().join("proc/sys/kernel/msgmax"), "fake").unwrap();
    let mut parts = Parts::new(&["/bin/cat", "/proc/sys/kernel/msgmax"]);
    parts.mounts.retain(|mount| mount.fstype != "proc");
    parts.after_pivot.retain(|operation| !masks().contains(operation));
    parts.after_pivot.push(Operation::Sysctl { key: "kernel/msgmax".into(), value: "9000".into() });
    let (output, _) = Helper::spawn(&bundle, &parts.plan(&bundle)).finish();
    assert_eq!(output, "fake");
}

/// Another process swaps a directory of a shared volume for a link to the outside while containers are made
/// (CVE-2021-30465, CVE-2024-45310). A create may fail; nothing may ever be mounted or made outside.
#[test]
fn a_swapped_mount_point_never_leads_outside() {
    privileged!();
    let bundle = Bundle::new();
    let canary = Canary::new(&bundle);
    let volume = bundle.top.join("volume");
    fs::create_dir_all(volume.join("real")).unwrap();
    symlink("/../../canary", volume.join("decoy")).unwrap();
    let swapper =
        Command::new("python3").args(["-c", SWAPPER, volume.to_str().unwrap()]).stdin(Stdio::null()).spawn();
    let Ok(mut swapper) = swapper else { return support::skip("needs python3") };
    let mut finished = 0;
    for _ in 0..20 {
        let mut parts = Parts::new(&["/bin/true"]);
        parts.mounts.push(bind(volume.to_str().unwrap(), "/volume", MountFlags::empty()));
        parts.mounts.push(filesystem("/volume/real/new", "tmpfs", MountFlags::empty(), ""));
        parts.before_pivot.push(Operation::Device(device("/volume/real/null", 1, 3)));
        let link =
            Operation::Symlink { inside: "/volume/real/link".into(), target: "x".into(), replace: true };
        parts.before_pivot.push(link);
        let mut helper = Helper::spawn(&bundle, &parts.plan(&bundle));
        if matches!(helper.report(), Some(Report::Created)) {
            finished += 1;
        }
        drop(helper);
        for directory in ["real", "decoy"] {
            for name in ["null", "link"] {
                let _ = fs::remove_file(volume.join(directory).join(name));
            }
        }
        canary.check();
    }
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    assert!(finished > 0, "not one container was made");
}

const SWAPPER: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None)
a, b = (os.path.join(sys.argv[1], name).encode() for name in ('real', 'decoy'))
while True:
    libc.renameat2(-100, a, -100, b, 2) # RENAME_EXCHANGE
";

#[test]
fn an_over_mounted_proc_file_is_not_written_through() {
    privileged!();
    let bundle = Bundle::new();
    fs::write(bundle.top.join("decoy"), "decoy").unwrap();
    let mut parts = Parts::new(&["/bin/true"]);
    parts.mounts.push(bind(
        bundle.top.join("decoy").to_str().unwrap(),
        "/proc/sys/kernel/ns_last_pid",
        MountFlags::empty(),
    ));
    parts.after_pivot.push(Operation::Sysctl { key: "kernel/ns_last_pid".into(), value: "77".into() });
    let mut helper = Helper::spawn(&bundle, &parts.plan(&bundle));
    helper.created();
    assert_eq!(fs::read_to_string(bundle.top.join("decoy")).unwrap(), "decoy");
}

#[test]
fn the_helper_cannot_be_overwritten_from_inside() {
    privileged!();
    let bundle = Bundle::new();
    // CVE-2019-5736: a program that is its own interpreter.
    fs::write(bundle.root().join("bin/evil"), "#!/proc/self/exe\n").unwrap();
    let mut permissions = fs::metadata(bundle.root().join("bin/evil")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(bundle.root().join("bin/evil"), permissions).unwrap();
    let mut helper = Helper::spawn(&bundle, &default_plan(&bundle, &["evil"]));
    helper.created();
    // Either the kernel refuses the loop, or the helper is run once more, without the descriptors that it needs.
    match helper.start() {
        Ok(()) => assert_eq!(helper.wait(), caisson_sys::pidfd::Exit::Code(1)),
        Err(failure) => assert_eq!(failure.phase, Phase::Start),
    }
}

#[test]
fn a_read_only_root_keeps_the_flags_of_its_mount() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&[]);
    parts.mounts.push(bind("/tmp", "/bound", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC));
    parts.after_pivot.push(Operation::RemountReadonly { inside: "/bound".into() });
    let output = shell(&bundle, &parts.plan(&bundle), "grep ' /bound ' /proc/self/mountinfo");
    assert!(output.contains(" ro,nosuid,nodev,noexec"), "{output}");
}
