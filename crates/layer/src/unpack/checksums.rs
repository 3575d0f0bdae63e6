//! CRC-32 of files as they are written, by inode, so that the record of a snapshot needs no second read of its files.

use std::collections::HashMap;
use std::os::fd::AsFd;

use crate::{Error, Result};

#[derive(Debug, Clone, Default)]
pub struct Checksums(HashMap<u64, u32>);

impl Checksums {
    /// `None` means unknown: the inode number may have belonged to another file before.
    pub fn note(&mut self, file: impl AsFd, sum: Option<u32>) -> Result<()> {
        let inode = rustix::fs::fstat(file).map_err(|errno| Error::system("fstat", b"", errno))?.st_ino;
        match sum {
            Some(sum) => self.0.insert(inode, sum),
            None => self.0.remove(&inode),
        };
        Ok(())
    }

    pub fn of(&self, inode: u64) -> Option<u32> {
        self.0.get(&inode).copied()
    }
}
