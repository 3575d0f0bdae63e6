//! A snapshot in the making: a directory with a random name, locked as long as its maker works on it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::lock::{Lock, LockMode};
use super::{ChainId, DIRECTORY, RECORD, Record, Store, TREE};
use crate::temporary::with_unique_name;
use crate::unpack::{Owners, children, remove_tree_of};
use crate::{Error, Result};

pub struct Ingest<'o> {
    owners: Option<&'o dyn Owners>,
    parent: OwnedFd,
    name: Vec<u8>,
    directory: OwnedFd,
    tree: OwnedFd,
    published: bool,
}

impl<'o> Ingest<'o> {
    /// `owners` may have to return the tree before it can be removed.
    pub fn create(store: &Store, owners: Option<&'o dyn Owners>) -> Result<Self> {
        let parent = open(&store.root, b"ingest")?;
        let (name, (directory, tree)) = with_unique_name("", |name| {
            match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Ok(None),
                Err(errno) => return Err(Error::system("mkdirat", name, errno)),
            }
            let made = prepare(&parent, name);
            if made.is_err() {
                // It was created here a moment ago.
                let _ = rustix::fs::unlinkat(
                    &parent,
                    [name, &b"/"[..], TREE.as_bytes()].concat(),
                    AtFlags::REMOVEDIR,
                );
                let _ = rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR);
            }
            made
        })?;
        Ok(Self { owners, parent, name, directory, tree, published: false })
    }

    /// The directory for the layer.
    pub fn tree(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }

    pub fn write_record(&self, record: &Record) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, RECORD, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| Error::system("openat", RECORD.as_bytes(), errno))?;
        let text = record.to_json()?;
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest)
                .map_err(|errno| Error::system("write", RECORD.as_bytes(), errno))?;
            rest = &rest[written..];
        }
        Ok(())
    }

    /// Gives the snapshot its name; from then on other processes use it.
    pub fn publish(mut self, store: &Store, chain_id: &ChainId) -> Result<()> {
        let snapshots = store.snapshots_of(chain_id)?;
        rustix::fs::renameat(&self.parent, &self.name, &snapshots, chain_id.encoded.as_str())
            .map_err(|errno| Error::system("renameat", chain_id.path().as_bytes(), errno))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Ingest<'_> {
    fn drop(&mut self) {
        if !self.published {
            // Drop cannot report an error; the next import sweeps what is left.
            let _ = remove_tree_of(self.parent.as_fd(), &self.name, self.owners);
        }
    }
}

/// Locks a new directory and creates the layer directory in it. `None` if a sweep was faster than the lock.
fn prepare(parent: &OwnedFd, name: &[u8]) -> Result<Option<(OwnedFd, OwnedFd)>> {
    let directory = match rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened.map_err(|errno| Error::system("openat", name, errno))?,
    };
    let Some(lock) = Lock::try_on(directory, LockMode::Exclusive)? else { return Ok(None) };
    let directory = lock.into_fd();
    rustix::fs::mkdirat(&directory, TREE, Mode::from_raw_mode(0o700))
        .map_err(|errno| Error::system("mkdirat", TREE.as_bytes(), errno))?;
    let tree = open(&directory, TREE.as_bytes())?;
    Ok(Some((directory, tree)))
}

/// Removes what dead processes have left and returns their number.
pub fn sweep(store: &Store, owners: Option<&dyn Owners>) -> Result<usize> {
    let parent = open(&store.root, b"ingest")?;
    let mut swept = 0;
    for name in children(parent.as_fd(), b"ingest")? {
        let Ok(directory) = open(&parent, &name) else { continue };
        // A locked one is left to the next sweep.
        let Ok(Some(_lock)) = Lock::try_on(directory, LockMode::Exclusive) else { continue };
        swept += usize::from(remove_tree_of(parent.as_fd(), &name, owners).is_ok());
    }
    Ok(swept)
}

fn open(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system("openat", name, errno))
}
