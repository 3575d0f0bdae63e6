//! An existing cgroup of a container: reading counters, listing processes, removal. Used by the addon and by the guard.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
#[cfg(feature = "resources")]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::{Error, Result, files, tree};

/// The directories of one container, one per hierarchy. A directory that no longer exists is never an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    pub(crate) directories: Vec<PathBuf>,
    /// Parents that were created for it, deepest first; removed again when they are empty.
    parents: Vec<PathBuf>,
    pub(crate) unified: Option<PathBuf>,
}

impl Cgroup {
    #[cfg(feature = "resources")]
    pub(crate) fn new(directories: Vec<PathBuf>, parents: Vec<PathBuf>, unified: Option<PathBuf>) -> Self {
        Self { directories, parents, unified }
    }

    /// From state.json: the name of the mode and all directories.
    ///
    /// SECURITY: processes listed there are killed and directories removed, so paths other than cgroups are ignored,
    /// and so is the root of a hierarchy.
    pub fn open(mode: &str, directories: &[String]) -> Self {
        let directories: Vec<_> =
            directories.iter().map(PathBuf::from).filter(|directory| may_be_container(directory)).collect();
        let unified = match mode {
            "v2" => directories.first().cloned(),
            "hybrid" => directories.iter().find(|d| d.join("cgroup.events").exists()).cloned(),
            _ => None,
        };
        Self { directories, parents: Vec::new(), unified }
    }

    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Number of OOM kills in this cgroup and below.
    pub fn oom_kill_count(&self) -> u64 {
        self.directories.iter().find_map(|directory| oom_kills(directory)).unwrap_or(0)
    }

    /// Every process in it and in cgroups below it, in every hierarchy.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        for directory in &self.directories {
            let mut failure = None;
            tree::each(directory, |cgroup| match files::read_in(cgroup, "cgroup.procs") {
                Ok(text) => {
                    pids.extend(
                        text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0),
                    );
                }
                // Removed meanwhile, or a threaded cgroup, whose processes are listed in its parent.
                Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => {}
                Err(error) => failure = Some(error),
            });
            if let Some(error) = failure {
                return Err(Error::io("cannot read", &directory.join("cgroup.procs"), &error.into()));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Removes every directory, children first; a failure does not keep the others. A cgroup is busy for a moment while
    /// its last process exits.
    pub fn remove(&self) -> Result<()> {
        let results: Vec<_> = self.directories.iter().map(|directory| remove_tree(directory)).collect();
        for parent in &self.parents {
            let _ = fs::remove_dir(parent); // another container may use it by now; then it is kept
        }
        results.into_iter().collect()
    }
}

/// Whether a path is, or was, a directory below the root of a cgroup hierarchy.
fn may_be_container(directory: &Path) -> bool {
    const CGROUP_SUPER_MAGIC: i64 = 0x27_e0eb;
    const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
    let plain = |part| matches!(part, std::path::Component::RootDir | std::path::Component::Normal(_));
    let is_cgroup = |path: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
            Ok(fd) => caisson_sys::file::filesystem(fd.as_fd())
                .is_ok_and(|magic| matches!(magic, CGROUP_SUPER_MAGIC | CGROUP2_SUPER_MAGIC)),
            Err(errno) => errno == rustix::io::Errno::NOENT,
        }
    };
    directory.is_absolute()
        && directory.components().all(plain)
        && directory.parent().is_some_and(is_cgroup)
        && is_cgroup(directory)
}

/// A descriptor of the directory for CLONE_INTO_CGROUP.
#[cfg(feature = "resources")]
pub(crate) fn handle(directory: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, rustix::fs::Mode::empty()).ok()
}

/// Version 2 counts descendants, too (unless mounted with `memory_localevents`); version 1 each cgroup by itself.
fn oom_kills(directory: &Path) -> Option<u64> {
    if let Some(count) = files::keyed(directory, "memory.events", "oom_kill").filter(|count| *count > 0) {
        return Some(count);
    }
    let mut sum = None;
    tree::each(directory, |cgroup| {
        let own = ["memory.events", "memory.oom_control"]
            .into_iter()
            .find_map(|file| files::value_of(&files::read_in(cgroup, file).ok()?, "oom_kill"));
        if let Some(own) = own {
            sum = Some(sum.unwrap_or(0) + own);
        }
    });
    sum
}

/// Attempts to remove a cgroup in which other processes keep creating new ones.
const PASSES: usize = 1000;

fn remove_tree(directory: &Path) -> Result<()> {
    let mut pause = Duration::from_micros(50);
    for _ in 0..PASSES {
        // The usual case first: no children, no processes.
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && pause < Duration::from_secs(2) => {}
            Err(error) => return Err(in_use(directory, &error)),
        }
        if tree::remove_below(directory) == 0 {
            sleep(pause);
            pause *= 2;
        }
    }
    Err(in_use(directory, &Errno::BUSY.into()))
}

fn in_use(directory: &Path, error: &std::io::Error) -> Error {
    Error::io("cannot remove", directory, error).hint("a process is still in it, or something else uses it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_a_cgroup_is_left_alone() {
        let top = std::env::temp_dir().join(format!("caisson-cgroup-bound-{}", std::process::id()));
        let inner = top.join("inner/most");
        fs::create_dir_all(&inner).unwrap();
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(top.join("inner/cgroup.procs"), sleeper.id().to_string()).unwrap();
        for mode in ["v1", "hybrid", "v2", ""] {
            let path = top.join("inner").display().to_string();
            let cgroup = Cgroup::open(mode, &[path, "/sys/fs/cgroup".into(), "/".into(), "relative".into()]);
            assert_eq!(cgroup.directories(), [] as [PathBuf; 0]);
            cgroup.kill_all().unwrap();
            cgroup.remove().unwrap();
        }
        assert!(inner.exists());
        assert_eq!(sleeper.try_wait().unwrap(), None, "it is alive");
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        fs::remove_dir_all(&top).unwrap();
    }
}
