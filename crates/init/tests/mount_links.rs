//! `copy-symlink`, `src-nofollow`, `dest-nofollow`: links as they are, and never over one that another process swaps.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use caisson_code::Code;
use caisson_flags::MountFlags;
use caisson_plan::Mount;
use caisson_plan::protocol::Report;
use support::plans::{Parts, bind};
use support::{Bundle, Helper, shell};

fn with(bundle: &Bundle, mount: Mount) -> caisson_plan::Plan {
    let mut parts = Parts::new(&["/bin/true"]);
    parts.mounts.push(Mount { index: 6, ..mount });
    parts.plan(bundle)
}

/// A link to a file of the host, and the file.
fn source(bundle: &Bundle) -> (String, String) {
    let (file, link) = (bundle.top.join("secret"), bundle.top.join("link"));
    fs::write(&file, "of the host").unwrap();
    symlink(&file, &link).unwrap();
    (file.display().to_string(), link.display().to_string())
}

fn at(source: &str, inside: &str) -> Mount {
    bind(source, inside, MountFlags::empty())
}

#[test]
fn a_link_is_copied_and_anything_else_is_mounted() {
    privileged!();
    let bundle = Bundle::new();
    let (file, link) = source(&bundle);
    let copy = |source: &str, inside: &str| Mount { copy_symlink: true, ..at(source, inside) };
    let script = "readlink /deep/er/link; grep -c /deep/er/link /proc/self/mountinfo || true";
    assert_eq!(shell(&bundle, &with(&bundle, copy(&link, "/deep/er/link")), script), format!("{file}\n0\n"));
    // The same link again.
    assert_eq!(shell(&bundle, &with(&bundle, copy(&link, "/deep/er/link")), script), format!("{file}\n0\n"));
    assert_eq!(shell(&bundle, &with(&bundle, copy(&file, "/data")), "cat /data"), "of the host");
}

#[test]
fn another_file_at_the_place_of_a_copied_link_is_an_error() {
    privileged!();
    let bundle = Bundle::new();
    let (_, link) = source(&bundle);
    symlink("/elsewhere", bundle.root().join("other")).unwrap();
    fs::write(bundle.root().join("file"), "kept").unwrap();
    for inside in ["/other", "/file", "/etc"] {
        let mount = Mount { copy_symlink: true, ..at(&link, inside) };
        let failure = Helper::spawn(&bundle, &with(&bundle, mount)).failed();
        assert!(failure.message.starts_with(&format!("mount {inside:?}: another file has")), "{failure:?}");
    }
    assert_eq!(fs::read_to_string(bundle.root().join("file")).unwrap(), "kept");
}

#[test]
fn a_source_that_is_a_link_is_bound_itself() {
    privileged!();
    let bundle = Bundle::new();
    let (file, link) = source(&bundle);
    let followed = shell(&bundle, &with(&bundle, at(&link, "/data")), "cat /data");
    assert_eq!(followed, "of the host");
    let mount = Mount { source_nofollow: true, ..at(&link, "/view") };
    // The target of the link is a path of the container now, which has no such file.
    let script = "readlink /view; cat /view 2>/dev/null || echo dangling";
    assert_eq!(shell(&bundle, &with(&bundle, mount), script), format!("{file}\ndangling\n"));
}

#[test]
fn a_destination_that_is_a_link_is_covered_itself() {
    privileged!();
    let bundle = Bundle::new();
    let (file, _) = source(&bundle);
    fs::write(bundle.root().join("target"), "of the image").unwrap();
    symlink("target", bundle.root().join("place")).unwrap();
    let mount = Mount { destination_nofollow: true, ..at(&file, "/place") };
    assert_eq!(shell(&bundle, &with(&bundle, mount), "cat /place /target"), "of the hostof the image");
    assert_eq!(shell(&bundle, &with(&bundle, at(&file, "/place")), "cat /target"), "of the host");
    // It must be there, must be of the same kind, and must not be the kernel's.
    for (inside, reason) in [
        ("/missing", "ENOENT"),
        ("/etc", "must both be directories, or neither"),
        ("/proc/self/exe", "is inside /proc"),
        ("/sys/kernel/notes", "override of the mount destination"),
    ] {
        let mount = Mount { destination_nofollow: true, ..at(&file, inside) };
        let failure = Helper::spawn(&bundle, &with(&bundle, mount)).failed();
        assert!(failure.message.contains(reason), "{failure:?}");
    }
}

