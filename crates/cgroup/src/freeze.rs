//! Freezes, thaws and kills all processes of a cgroup.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Cgroup, Error, Host, Result, files, tree};

/// Time limit for freezing: a process in uninterruptible sleep does not freeze.
const FREEZING: Duration = Duration::from_secs(2);

impl Cgroup {
    /// Whether its processes are frozen, or about to be.
    pub fn is_frozen(&self) -> bool {
        self.directories.iter().any(|directory| {
            files::keyed(directory, "cgroup.events", "frozen") == Some(1)
                || files::read(directory, "freezer.state")
                    .is_ok_and(|state| matches!(state.trim(), "FROZEN" | "FREEZING"))
        })
    }

    /// Freezes every process, and returns when all are frozen. Uses the freezer controller if there is one (other
    /// runtimes check it), otherwise `cgroup.freeze`.
    ///
    /// # Errors
    /// Freezing is not supported, or a process does not freeze within two seconds: then all of them are thawed.
    pub fn freeze(&self) -> Result<()> {
        let Some((directory, version_1)) = self.freezer() else {
            return Err(Error::new("cannot freeze: neither the freezer controller nor cgroup.freeze is available")
                .hint("mount the freezer hierarchy, or use a kernel with cgroup version 2 and cgroup.freeze (Linux 5.2)"));
        };
        let deadline = Instant::now() + FREEZING;
        let mut pause = Duration::from_micros(100);
        loop {
            // Written again each time: a version 1 cgroup can stay in FREEZING when a process forks meanwhile.
            let frozen = if version_1 {
                files::write(directory, "freezer.state", "FROZEN")?;
                files::read(directory, "freezer.state")?.trim() == "FROZEN"
            } else {
                files::write(directory, "cgroup.freeze", "1")?;
                files::keyed(directory, "cgroup.events", "frozen") == Some(1)
            };
            if frozen {
                return Ok(());
            }
            if Instant::now() >= deadline {
                self.thaw()?;
                return Err(Error::new(format!(
                    "cannot freeze {}: a process does not stop",
                    directory.display()
                ))
                .hint("it is in uninterruptible sleep, often on a network file system; try again later"));
            }
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Thaws every process, including those of nested cgroups.
    pub fn thaw(&self) -> Result<()> {
        for directory in &self.directories {
            let (file, running) = match files::read(directory, "freezer.state") {
                Ok(_) => ("freezer.state", "THAWED"),
                Err(_) if files::read(directory, "cgroup.freeze").is_ok() => ("cgroup.freeze", "0"),
                Err(_) => continue,
            };
            let mut failure = None;
            tree::each(directory, |cgroup| {
                let stopped = files::read_in(cgroup, file).is_ok_and(|state| state.trim() != running);
                if stopped && let Err(error) = files::write_in(cgroup, file, running) {
                    failure = Some(error);
                }
            });
            if let Some(error) = failure {
                let action = format!("cannot write {running:?} to");
                return Err(Error::io(&action, &directory.join(file), &error.into()));
            }
        }
        Ok(())
    }

    /// Kills every process at once: through `cgroup.kill` (version 2, Linux 5.14; a hybrid host has it too), otherwise
    /// after freezing, so that no process can escape by forking. Processes in another hierarchy only are found and
    /// killed as well. Returns before they have ended.
    pub fn kill_all(&self) -> Result<()> {
        if !self.kill_by_kernel() {
            let _ = self.freeze(); // without it, forking processes are chased below
        }
        let killed = self.kill_listed();
        // A killed process of a frozen version 1 cgroup dies only when it is thawed.
        killed.and(self.thaw())
    }

    fn kill_by_kernel(&self) -> bool {
        let known = self.unified.iter();
        known.chain(&self.directories).any(|directory| files::write(directory, "cgroup.kill", "1").is_ok())
    }

    /// Kills listed processes until no new one appears.
    fn kill_listed(&self) -> Result<()> {
        let mut signalled = HashSet::new();
        for _ in 0..100 {
            let new = self.processes()?.into_iter().filter(|pid| !signalled.contains(pid));
            let open: Vec<_> =
                new.filter_map(|pid| Some((pid, caisson_sys::pidfd::open(pid).ok()?))).collect();
            if open.is_empty() {
                return Ok(());
            }
            // SECURITY: a pid may have been reused since it was read, but not if it is still listed after opening it.
            let listed = self.processes()?;
            for (pid, process) in open.iter().filter(|(pid, _)| listed.contains(pid)) {
                signalled.insert(*pid);
                let _ = caisson_sys::pidfd::send_signal(process, 9);
            }
        }
        Err(Error::new("its processes multiply faster than they can be killed")
            .hint("set linux.resources.pids.limit"))
    }

    /// The directory for freezing, and whether it is version 1.
    fn freezer(&self) -> Option<(&PathBuf, bool)> {
        let has = |file: &'static str| move |directory: &&PathBuf| directory.join(file).exists();
        let version_1 = self.directories.iter().find(has("freezer.state")).map(|d| (d, true));
        version_1.or_else(|| self.directories.iter().find(has("cgroup.freeze")).map(|d| (d, false)))
    }
}

/// The version 1 cgroup that keeps a process frozen even against SIGKILL: the process's own or an ancestor.
pub fn frozen_by(pid: i32) -> Option<PathBuf> {
    let host = Host::of_process(&pid.to_string()).ok()?;
    let hierarchy =
        host.hierarchies.iter().find(|hierarchy| hierarchy.has("freezer") && !hierarchy.unified)?;
    let own = hierarchy.mount_point.join(hierarchy.own_path.trim_start_matches('/'));
    let is_asked =
        |directory: &&Path| files::read(directory, "freezer.self_freezing").is_ok_and(|v| v.trim() == "1");
    own.ancestors()
        .take_while(|directory| directory.starts_with(&hierarchy.mount_point))
        .find(is_asked)
        .map(Path::to_path_buf)
}
