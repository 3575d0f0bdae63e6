//! The hashing of whole files, wherever their bytes come from.
//!
//! Files are read, never mapped: a mapped file that another process cuts short would end this process with SIGBUS.

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

/// Where the bytes come from.
#[derive(Debug)]
pub enum Source {
    /// The bytes of a path; links are followed.
    Path(Vec<u8>),
    /// From where the descriptor stands to its end; the position is shared with its other copies, and moves.
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

/// A digest for each algorithm, and the number of bytes they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub digests: Vec<String>,
    pub size: u64,
}

/// An open file.
#[derive(Debug)]
pub struct Input {
    file: File,
    /// For messages.
    name: String,
    regular: bool,
    size: u64,
}

impl Input {
    /// Never waits: a pipe with nobody at its other end is opened at once.
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

    /// Whether reading it may take for ever: pipes, sockets, terminals, and files of procfs with nothing to say yet.
    pub fn may_wait(&self) -> bool {
        !self.regular || !readable_now(&self.file).unwrap_or(true)
    }

    /// Tells the size, where it says something.
    pub(crate) fn announce(&self, control: &Control) {
        if self.regular {
            control.expect(self.size);
        }
    }

    /// Bytes that should be left after so many.
    pub(crate) fn remaining(&self, read: u64) -> u64 {
        self.size.saturating_sub(read)
    }

    /// As many bytes as there are, up to the buffer; 0 at the end.
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

    /// Waits for bytes or for a stop, whichever comes first; 0 at the end. A named pipe that nobody has opened for writing
    /// yet is waited for, as with a blocking open.
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

/// The same for bytes at hand.
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
