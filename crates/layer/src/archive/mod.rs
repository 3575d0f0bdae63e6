//! Archives that hold images: an index of the members, so that blobs are read in place; decompression of an archive to
//! a file; and writing new archives.

mod write;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rustix::io::Errno;

use crate::blob::{self, Blob, Seen};
use crate::chunk::Source;
use crate::inflate::Compression;
use crate::tar::{EntryKind, Reader};
use crate::{Error, Limits, Result, Stop};

pub use write::{Body, Member, write};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Without a leading `./`.
    pub path: String,
    pub kind: ItemKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// `offset` is the position of the content in the archive.
    File { offset: u64, size: u64 },
    /// The target, verbatim.
    Symlink(String),
    /// Path from the root of the archive.
    HardLink(String),
}

/// The members of an archive. A compressed archive must be decompressed first.
#[derive(Debug)]
pub enum Listing {
    Compressed(Compression),
    Items(Vec<Item>),
}

/// Lists files and links in archive order, without reading their content. Names that are not valid UTF-8, sparse files
/// and other types are left out: no document can refer to them.
pub fn list(path: &Path, limits: &Limits, stop: &Stop) -> Result<Listing> {
    items_of(path, limits, stop).map_err(|error| error.of(&path.to_string_lossy()))
}

fn items_of(path: &Path, limits: &Limits, stop: &Stop) -> Result<Listing> {
    let file = blob::open_regular(path)?;
    let mut source = FileSource::new(file, path)?;
    match Compression::of(source.fill()?) {
        Compression::None => {}
        compression => return Ok(Listing::Compressed(compression)),
    }
    let mut reader = Reader::new(&mut source, *limits);
    let mut items = Vec::new();
    let mut entries = 0;
    while let Some(entry) = reader.next_entry()? {
        stop.check()?;
        entries += 1;
        Limits::check("entries", entries, limits.entries)?;
        let kind = match entry.kind {
            EntryKind::File if entry.map.is_none() => {
                ItemKind::File { offset: reader.position(), size: entry.size }
            }
            EntryKind::Symlink(target) => match String::from_utf8(target) {
                Ok(target) => ItemKind::Symlink(target),
                Err(_) => continue,
            },
            EntryKind::HardLink(target) => match String::from_utf8(target) {
                Ok(target) => ItemKind::HardLink(target),
                Err(_) => continue,
            },
            _ => continue,
        };
        let Ok(path) = String::from_utf8(entry.path) else { continue };
        items.push(Item { path: path.trim_start_matches("./").to_owned(), kind });
    }
    Ok(Listing::Items(items))
}

/// Decompresses `from` into the existing file `to`.
pub fn unpack(from: &Path, to: &Path, limits: &Limits, stop: &Stop) -> Result<Seen> {
    let blob = Blob::file(from);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(to)
        .map_err(|error| blob::io_error("open", to, &error))?;
    let mut written = 0u64;
    let ((), seen) = blob::read(&blob, limits, stop, |source| {
        loop {
            let bytes = source.fill()?;
            if bytes.is_empty() {
                return Ok(());
            }
            let count = bytes.len();
            written += count as u64;
            Limits::check("bytes", written, limits.bytes)?;
            file.write_all(bytes).map_err(|error| blob::io_error("write", to, &error))?;
            source.consume(count);
        }
    })?;
    Ok(seen)
}

/// A file read in pieces; skipped ranges are not read.
struct FileSource<'p> {
    file: File,
    path: &'p Path,
    buffer: Vec<u8>,
    consumed: usize,
    /// File offset of the end of the buffer.
    position: u64,
    size: u64,
}

const PIECE: usize = 64 << 10;

impl<'p> FileSource<'p> {
    fn new(file: File, path: &'p Path) -> Result<Self> {
        let size = file.metadata().map_err(|error| blob::io_error("fstat", path, &error))?.len();
        Ok(Self { file, path, buffer: Vec::with_capacity(PIECE), consumed: 0, position: 0, size })
    }
}

impl Source for FileSource<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        while self.consumed == self.buffer.len() {
            self.buffer.clear();
            self.consumed = 0;
            match rustix::io::read(&self.file, rustix::buffer::spare_capacity(&mut self.buffer)) {
                Ok(0) => break,
                Ok(count) => self.position += count as u64,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(Error::system("read", self.path.as_os_str().as_encoded_bytes(), errno));
                }
            }
        }
        Ok(&self.buffer[self.consumed..])
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count;
    }

    fn skip(&mut self, count: u64) -> Result<u64> {
        let buffered = (self.buffer.len() - self.consumed) as u64;
        if count <= buffered {
            self.consumed += usize::try_from(count).unwrap_or_default();
            return Ok(count);
        }
        let ahead = (count - buffered).min(self.size.saturating_sub(self.position));
        self.position += ahead;
        self.buffer.clear();
        self.consumed = 0;
        let seek = self.file.seek(SeekFrom::Start(self.position));
        seek.map_err(|error| blob::io_error("lseek", self.path, &error))?;
        Ok(buffered + ahead)
    }
}
