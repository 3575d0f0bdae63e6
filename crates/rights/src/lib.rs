//! What this process may do: found by its capabilities and the user namespace they are of, never by its user id. Root
//! may have lost CAP_SYS_ADMIN, an ordinary user may have got it, and root of a user namespace has it for that
//! namespace only (capabilities(7), user_namespaces(7)).
#![forbid(unsafe_code)]

use std::fs;

use caisson_sys::capability::{
    self, CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, MKNOD, NET_ADMIN, SETGID, SETUID, SYS_ADMIN,
};
use caisson_sys::{Result, credentials};

/// Found once for a container; a later change of ids or capabilities shows in [`Rights::are_current`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Not the initial user namespace: its root is not root of the host.
    pub in_user_namespace: bool,
    /// It has a single id: group 5 of terminals, and every user but root, are unknown here.
    single_id: bool,
    /// setgroups(2) is permitted in it, and in what is below.
    pub sets_groups: bool,
    capabilities: Capabilities,
}

/// As bit masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Capabilities {
    effective: u64,
    /// What `caisson-init` has after its execve(2): an ordinary user keeps the ambient ones.
    executed: u64,
}

impl Rights {
    /// Of the calling thread.
    ///
    /// # Errors
    /// A failed capget(2).
    pub fn find() -> Result<Self> {
        let uid = credentials::effective_uid();
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Ok(Self {
            uid,
            gid: credentials::effective_gid(),
            in_user_namespace: is_nested(&map),
            single_id: has_single_id(&map),
            sets_groups: fs::read_to_string("/proc/self/setgroups").is_ok_and(|text| text.trim() != "deny"),
            capabilities: Capabilities::of_this_thread(uid)?,
        })
    }

    /// Whether the calling thread has the same ids and capabilities still.
    pub fn are_current(&self) -> bool {
        let ids = (credentials::effective_uid(), credentials::effective_gid());
        ids == (self.uid, self.gid)
            && Capabilities::of_this_thread(self.uid).is_ok_and(|found| found == self.capabilities)
    }

    /// A container needs a user namespace of its own, and the configuration of an ordinary user: otherwise mounts, the
    /// loopback interface or the ids of its program are denied.
    pub fn needs_user_namespace(&self) -> bool {
        self.single_id || !has(self.capabilities.executed, SYS_ADMIN | NET_ADMIN | SETUID | SETGID)
    }

    /// CAP_SYS_ADMIN of the initial user namespace: `trusted.*` attributes, mounts with mapped owners.
    pub fn administers_host(&self) -> bool {
        !self.in_user_namespace && has(self.capabilities.executed, SYS_ADMIN)
    }

    /// mknod(2) of devices, which the kernel permits in the initial user namespace only.
    pub fn makes_devices(&self) -> bool {
        !self.in_user_namespace && has(self.capabilities.executed, MKNOD)
    }

    /// Writes any id maps, without newuidmap(1); setgroups(2) stays allowed then.
    pub fn maps_ids(&self) -> bool {
        has(self.capabilities.effective, SETUID | SETGID)
    }

    /// Writes files of root that no other user may write: those of a process that is not dumpable.
    pub fn writes_root_files(&self) -> bool {
        self.uid == 0 || has(self.capabilities.executed, DAC_OVERRIDE)
    }

    /// Gives files away and works on them afterwards.
    pub fn changes_owners(&self) -> bool {
        has(self.capabilities.effective, CHANGING_OWNERS)
    }
}

const CHANGING_OWNERS: u64 = CHOWN | FOWNER | DAC_OVERRIDE;

/// [`Rights::changes_owners`] of the calling thread, now.
pub fn changes_owners() -> bool {
    effective(CHANGING_OWNERS)
}

/// Whether the calling thread reads and lists files of every user, whatever their mode.
pub fn reads_everything() -> bool {
    effective(DAC_OVERRIDE) || effective(DAC_READ_SEARCH)
}

/// Whether the calling thread changes directories of every user, whatever their mode.
pub fn writes_everything() -> bool {
    effective(DAC_OVERRIDE)
}

fn effective(wanted: u64) -> bool {
    capability::get().is_ok_and(|sets| has(sets.effective, wanted))
}

fn has(capabilities: u64, wanted: u64) -> bool {
    capabilities & wanted == wanted
}

impl Capabilities {
    fn of_this_thread(uid: u32) -> Result<Self> {
        let effective = capability::get()?.effective;
        let executed = if uid == 0 { effective } else { effective & capability::ambient()? };
        Ok(Self { effective, executed })
    }
}

/// The initial user namespace maps every id to itself in one line. Without procfs, or without user namespaces in the
/// kernel, there is no other one.
fn is_nested(uid_map: &str) -> bool {
    let fields: Vec<_> = uid_map.split_ascii_whitespace().collect();
    !fields.is_empty() && fields != ["0", "0", "4294967295"]
}

fn has_single_id(uid_map: &str) -> bool {
    uid_map.lines().count() == 1 && uid_map.split_ascii_whitespace().nth(2) == Some("1")
}

#[cfg(test)]
mod tests;
