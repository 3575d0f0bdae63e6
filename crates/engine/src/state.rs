//! The state directory `<root>/<id>`: shared by the library and the command, by this process and all others.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use caisson_sys::lock;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::request::ImageOrigin;

pub const START_SOCKET: &str = "start.sock";
const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
/// The mount point of an overlay.
pub const ROOTFS: &str = "rootfs";

/// `state.json`, written by rename. What can be derived (running, stopped, …) is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateFile {
    pub version: u32,
    pub id: String,
    pub oci_version: String,
    pub bundle: String,
    pub rootfs: String,
    pub annotations: BTreeMap<String, String>,
    /// RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// Name of the user who created it, or the uid where there is no name.
    pub owner: String,
    pub status: Phase,
    pub attached: bool,
    pub owner_pid: i32,
    /// A decimal text, because it may pass what a JavaScript number holds.
    pub owner_start_time: String,
    pub boot_id: String,
    pub pid: Option<i32>,
    pub start_time: Option<String>,
    pub cgroup: CgroupState,
    pub terminal: bool,
    pub pid_namespace: bool,
    /// The root file system comes from a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlayState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageOrigin>,
    /// What was made for this container only, outside of this directory; whoever deletes the container removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

impl StateFile {
    /// State of the runtime specification (runtime.md, "State") with runc's additions, JSON.
    pub fn oci_state(&self, status: &str, pid: i32) -> String {
        serde_json::json!({
            "ociVersion": self.oci_version,
            "id": self.id,
            "pid": pid,
            "status": status,
            "bundle": self.bundle,
            "rootfs": self.rootfs,
            "created": self.created,
            "owner": self.owner,
            "annotations": self.annotations,
        })
        .to_string()
    }
}

/// What a container uses of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayState {
    pub store: String,
    /// Directory below it that goes with the container.
    pub container: String,
    /// What the container writes is in memory, not in that directory.
    pub tmpfs: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Written before anything else exists: a create that was killed can be cleaned up.
    Creating,
    /// The helper has reported `Created`.
    Ready,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupState {
    pub mode: String,
    pub directories: Vec<String>,
}

/// An existing state directory.
#[derive(Debug)]
pub struct StateDirectory {
    pub path: PathBuf,
    pub fd: OwnedFd,
}

