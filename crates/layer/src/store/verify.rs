//! Checks whether a published snapshot is unchanged.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::tree_digest::{Content, tree_digest};
use super::{ChainId, RECORD, Record, Store};
use crate::{Result, Stop};

/// The result of `verify` for one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Sound(Record),
    /// No snapshot of that chainID exists.
    Missing,
    Damaged(String),
}

/// Compares a snapshot with its record; with `contents` file contents are compared, too.
pub fn verify(store: &Path, chain_id: &str, contents: bool, stop: &Stop) -> Result<Health> {
    let store = Store::open(store)?;
    let id = ChainId::parse(chain_id)?;
    let Some(directory) = store.snapshot(&id)? else { return Ok(Health::Missing) };
    let damaged = |what: &str| Ok(Health::Damaged(what.to_owned()));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(&directory, RECORD, flags, Mode::empty()) else {
        return damaged("snapshot.json is missing");
    };
    let mut text = vec![0u8; 64 << 10];
    let length = rustix::io::read(&file, &mut text).unwrap_or(0);
    let Some(record) = Record::parse(&text[..length]) else { return damaged("snapshot.json makes no sense") };
    if record.chain_id != chain_id {
        return damaged("snapshot.json is that of another snapshot");
    }
    let Ok(Some(tree)) = store.tree(&id) else { return damaged("its layer is missing") };
    let content = if contents { Content::Read } else { Content::Ignored };
    match tree_digest(tree.as_fd(), content, stop) {
        Ok((found, _)) if found != record.tree => damaged("its files are not as they were unpacked"),
        Ok((_, found)) if contents && found != record.contents => {
            damaged("the content of a file is not as it was unpacked")
        }
        Ok(_) => Ok(Health::Sound(record)),
        Err(error) if error.kind == crate::Kind::Stopped => Err(error),
        Err(error) => Ok(Health::Damaged(format!("it cannot be read: {error}"))),
    }
}
