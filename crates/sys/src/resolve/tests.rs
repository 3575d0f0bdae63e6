//! Every test has a canary outside the root that must stay as it is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;

/// A root beside a canary directory, gone with the value.
struct Ground {
    top: PathBuf,
}

impl Ground {
    fn new(name: &str) -> Self {
        let top = std::env::temp_dir().join(format!("caisson-resolve-{name}-{}", std::process::id()));
        fs::create_dir_all(top.join("root")).unwrap();
        fs::create_dir_all(top.join("outside")).unwrap();
        Self { top }
    }
    fn root(&self) -> PathBuf {
        self.top.join("root")
    }
    fn open(&self) -> OwnedFd {
        fs::File::open(self.root()).unwrap().into()
    }
    fn canary_is_untouched(&self) -> bool {
        fs::read_dir(self.top.join("outside")).unwrap().count() == 0
            && fs::read_dir(&self.top).unwrap().count() == 2
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

fn same(fd: &OwnedFd, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (ours, theirs) = (file::status(fd.as_fd()).unwrap(), fs::symlink_metadata(path).unwrap());
    (ours.device, ours.inode) == (theirs.dev(), theirs.ino())
}

#[test]
fn absolute_links_and_dot_dot_stay_below_the_root() {
    let ground = Ground::new("stay");
    fs::create_dir(ground.root().join("etc")).unwrap();
    symlink("/etc", ground.root().join("a")).unwrap();
    symlink("../../../../etc", ground.root().join("b")).unwrap();
    let root = ground.open();
    for path in ["/a", "b", "/../../etc", "/etc/../../etc"] {
        let fd = open_in_root(root.as_fd(), path, libc::O_PATH).unwrap();
        assert!(same(&fd, &ground.root().join("etc")), "{path}");
    }
}

#[test]
fn magic_links_are_refused() {
    let root = file::open_at(file::CWD, "/", libc::O_PATH, 0).unwrap();
    let error = open_in_root(root.as_fd(), "/proc/self/cwd", libc::O_PATH).unwrap_err();
    assert_eq!(error.errno(), libc::ELOOP);
}

#[test]
fn directories_are_made_through_a_dangling_link() {
    let ground = Ground::new("dangling");
    fs::create_dir(ground.root().join("var")).unwrap();
    symlink("/run/deep", ground.root().join("var/run")).unwrap();
    let made = make_directories(ground.open().as_fd(), "/var/run/lock/x", 0o755).unwrap();
    assert!(same(&made, &ground.root().join("run/deep/lock/x")));
    assert!(ground.canary_is_untouched());
}

#[test]
fn links_to_the_outside_make_nothing_there() {
    let ground = Ground::new("outside");
    let outside = ground.top.join("outside");
    symlink(&outside, ground.root().join("absolute")).unwrap();
    symlink("../outside", ground.root().join("relative")).unwrap();
    let root = ground.open();
    let relative = make_directories(root.as_fd(), "/relative/x", 0o755).unwrap();
    assert!(same(&relative, &ground.root().join("outside/x")));
    let inside = ground.root().join(outside.strip_prefix("/").unwrap());
    assert!(same(&make_directories(root.as_fd(), "/absolute/x", 0o755).unwrap(), &inside.join("x")));
    assert!(same(&make_file(root.as_fd(), "/absolute/y/file", 0o644).unwrap(), &inside.join("y/file")));
    assert!(ground.canary_is_untouched());
}

#[test]
fn a_link_to_a_file_that_is_missing_makes_that_file_inside() {
    let ground = Ground::new("file");
    symlink("../../outside/target", ground.root().join("link")).unwrap();
    let made = make_file(ground.open().as_fd(), "/link", 0o600).unwrap();
    assert!(same(&made, &ground.root().join("outside/target")));
    assert!(ground.canary_is_untouched());
}

#[test]
fn link_loops_end() {
    let ground = Ground::new("loop");
    symlink("b", ground.root().join("a")).unwrap();
    symlink("a/x", ground.root().join("b")).unwrap();
    let root = ground.open();
    assert_eq!(make_directories(root.as_fd(), "/a/y", 0o755).unwrap_err().errno(), libc::ELOOP);
    assert_eq!(make_file(root.as_fd(), "/a", 0o644).unwrap_err().errno(), libc::ELOOP);
}

#[test]
fn a_file_in_the_way_is_not_a_directory() {
    let ground = Ground::new("way");
    fs::write(ground.root().join("file"), "").unwrap();
    let root = ground.open();
    assert_eq!(make_directories(root.as_fd(), "/file/x", 0o755).unwrap_err().errno(), libc::ENOTDIR);
    assert_eq!(make_directories(root.as_fd(), "/file", 0o755).unwrap_err().errno(), libc::ENOTDIR);
}

#[test]
fn the_parent_of_the_root_itself_does_not_exist() {
    let ground = Ground::new("parent");
    let root = ground.open();
    for path in ["/", "", "/a/..", "/."] {
        assert_eq!(make_parent(root.as_fd(), path).unwrap_err().errno(), libc::EINVAL, "{path}");
    }
    let (parent, name) = make_parent(root.as_fd(), "/dev/pts/").unwrap();
    assert!(same(&parent, &ground.root().join("dev")));
    assert_eq!(name, "pts");
}

/// Another thread swaps a directory for a link to the outside all the time; nothing may ever appear there.
#[test]
fn a_swapped_directory_never_leads_outside() {
    let ground = Ground::new("swap");
    let (real, decoy) = (ground.root().join("d"), ground.root().join("e"));
    fs::create_dir(&real).unwrap();
    symlink("../outside", &decoy).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = rustix::fs::renameat_with(
                    file::CWD,
                    &real,
                    file::CWD,
                    &decoy,
                    rustix::fs::RenameFlags::EXCHANGE,
                );
            }
        });
        let root = ground.open();
        for round in 0..500 {
            // Failing is allowed, going astray is not.
            let _ = make_directories(root.as_fd(), &format!("/d/x{round}/y"), 0o755);
            let _ = make_file(root.as_fd(), &format!("/d/f{round}"), 0o644);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(ground.canary_is_untouched());
}
