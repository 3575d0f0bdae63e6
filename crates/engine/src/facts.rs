//! Properties of the host, queried once per engine: they do not change as long as the process keeps its ids.

use std::fs;
use std::path::Path;

use caisson_cgroup as cgroup;
use caisson_code::Phase;
use caisson_plan::SeccompFlags;
use caisson_rights::Rights;
use caisson_sys::{pidfd, seccomp};

use crate::failure::{Failure, Result};

#[derive(Debug)]
pub struct Facts {
    pub rights: Rights,
    /// Every capability that the kernel knows.
    pub capabilities: u64,
    /// Flags that seccomp(2) takes; `None`: there are no filters here.
    pub seccomp_flags: Option<SeccompFlags>,
    /// Active security modules (`apparmor`, `selinux`, …).
    pub security_modules: Vec<String>,
    pub cgroup: cgroup::Host,
    /// `None`: the resctrl file system is not mounted.
    pub resctrl: Option<caisson_resctrl::Mount>,
    pub boot_id: String,
    pub pid: i32,
    pub start_time: u64,
    pub owner: String,
}

impl Facts {
    pub fn gather() -> Result<Self> {
        let pid = std::process::id().cast_signed();
        let (_, start_time) = pidfd::state_and_start_time(pid)
            .map_err(|e| Failure::syscall(Phase::Prepare, "cannot read our own start time", &e))?;
        let rights = rights()?;
        Ok(Self {
            rights,
            capabilities: capabilities(&read("/proc/sys/kernel/cap_last_cap")),
            seccomp_flags: seccomp::known_flags().ok(),
            security_modules: security_modules(),
            cgroup: cgroup::Host::detect().map_err(crate::cgroups::failure)?,
            resctrl: caisson_resctrl::Mount::find(&read("/proc/self/mountinfo")),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            pid,
            start_time,
            owner: caisson_accounts::name(&read("/etc/passwd"), rights.uid)
                .map_or_else(|| rights.uid.to_string(), str::to_owned),
        })
    }

    /// Whether the process still has the ids and capabilities of the query.
    pub fn are_ours(&self) -> bool {
        self.rights.are_current()
    }

    /// Whether the caller may lack the right to make cgroups. With `None`: true without the rights of root of the host.
    pub fn rootless(&self, decided: Option<bool>) -> bool {
        decided.unwrap_or_else(|| !(self.rights.administers_host() && self.rights.writes_root_files()))
    }
}

pub fn rights() -> Result<Rights> {
    Rights::find().map_err(|e| Failure::syscall(Phase::Prepare, "cannot read our own capabilities", &e))
}

/// The content of a file, empty if it is missing.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Where securityfs is not mounted, the modules tell of themselves.
fn security_modules() -> Vec<String> {
    let list = read("/sys/kernel/security/lsm");
    let listed = list.trim().split(',').filter(|name| !name.is_empty());
    let apparmor = read("/sys/module/apparmor/parameters/enabled").starts_with('Y').then_some("apparmor");
    let selinux = Path::new("/sys/fs/selinux/enforce").exists().then_some("selinux");
    listed.chain(apparmor).chain(selinux).map(str::to_owned).collect()
}

fn capabilities(last: &str) -> u64 {
    let last: u32 = last.trim().parse().unwrap_or(40); // CAP_CHECKPOINT_RESTORE, Linux 5.9
    u64::MAX >> (63 - last.min(63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_capability_gives_the_mask() {
        assert_eq!(capabilities("40\n"), (1 << 41) - 1);
        assert_eq!(capabilities("63"), u64::MAX);
    }
}
