//! Hashes whole files from any source.
//!
//! Files are read, never mapped: truncation of a mapped file by another process would end this one with SIGBUS.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;

use caisson_sys::errno::EISDIR;
use caisson_sys::file::{O_NOCTTY, O_NONBLOCK};
use caisson_sys::poll::{Interest, readable_now, ready};

use crate::control::Control;
use crate::lane::BUFFER;
use crate::{Algorithm, Hasher};

/// The source of the bytes.
#[derive(Debug)]
pub enum Source {
    /// A path, as bytes; links are followed.
    Path(Vec<u8>),
    /// From the current position of the descriptor to the end; the position is shared with its duplicates, and
    /// advances.
    Descriptor(OwnedFd),
}

/// Why a file could not be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    System(#[from] caisson_sys::Error),
    #[error("the operation was stopped")]
    Stopped,
}

/// A digest per algorithm, and the number of bytes hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub digests: Vec<String>,
    pub size: u64,
}

/// An open file.
#[derive(Debug)]
pub struct Input {
    file: File,
    /// Shown in messages.
    name: String,
    regular: bool,
    size: u64,
}

impl Input {
    /// Never blocks: a pipe without a peer is opened at once.
    pub fn open(source: Source) -> Result<Self, Failure> {
        let (file, name) = match source {
            Source::Path(path) => {
                let name = String::from_utf8_lossy(&path).into_owned();
                let file = OpenOptions::new()
                    .read(true)
                    .custom_flags(O_NONBLOCK | O_NOCTTY)
                    .open(OsStr::from_bytes(&path))
                    .map_err(|error| caisson_sys::Error::from_io("open", name.as_str(), &error))?;
                (file, name)
            }
            Source::Descriptor(descriptor) => {
                let name = caisson_sys::descriptor::describe(descriptor.as_fd());
                (File::from(descriptor), name)
            }
        };
        let status =
            file.metadata().map_err(|error| caisson_sys::Error::from_io("fstat", name.as_str(), &error))?;
        if status.is_dir() {
            return Err(caisson_sys::Error::new("read", format!("{name:?}"), EISDIR)
                .on(name.as_str())
                .into());
        }
        Ok(Self { file, name, regular: status.is_file(), size: status.len() })
    }

    /// Whether reading may block forever: pipes, sockets, terminals, and files of procfs without data.
    pub fn may_wait(&self) -> bool {
        !self.regular || !readable_now(&self.file).unwrap_or(true)
    }

    /// Reports the size, if it is meaningful.
    pub(crate) fn announce(&self, control: &Control) {
        if self.regular {
            control.expect(self.size);
        }
    }

    /// Expected number of bytes left after `read`.
    pub(crate) fn remaining(&self, read: u64) -> u64 {
        self.size.saturating_sub(read)
    }

    /// Reads available bytes up to the size of the buffer; 0 at the end.
    pub(crate) fn fill(&mut self, buffer: &mut [u8], control: &Control) -> Result<usize, Failure> {
        loop {
            if control.is_stopped() {
                return Err(Failure::Stopped);
            }
            match self.file.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// Waits for bytes or for cancellation; 0 at the end. A named pipe without a writer is waited for, as a blocking
    /// open(2) would.
    pub(crate) fn wait_and_fill(&mut self, buffer: &mut [u8], control: &Control) -> Result<usize, Failure> {
        let waker = control.waker()?;
        let read = Interest { read: true, write: false };
        loop {
            ready([(self.file.as_fd(), read), (waker.as_fd(), read)], None)?;
            if control.is_stopped() {
                return Err(Failure::Stopped);
            }
            match self.file.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        caisson_sys::Error::from_io("read", self.name.as_str(), error).into()
    }
}

/// Like a file, for bytes in memory.
pub fn hash_bytes(bytes: &[u8], algorithms: &[Algorithm], control: &Control) -> Result<Digests, Failure> {
    control.expect(bytes.len() as u64);
    let mut hashers: Vec<_> = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
    for part in bytes.chunks(BUFFER) {
        if control.is_stopped() {
            return Err(Failure::Stopped);
        }
        for hasher in &mut hashers {
            hasher.update(part);
        }
        control.count(part.len());
    }
    Ok(Digests { digests: hashers.into_iter().map(Hasher::digest).collect(), size: bytes.len() as u64 })
}
