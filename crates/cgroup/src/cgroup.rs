//! A container's cgroup that exists: count, read, remove. Used by the addon and by the guard.

use std::fs;
use std::io::ErrorKind;
#[cfg(feature = "resources")]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::io::Errno;

use crate::{Error, Result, files, tree};

/// The directories of one container, one per hierarchy. Directories that are gone are no error anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    pub(crate) directories: Vec<PathBuf>,
    /// Parents that were made for it, deepest first; removed again when they are empty.
    parents: Vec<PathBuf>,
    pub(crate) unified: Option<PathBuf>,
}

impl Cgroup {
    #[cfg(feature = "resources")]
    pub(crate) fn new(directories: Vec<PathBuf>, parents: Vec<PathBuf>, unified: Option<PathBuf>) -> Self {
        Self { directories, parents, unified }
    }

    /// From state.json: the mode's name and all directories.
    pub fn open(mode: &str, directories: &[String]) -> Self {
        let directories: Vec<_> = directories.iter().map(PathBuf::from).collect();
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

    /// Kills of the out-of-memory killer in this cgroup and below it so far.
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
                // Gone meanwhile, or a threaded cgroup, whose processes are listed above it.
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

    /// Removes every directory, children first; what cannot be removed does not keep the others. A cgroup whose last
    /// process is just leaving is busy for a moment.
    pub fn remove(&self) -> Result<()> {
        let results: Vec<_> = self.directories.iter().map(|directory| remove_tree(directory)).collect();
        for parent in &self.parents {
            let _ = fs::remove_dir(parent); // another container may use it by now: then it stays
        }
        results.into_iter().collect()
    }
}

/// A handle of the directory for CLONE_INTO_CGROUP.
#[cfg(feature = "resources")]
pub(crate) fn handle(directory: &Path) -> Option<OwnedFd> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, rustix::fs::Mode::empty()).ok()
}

/// Version 2 counts what happened below, too (unless mounted with `memory_localevents`); version 1 each cgroup for itself.
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

/// How often a cgroup that others keep making new ones in is tried.
const PASSES: usize = 1000;

fn remove_tree(directory: &Path) -> Result<()> {
    let mut pause = Duration::from_micros(50);
    for _ in 0..PASSES {
        // The usual case first: nothing below, no process in it.
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
