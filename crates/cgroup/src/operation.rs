//! The operations for a container's cgroups as data, in order. A dry run shows the list, [`crate::Making`] executes it.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Serialize;

use crate::{DeviceRule, Error, Result, files};

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Operation {
    /// Includes missing parents. Version 2: enables controllers for it; version 1: a cpuset inherits its parent's
    /// values, without which it accepts no process.
    MakeDirectory {
        directory: PathBuf,
    },
    /// Enables the controllers of a version 2 cgroup for its children.
    EnableControllers {
        directory: PathBuf,
    },
    /// `checkBeforeUpdate`: a limit below the usage in `file` is refused instead of enforced by killing.
    CheckUsage {
        directory: PathBuf,
        file: String,
        limit: i64,
    },
    Write(Write),
    /// The kernel accepts the two writes in only one order, which depends on the previous values (memory ≤ memory plus
    /// swap, at all times).
    WriteInEitherOrder(Write, Write),
    /// Version 1: `devices.allow` and `devices.deny`; version 2: a BPF program. The last matching rule decides.
    RestrictDevices {
        directory: PathBuf,
        rules: Vec<DeviceRule>,
        /// Skipped without permission: an unprivileged user cannot create devices either.
        #[serde(skip_serializing_if = "is_false")]
        if_permitted: bool,
    },
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

/// Explains a failed write if the cause is known better than from its errno.
fn explained(file: &str, error: Error) -> Error {
    if file == "memory.memsw.limit_in_bytes" {
        return error
            .hint("limiting swap needs swap accounting: boot with swapaccount=1, or leave memory.swap out");
    }
    let page_size = file.strip_prefix("hugetlb.").and_then(|rest| rest.split('.').next());
    match page_size {
        Some(size) if error.errno() == Some(Errno::NOENT.raw_os_error()) => {
            Error::new(format!("linux.resources.hugepageLimits: this kernel has no huge pages of {size}"))
                .hint("the sizes there are: ls /sys/kernel/mm/hugepages; written as 2MB or 1GB")
        }
        _ => error,
    }
}

/// `checkBeforeUpdate`.
pub(crate) fn check_usage(directory: &Path, file: &str, limit: i64) -> Result<()> {
    let usage: i64 = files::read(directory, file)?.trim().parse().unwrap_or(0);
    if usage > limit {
        // COMPAT(runc): its wording.
        return Err(Error::new(format!("rejecting memory limit {limit} < usage {usage}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
