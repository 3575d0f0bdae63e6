//! The classic ways: the same results where the newer mount calls do not exist. strace takes them away.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use caisson_flags::MountFlags;
use caisson_plan::{Mount, Operation};
use caisson_sys::mount;
use support::plans::{Parts, bind, filesystem};
use support::{Bundle, shell};

/// Set for a test that runs under strace.
const INNER: &str = "CAISSON_TEST_INNER";

/// Runs the body where these calls do not exist: this program is started again for the one test, under strace.
fn without(calls: &str, test: &str, body: impl FnOnce()) {
    if std::env::var_os(INNER).is_some() {
        return body();
    }
    if let Some(reason) = support::unable() {
        return support::skip(reason);
    }
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return support::skip("needs strace");
    }
    let log = std::env::temp_dir().join(format!("caisson-strace-{}-{test}", std::process::id()));
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", log.to_str().unwrap()])
        .args(["-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error=ENOSYS")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(INNER, "1")
        .output()
        .unwrap();
    let traced = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let tried = traced.contains("ENOSYS (Function not implemented) (INJECTED)");
    assert!(tried, "the calls were not even tried: {traced}");
}

#[test]
fn mounts_without_the_mount_api_of_linux_5_2() {
    without(
        "open_tree,fsopen,move_mount,mount_setattr",
        "mounts_without_the_mount_api_of_linux_5_2",
        mounts_in_the_classic_way,
    );
}

#[test]
fn mounts_without_mount_setattr() {
    without("mount_setattr", "mounts_without_mount_setattr", mounts_in_the_classic_way);
}

#[test]
fn descriptors_without_close_range() {
    without("close_range", "descriptors_without_close_range", only_the_streams_are_open);
}

fn mounts_in_the_classic_way() {
    let bundle = Bundle::new();
    let links = bundle.top.join("links");
    fs::create_dir(&links).unwrap();
    mount::mount("tmpfs", links.to_str().unwrap(), "tmpfs", MountFlags::NOSYMFOLLOW, "").unwrap();
    let data = bundle.top.join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "bound").unwrap();
    let mut parts = Parts::new(&[]);
    parts.mounts.push(bind(data.to_str().unwrap(), "/data", MountFlags::RDONLY | MountFlags::NOSUID));
    parts.mounts.push(filesystem("/ro", "tmpfs", MountFlags::RDONLY, ""));
    parts.mounts.push(bind(links.to_str().unwrap(), "/links", MountFlags::empty()));
    parts.after_pivot.push(Operation::RemountReadonly { inside: "/links".into() });
    parts.mounts.push(Mount {
        propagation: vec![MountFlags::SHARED],
        ..filesystem("/shared", "tmpfs", MountFlags::empty(), "")
    });
    parts.after_pivot.push(Operation::Sysctl { key: "kernel/msgmax".into(), value: "9000".into() });
    let script = "cat /data/file; echo; cat /proc/sys/kernel/msgmax; cat /proc/self/mountinfo";
    let output = shell(&bundle, &parts.plan(&bundle), script);
    mount::detach(links.to_str().unwrap()).unwrap();
    assert!(output.starts_with("bound\n9000\n"), "{output}");
    let options = |point: &str| {
        let line = output.lines().rfind(|line| line.split(' ').nth(4) == Some(point));
        line.unwrap_or_else(|| panic!("{point}: {output}")).split(' ').skip(5).collect::<Vec<_>>().join(" ")
    };
    assert!(options("/").starts_with("ro,"), "{output}");
    assert!(options("/data").starts_with("ro,nosuid"), "{output}");
    assert!(options("/ro").starts_with("ro,"), "{output}");
    assert!(options("/links").starts_with("ro,") && options("/links").contains("nosymfollow"), "{output}");
    assert!(options("/shared").contains("shared:"), "{output}");
    assert!(options("/sys").starts_with("ro,nosuid,nodev,noexec"), "{output}");
    assert!(options("/proc/sys").starts_with("ro,"), "{output}");
    assert!(options("/proc/keys").contains("tmpfs"), "{output}");
}

fn only_the_streams_are_open() {
    let bundle = Bundle::new();
    let output = shell(&bundle, &Parts::new(&[]).plan(&bundle), "echo /proc/self/fd/*");
    assert_eq!(output, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
}
