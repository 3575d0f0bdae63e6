//! Snapshots: layers unpacked once, each in its own directory, mounted by overlayfs and shared by all processes.
//!
//! ```text
//! snapshots/ALGORITHM/ENCODED/   one per chainID: fs/ is the layer, snapshot.json describes it. ENCODED+KEY is a
//!                                whole image with mapped owners; KEY is a digest of the mapping
//! ingest/RANDOM/                 a snapshot in the making, locked by its maker; renamed when complete
//! locks/ALGORITHM-ENCODED        held by the process that unpacks that chainID
//! store.lock                     shared by importers, exclusive for removal
//! ```
//!
//! A process that dies leaves complete snapshots and an ingest directory whose lock is free. Locks are flock(2), which
//! the kernel releases. A user of a snapshot holds a shared lock on its directory.

mod import;
mod ingest;
mod lock;
mod mapped;
mod record;
mod tree_digest;
mod verify;

use std::fs::{DirBuilder, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::blob::io_error;
use crate::unpack::Owners;
use crate::{Error, Kind, Result, Stop};

pub use import::{Durability, Imported, Layer, Request, import};
pub use lock::{Lock, LockMode};
pub use mapped::{Mapped, import_mapped};
pub use record::Record;
pub use tree_digest::{Content, tree_digest};
pub use verify::{Health, verify};

/// Name of the layer directory in a snapshot.
pub const TREE: &str = "fs";
const RECORD: &str = "snapshot.json";
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open store.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    root: OwnedFd,
}

impl Store {
    /// Opens a store and creates what is missing. A store of another user is refused.
    pub fn open(path: &Path) -> Result<Self> {
        for name in ["", "snapshots", "ingest", "locks"] {
            let directory = path.join(name);
            // SECURITY: 0700: other users must not reach the set-uid programs of an image (CVE-2021-41091).
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .map_err(|error| io_error("mkdir", &directory, &error))?;
        }
        let root = File::open(path).map_err(|error| io_error("open", path, &error))?;
        let status = root.metadata().map_err(|error| io_error("fstat", path, &error))?;
        if status.uid() != rustix::process::geteuid().as_raw() {
            let shown = path.display().to_string();
            return Err(Error::new(Kind::Option, format!("the store {shown} belongs to another user"))
                .on(shown)
                .hint("name another directory with the option store or CAISSON_STORE"));
        }
        Ok(Self { path: path.to_owned(), root: root.into() })
    }

    /// Shared lock: nothing is removed while it is held.
    pub fn share(&self, stop: &Stop) -> Result<Lock> {
        Lock::file(&self.path.join("store.lock"), LockMode::Shared, stop)
    }

    /// Exclusive lock: no process imports while it is held.
    pub fn exclude(&self, stop: &Stop) -> Result<Lock> {
        Lock::file(&self.path.join("store.lock"), LockMode::Exclusive, stop)
    }

    /// Removes what dead importers have left and returns their number. `owners` may have to return it first.
    pub fn sweep(&self, owners: Option<&dyn Owners>) -> Result<usize> {
        ingest::sweep(self, owners)
    }

    fn lock_chain(&self, chain_id: &ChainId, stop: &Stop) -> Result<Lock> {
        let name = format!("{}-{}", chain_id.algorithm, chain_id.encoded);
        Lock::file(&self.path.join("locks").join(name), LockMode::Exclusive, stop)
    }

    /// The directory of a snapshot; `None` if it does not exist.
    fn snapshot(&self, chain_id: &ChainId) -> Result<Option<OwnedFd>> {
        match rustix::fs::openat(&self.root, chain_id.path(), DIRECTORY, Mode::empty()) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Error::system("openat", chain_id.path().as_bytes(), errno)),
        }
    }

    /// The layer of a snapshot.
    fn tree(&self, chain_id: &ChainId) -> Result<Option<OwnedFd>> {
        let Some(snapshot) = self.snapshot(chain_id)? else { return Ok(None) };
        let tree = rustix::fs::openat(&snapshot, TREE, DIRECTORY, Mode::empty())
            .map_err(|errno| Error::system("openat", chain_id.path().as_bytes(), errno))?;
        Ok(Some(tree))
    }

    /// The directory of snapshots whose chainID has this algorithm, created if missing.
    fn snapshots_of(&self, chain_id: &ChainId) -> Result<OwnedFd> {
        let path = format!("snapshots/{}", chain_id.algorithm);
        match rustix::fs::mkdirat(&self.root, path.as_str(), Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(Error::system("mkdirat", path.as_bytes(), errno)),
        }
        rustix::fs::openat(&self.root, path.as_str(), DIRECTORY, Mode::empty())
            .map_err(|errno| Error::system("openat", path.as_bytes(), errno))
    }
}

/// A digest that is safe as a path component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainId {
    algorithm: String,
    encoded: String,
}

impl ChainId {
    /// SECURITY: only characters of the digest grammar ever become a path (CVE-2024-3727).
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        match text.split_once(':') {
            Some((algorithm, encoded)) if plain(algorithm) && encoded.splitn(2, '+').all(plain) => {
                Ok(Self { algorithm: algorithm.to_owned(), encoded: encoded.to_owned() })
            }
            _ => Err(Error::new(Kind::Option, format!("{text:?} is not a chainID"))),
        }
    }

    fn path(&self) -> String {
        format!("snapshots/{}/{}", self.algorithm, self.encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_id_never_leaves_the_store() {
        assert_eq!(ChainId::parse("sha256:0a").unwrap().path(), "snapshots/sha256/0a");
        assert_eq!(ChainId::parse("sha256:0a+1b").unwrap().path(), "snapshots/sha256/0a+1b");
        for bad in [
            "",
            "sha256:0a+",
            "sha256:+0a",
            "sha256:0a+1+2",
            "sha256:0a+../x",
            "sha256",
            "sha256:",
            ":0a",
            "sha256:../x",
            "..:x",
            "sha256:a/b",
            "a:b:c",
            "sha256:A",
        ] {
            assert_eq!(ChainId::parse(bad).unwrap_err().kind, Kind::Option, "{bad}");
        }
    }
}
