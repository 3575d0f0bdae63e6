//! The operations for a container's cgroups as data, in order. A dry run shows the list, [`crate::Making`] executes it.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Serialize;

use crate::{DeviceRule, Error, Result, files};

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Operation {
    /// A directory above the container's: made if missing, and then removed with the container.
    MakeParent {
        directory: PathBuf,
    },
    /// The container's directory in a hierarchy, or its child. An existing one with processes or frozen is refused.
    MakeDirectory {
        directory: PathBuf,
    },
    /// Version 2: enables every available controller for the children. One that cannot be enabled is left out: a limit
    /// that needs it fails by itself.
    EnableControllers {
        directory: PathBuf,
    },
    /// Version 1: a new cpuset has no CPUs and no memory nodes and accepts no process. It takes its parent's.
    InheritCpuset {
        directory: PathBuf,
    },
    /// `checkBeforeUpdate`: a limit that is not above the usage in `file` is refused instead of enforced by killing.
    CheckUsage {
        directory: PathBuf,
        file: String,
        /// `memory` or `memory+swap`.
        limited: String,
        limit: i64,
    },
    Write(Write),
    /// The kernel compares these values with each other, so the order that it accepts depends on the previous values:
    /// memory ≤ memory plus swap, burst ≤ quota, quota ÷ period ≤ that of the parent.
    WriteInAnyOrder(Vec<Write>),
    /// Version 1: `devices.allow` and `devices.deny`; version 2: a BPF program. For each kind of access the last
    /// matching rule decides.
    RestrictDevices {
        directory: PathBuf,
        rules: Vec<DeviceRule>,
        /// Skipped without permission: an unprivileged user cannot create devices either.
        #[serde(skip_serializing_if = "is_false")]
        if_permitted: bool,
    },
    /// Version 2: the directory, and its files that /sys/kernel/cgroup/delegate names, get this owner. config-linux.md,
    /// "Cgroup ownership".
    ChangeOwner {
        directory: PathBuf,
        owner: u32,
        /// Skipped without permission: an unprivileged user cannot give files away.
        #[serde(skip_serializing_if = "is_false")]
        if_permitted: bool,
    },
}

impl Operation {
    /// Values that depend on each other; one alone is a plain write.
    pub(crate) fn writes(mut writes: Vec<Write>) -> Option<Self> {
        match writes.len() {
            0 => None,
            1 => writes.pop().map(Self::Write),
            _ => Some(Self::WriteInAnyOrder(writes)),
        }
    }
}

/// A value for a file of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    pub directory: PathBuf,
    pub file: String,
    pub value: String,
    /// File and value to use if the kernel has no `file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<(String, String)>,
    /// Skipped if the kernel has no `file`.
    #[serde(skip_serializing_if = "is_false")]
    pub optional: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Write {
    pub(crate) fn new(directory: &Path, file: impl Into<String>, value: impl ToString) -> Self {
        Self {
            directory: directory.to_path_buf(),
            file: file.into(),
            value: value.to_string(),
            instead: None,
            optional: false,
        }
    }

    pub(crate) fn or_else(self, file: impl Into<String>, value: impl ToString) -> Self {
        Self { instead: Some((file.into(), value.to_string())), ..self }
    }

    pub(crate) fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }

    pub(crate) fn apply(&self) -> Result<()> {
        let is_there = |file: &str| self.directory.join(file).exists();
        let (file, value) = match &self.instead {
            Some((file, value)) if !is_there(&self.file) => (file, value),
            _ => (&self.file, &self.value),
        };
        if self.optional && !is_there(file) {
            return Ok(());
        }
        files::write(&self.directory, file, value).map_err(|error| explained(file, error))
    }
}

/// Writes all values in the first order that the kernel accepts.
pub(crate) fn write_in_any_order(writes: &[Write]) -> Result<()> {
    let mut pending: Vec<&Write> = writes.iter().collect();
    while !pending.is_empty() {
        let before = pending.len();
        let mut failure = None;
        pending.retain(|write| match write.apply() {
            Ok(()) => false,
            Err(error) => {
                failure.get_or_insert(error);
                true
            }
        });
        if let Some(error) = failure.filter(|_| pending.len() == before) {
            return Err(error);
        }
    }
    Ok(())
}

/// Explains a failed write if the cause is known better than from its errno.
fn explained(file: &str, error: Error) -> Error {
    let is_missing = error.errno() == Some(Errno::NOENT.raw_os_error());
    match file.split('.').collect::<Vec<_>>()[..] {
        ["memory", "memsw", "limit_in_bytes"] => error
            .hint("limiting swap needs swap accounting: boot with swapaccount=1, or leave memory.swap out"),
        ["hugetlb", size, ..] if is_missing => {
            Error::new(format!("linux.resources.hugepageLimits: this kernel has no huge pages of {size}"))
                .hint("the sizes there are: ls /sys/kernel/mm/hugepages; written as 2MB or 1GB")
        }
        ["blkio" | "io", .., "weight" | "weight_device"] if is_missing => error
            .hint("weights need the BFQ scheduler (modprobe bfq) or, in version 2, the iocost controller"),
        ["blkio", "leaf_weight" | "leaf_weight_device"] if is_missing => error
            .hint("leaf weights belong to the CFQ scheduler, which Linux 5.0 removed: leave leafWeight out"),
        ["cpu", "rt_period_us" | "rt_runtime_us"] if is_missing => {
            error.hint("this kernel has no real-time group scheduling (CONFIG_RT_GROUP_SCHED)")
        }
        _ => error,
    }
}

/// `checkBeforeUpdate`.
pub(crate) fn check_usage(directory: &Path, file: &str, limited: &str, limit: i64) -> Result<()> {
    let usage: i64 = files::read(directory, file)?.trim().parse().unwrap_or(0);
    if limit <= usage {
        // COMPAT(runc): its wording.
        return Err(Error::new(format!("rejecting {limited} limit {limit} <= usage {usage}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
