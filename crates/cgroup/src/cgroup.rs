//! A container's cgroup that exists: freeze, kill, count, remove. Used by the addon and by the guard.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::{Error, Result, files};

/// The directories of one container, one per hierarchy. Directories that are gone are no error anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    directories: Vec<PathBuf>,
    /// Parents that were made for it, deepest first; removed again when they are empty.
    parents: Vec<PathBuf>,
    unified: Option<PathBuf>,
}

impl Cgroup {
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

    /// The version 2 directory, for CLONE_INTO_CGROUP.
    pub fn unified_fd(&self) -> Option<OwnedFd> {
        let directory = self.unified.as_ref()?;
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(directory, flags, rustix::fs::Mode::empty()).ok()
    }

    /// Moves a process into the version 2 directory, for kernels (or sandboxes) without CLONE_INTO_CGROUP.
    pub fn join_unified(&self, pid: i32) -> Result<()> {
        self.unified
            .as_ref()
            .map_or(Ok(()), |directory| files::write(directory, "cgroup.procs", &pid.to_string()))
    }

    /// Kills of the out-of-memory killer in this cgroup so far.
    pub fn oom_kill_count(&self) -> u64 {
        let count = |directory: &PathBuf| {
            files::keyed(directory, "memory.events", "oom_kill")
                .or_else(|| files::keyed(directory, "memory.oom_control", "oom_kill"))
        };
        self.directories.iter().find_map(count).unwrap_or(0)
    }

    pub fn is_frozen(&self) -> bool {
        self.directories.iter().any(|directory| {
            files::keyed(directory, "cgroup.events", "frozen") == Some(1)
                || files::read(directory, "freezer.state")
                    .is_ok_and(|state| matches!(state.trim(), "FROZEN" | "FREEZING"))
        })
    }

    /// Every process in it and in cgroups below it.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let Some(directory) = self.directories.iter().find(|directory| directory.exists()) else {
            return Ok(Vec::new());
        };
        let mut pids = Vec::new();
        for child in tree(directory) {
            let text = files::read(&child, "cgroup.procs").unwrap_or_default();
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
        }
        Ok(pids)
    }

    /// Kills every process at once: by `cgroup.kill` (version 2, Linux 5.14; a hybrid host has it too), else frozen so
    /// that nothing can fork away meanwhile.
    pub fn kill_all(&self) -> Result<()> {
        if self.directories.iter().any(|directory| files::write(directory, "cgroup.kill", "1").is_ok()) {
            return self.thaw_v1();
        }
        let freezer = self.directories.iter().find(|directory| directory.join("freezer.state").exists());
        if let Some(freezer) = freezer {
            let _ = files::write(freezer, "freezer.state", "FROZEN");
        }
        for pid in self.processes()? {
            if let Ok(process) = caisson_sys::pidfd::open(pid) {
                let _ = caisson_sys::pidfd::send_signal(&process, 9);
            }
        }
        self.thaw_v1()
    }

    /// A killed process of a frozen version 1 cgroup dies only when it is thawed; nested ones too.
    fn thaw_v1(&self) -> Result<()> {
        for directory in self.directories.iter().filter(|directory| directory.join("freezer.state").exists())
        {
            for child in tree(directory) {
                if files::read(&child, "freezer.state").is_ok_and(|state| state.trim() != "THAWED") {
                    files::write(&child, "freezer.state", "THAWED")?;
                }
            }
        }
        Ok(())
    }

    /// Removes every directory, children first. A cgroup whose last process is just leaving is busy for a moment.
    pub fn remove(&self) -> Result<()> {
        for directory in &self.directories {
            remove_tree(directory)?;
        }
        for parent in &self.parents {
            let _ = fs::remove_dir(parent); // somebody else may have moved in: then it stays
        }
        Ok(())
    }
}

/// The directory and all below it, deepest first.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let children = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = children
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