impl StateDirectory {
    /// Makes it; `ERR_EXISTS` when the id is taken. The caller removes it again when the create fails.
    pub fn create(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        let path = root.join(id);
        let make = || DirBuilder::new().mode(if is_root() { 0o711 } else { 0o700 }).create(&path);
        let result = match make() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mode = if is_root() { 0o711 } else { 0o700 };
                DirBuilder::new()
                    .recursive(true)
                    .mode(mode)
                    .create(root)
                    .map_err(|e| Failure::io("prepare", "cannot make the state root", root, &e))?;
                make()
            }
            other => other,
        };
        match result {
            Ok(()) => Self::open_at(path.clone()).inspect_err(|_| {
                let _ = fs::remove_dir(&path);
            }),
            // COMPAT(runc): the wording that engines look for.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::new(
                "ERR_EXISTS",
                "prepare",
                format!("container with given ID already exists: {id}"),
            )
            .on(path.display().to_string())),
            Err(error) => Err(Failure::io("prepare", "cannot make the state directory", &path, &error)),
        }
    }

    /// Opens it; `ERR_NOT_FOUND` when there is no such container.
    pub fn open(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        Self::open_at(root.join(id)).map_err(|failure| match failure.errno.as_deref() {
            Some("ENOENT" | "ENOTDIR") => not_found(id),
            _ => failure,
        })
    }

    fn open_at(path: PathBuf) -> Result<Self> {
        let fd = File::options()
            .read(true)
            .custom_flags(
                rustix::fs::OFlags::DIRECTORY.bits().cast_signed()
                    | rustix::fs::OFlags::NOFOLLOW.bits().cast_signed(),
            )
            .open(&path)
            .map_err(|e| Failure::io("prepare", "cannot open the state directory", &path, &e))?;
        Ok(Self { path, fd: fd.into() })
    }

    /// Held until the result is dropped. `ERR_NOT_FOUND` when the directory was removed meanwhile.
    pub fn lock(&self, id: &str) -> Result<OwnedFd> {
        let copy = self.fd.try_clone().map_err(|e| Failure::io("delete", "cannot lock", &self.path, &e))?;
        let lock =
            lock::exclusive(copy).map_err(|e| Failure::syscall("delete", "cannot lock the state", &e))?;
        match rustix::fs::fstat(&lock) {
            Ok(status) if status.st_nlink > 0 => Ok(lock),
            _ => Err(not_found(id)),
        }
    }

    /// The directory that an overlay is mounted on, in the container's mount namespace.
    pub fn make_rootfs(&self) -> Result<()> {
        rustix::fs::mkdirat(&self.fd, ROOTFS, rustix::fs::Mode::from_raw_mode(0o700))
            .map_err(|e| Failure::io("prepare", "cannot make", &self.path.join(ROOTFS), &e.into()))
    }

    pub fn write_config(&self, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(CONFIG);
        write_new(&path, bytes).map_err(|e| Failure::io("prepare", "cannot write", &path, &e))
    }

    pub fn read_config(&self) -> Result<Vec<u8>> {
        let path = self.path.join(CONFIG);
        fs::read(&path).map_err(|e| Failure::io("prepare", "cannot read", &path, &e))
    }

    pub fn write_state(&self, state: &StateFile) -> Result<()> {
        let (fresh, path) = (self.path.join(".state.json"), self.path.join(STATE));
        let bytes = serde_json::to_vec(state)
            .map_err(|e| Failure::new("ERR_INVALID_STATE", "prepare", e.to_string()))?;
        write_new(&fresh, &bytes)
            .and_then(|()| fs::rename(&fresh, &path))
            .map_err(|e| Failure::io("prepare", "cannot write", &path, &e))
    }

    /// `None`: the directory exists but nothing was written yet (a create that was killed at once, or is just starting).
    pub fn read_state(&self) -> Result<Option<StateFile>> {
        let path = self.path.join(STATE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("prepare", "cannot read", &path, &error)),
        };
        let state = serde_json::from_slice(&bytes).map_err(|e| {
            Failure::new("ERR_INVALID_STATE", "prepare", format!("{} is damaged: {e}", path.display()))
                .on(path.display().to_string())
        })?;
        Ok(Some(state))
    }

    /// Removes the files we make and the directory. Anything else in it is an error that leaves it standing.
    pub fn remove(&self) -> Result<()> {
        for name in [START_SOCKET, STATE, ".state.json", CONFIG] {
            match rustix::fs::unlinkat(&self.fd, name, rustix::fs::AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => {
                    return Err(Failure::io("delete", "cannot remove", &self.path.join(name), &error.into()));
                }
            }
        }
        let _ = rustix::fs::unlinkat(&self.fd, ROOTFS, rustix::fs::AtFlags::REMOVEDIR);
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::io("delete", "cannot remove", &self.path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// COMPAT(runc): the wording that engines look for.
pub fn not_found(id: &str) -> Failure {
    Failure::new("ERR_NOT_FOUND", "resolve", format!("container does not exist: {id}"))
}

/// SECURITY: the id becomes a file name. COMPAT(runc): its alphabet and its sentence.
pub fn check_id(id: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    if !id.is_empty() && id.len() <= 255 && id != "." && id != ".." && id.chars().all(allowed) {
        return Ok(());
    }
    let shown: String = id.chars().take(64).collect();
    Err(Failure::new("ERR_INVALID_ID", "validate", format!("invalid container ID format: {shown:?}"))
        .hint("letters, digits and _ + - . are allowed, 1 to 255 of them"))
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leaves_the_state_root() {
        for id in ["a", "web-1", "A_b+c.d", "..."] {
            check_id(id).unwrap();
        }
        for id in ["", ".", "..", "a/b", "../x", "a b", "ä", "a\0", &"x".repeat(256)] {
            assert_eq!(check_id(id).unwrap_err().code, "ERR_INVALID_ID", "{id:?}");
        }
    }

    #[test]
    fn a_taken_id_is_told_and_nothing_is_left_after_removal() {
        let root = std::env::temp_dir().join(format!("caisson-state-{}", std::process::id()));
        let directory = StateDirectory::create(&root, "one").unwrap();
        assert_eq!(StateDirectory::create(&root, "one").unwrap_err().code, "ERR_EXISTS");
        assert!(directory.read_state().unwrap().is_none());
        directory.write_config(b"{}").unwrap();
        directory.remove().unwrap();
        assert_eq!(StateDirectory::open(&root, "one").unwrap_err().code, "ERR_NOT_FOUND");
        fs::remove_dir(&root).unwrap();
    }
}
