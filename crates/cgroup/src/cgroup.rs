//! A container's cgroup that exists: count, read, remove. Used by the addon and by the guard.

use std::fs;
use std::io::ErrorKind;
#[cfg(feature = "resources")]
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::{Error, Result, files};

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
        let count = |directory: &PathBuf| {
            // Version 2 counts what happened below, too; version 1 each cgroup for itself.
            files::keyed(directory, "memory.events", "oom_kill").or_else(|| {
                let own = files::keyed(directory, "memory.oom_control", "oom_kill")?;
                let all = tree(directory);
                let below = all.iter().filter(|child| *child != directory);
                Some(
                    own + below
                        .filter_map(|d| files::keyed(d, "memory.oom_control", "oom_kill"))
                        .sum::<u64>(),
                )
            })
        };
        self.directories.iter().find_map(count).unwrap_or(0)
    }

    /// Every process in it and in cgroups below it, in every hierarchy.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        for directory in self.directories.iter().flat_map(|directory| tree(directory)) {
            let text = match files::read(&directory, "cgroup.procs") {
                Ok(text) => text,
                // Gone meanwhile, or a threaded cgroup, whose processes are listed above it.
                Err(error) if error.is_gone() => continue,
                Err(error) => return Err(error),
            };
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
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
            let _ = fs::remove_dir(parent); // somebody else may have moved in: then it stays
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

/// The directory and all below it, deepest first; empty where it does not exist.
pub(crate) fn tree(directory: &Path) -> Vec<PathBuf> {
    let Ok(children) = fs::read_dir(directory) else { return Vec::new() };
    let mut found: Vec<_> = children
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .flat_map(|entry| tree(&entry.path()))
        .collect();
    found.push(directory.to_path_buf());
    found
}

fn remove_tree(directory: &Path) -> Result<()> {
    // The usual case first: nothing below, nobody in it.
    let mut pause = Duration::from_micros(50);
    loop {
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && pause < Duration::from_secs(2) => {
                for child in tree(directory).iter().filter(|child| child.as_path() != directory) {
                    let _ = fs::remove_dir(child);
                }
                sleep(pause);
                pause *= 2;
            }
            Err(error) => {
                return Err(Error::io("cannot remove", directory, &error)
                    .hint("a process is still in it, or it is used by somebody else"));
            }
        }
    }
}