#[test]
fn a_link_is_put_on_a_link() {
    privileged!();
    let bundle = Bundle::new();
    let (file, link) = source(&bundle);
    symlink("/etc", bundle.root().join("place")).unwrap();
    let mount = Mount { source_nofollow: true, destination_nofollow: true, ..at(&link, "/place") };
    assert_eq!(shell(&bundle, &with(&bundle, mount), "readlink /place"), format!("{file}\n"));
}

/// Exchanges two names without a pause, until it is dropped.
struct Swapper {
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapper {
    /// By descriptor of the directory: the swapper itself must not follow what another one swaps.
    fn new(directory: &Path, first: &'static str, second: &'static str) -> Self {
        let directory = fs::File::open(directory).unwrap();
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let _ = rustix::fs::renameat_with(&directory, first, &directory, second, flags);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// SECURITY: CVE-2021-30465: a process that shares the root swaps the destination, and a directory above it, for links
/// to the host while containers are made. The canary outside is never covered, written or read.
#[test]
fn swapped_destinations_lead_nowhere_outside() {
    privileged!();
    let bundle = Bundle::new();
    let (file, link) = source(&bundle);
    let outside = bundle.top.join("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["place", "copied"] {
        fs::write(outside.join(name), "canary").unwrap();
    }
    let root = bundle.root();
    fs::create_dir(root.join("deep")).unwrap();
    fs::write(root.join("deep/place"), "of the image").unwrap();
    // An absolute link, as the host sees it, and one that climbs.
    symlink(&outside, root.join("evil")).unwrap();
    symlink(format!("../../../../../..{}", outside.join("place").display()), root.join("deep/evil")).unwrap();
    let _below = Swapper::new(&root.join("deep"), "place", "evil");
    let _above = Swapper::new(&root, "deep", "evil");
    let mut made = 0;
    for round in 0..60 {
        let mount = match round % 3 {
            0 => Mount { destination_nofollow: true, ..at(&file, "/deep/place") },
            1 => Mount { source_nofollow: true, ..at(&link, "/deep/place") },
            _ => Mount { copy_symlink: true, ..at(&link, "/deep/copied") },
        };
        let mut helper = Helper::spawn(&bundle, &with(&bundle, mount));
        // Made or refused, as the race has it. A mount outside would have gone with the old root.
        if let Some(Report::Created) = helper.report()
            && round % 3 < 2
        {
            let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", helper.pid)).unwrap();
            let bound = |line: &str| {
                line.split(' ')
                    .nth(3)
                    .is_some_and(|root| root.ends_with("/secret") || root.ends_with("/link"))
            };
            assert_eq!(mounts.lines().filter(|line| bound(line)).count(), 1, "{mounts}");
            made += 1;
        }
    }
    assert!(made > 0);
    assert_eq!(names(&outside), ["copied", "place"]);
    for name in ["place", "copied"] {
        assert!(!outside.join(name).is_symlink());
        assert_eq!(fs::read_to_string(outside.join(name)).unwrap(), "canary");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_link_to_the_root_is_no_mount_point_and_a_remount_changes_what_was_mounted_here_alone() {
    privileged!();
    let bundle = Bundle::new();
    let host = bundle.top.join("host");
    fs::create_dir(&host).unwrap();
    symlink("/", bundle.root().join("top")).unwrap();
    symlink("/bound", bundle.root().join("link")).unwrap();
    let tmpfs =
        |inside: &str, flags| Mount { fstype: "tmpfs".into(), bind: None, flags, ..at("tmpfs", inside) };
    let failure = Helper::spawn(&bundle, &with(&bundle, tmpfs("/top", MountFlags::empty()))).failed();
    assert_eq!(failure.code, Code::UnsafePath, "{failure:?}");
    let readonly = MountFlags::REMOUNT | MountFlags::RDONLY;
    for inside in ["/top", "/link", "/"] {
        let mut parts = Parts::new(&["/bin/true"]);
        parts.mounts.push(at(&host.display().to_string(), "/bound"));
        parts.mounts.push(tmpfs(inside, readonly));
        let failure = Helper::spawn(&bundle, &parts.plan(&bundle)).failed();
        assert_eq!(failure.code, Code::UnsafePath, "{inside}: {failure:?}");
    }
    // The canary: the file system of both is writable still.
    fs::write(host.join("canary"), "").unwrap();
}
