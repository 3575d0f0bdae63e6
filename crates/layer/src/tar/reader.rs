//! Reads a tar stream entry by entry. The body of an entry is read with [`Reader::body`] or skipped by `next_entry`.

use super::header::{Dialect, Header};
use super::pax::Pax;
use super::{BLOCK, Entry, EntryKind, Time, sparse};
use crate::chunk::Source;
use crate::{Error, Limits, Result};

pub struct Reader<'s> {
    source: &'s mut dyn Source,
    limits: Limits,
    /// Unread bytes of the current body, including its padding.
    remaining: u64,
    padding: u64,
    /// Bytes read from the stream.
    position: u64,
    done: bool,
}

/// Records of `L`, `K` and `x` headers for the next file.
#[derive(Default)]
struct Pending {
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Pax,
    bytes: u64,
}

impl<'s> Reader<'s> {
    pub fn new(source: &'s mut dyn Source, limits: Limits) -> Self {
        Self { source, limits, remaining: 0, padding: 0, position: 0, done: false }
    }

    /// The next entry, or `None` at the end marker or the end of the stream.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut pending = Pending::default();
        self.skip_body()?;
        while let Some(block) = self.next_header()? {
            let header = Header(&block);
            match header.type_flag() {
                // The size in *this* header applies, whatever a preceding `x` says about the file (CVE-2025-62518).
                b'x' | b'X' => {
                    let body = self.extended(&header, &mut pending)?;
                    pending.pax.parse(&body)?;
                }
                b'L' => pending.long_path = Some(until_nul(self.extended(&header, &mut pending)?)),
                b'K' => pending.long_link = Some(until_nul(self.extended(&header, &mut pending)?)),
                // Global records would change every later entry. No layer needs them (git writes a comment).
                b'g' => drop(self.extended(&header, &mut Pending::default())?),
                _ => return self.entry(&block, pending).map(Some),
            }
        }
        if pending.bytes > 0 {
            return Err(Error::invalid("the archive ends after an extended header"));
        }
        Ok(None)
    }

    /// Passes the stored bytes of the current entry to `sink` in chunks.
    pub fn body(&mut self, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while self.remaining > 0 {
            let bytes = self.source.fill()?;
            if bytes.is_empty() {
                return Err(cut_short());
            }
            let count = bytes.len().min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
            sink(&bytes[..count])?;
            self.source.consume(count);
            self.position += count as u64;
            self.remaining -= count as u64;
        }
        Ok(())
    }

    /// COMPAT(umoci): `insert` up to 0.4.7 wrote neither the padding of the last file nor an end marker. Go's reader,
    /// and so every engine, accepts such layers; the body must be complete.
    fn skip_body(&mut self) -> Result<()> {
        let count = self.remaining + self.padding;
        let skipped = self.source.skip(count)?;
        self.position += skipped;
        if skipped < self.remaining {
            return Err(cut_short());
        }
        self.done |= skipped < count;
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }

    /// The position of the current body in the stream, before any of it is read.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn set_body(&mut self, size: u64) -> Result<()> {
        // The padding must not overflow either.
        if size > i64::MAX as u64 {
            return Err(Error::invalid("an entry has an impossible size"));
        }
        self.remaining = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(())
    }

    /// A verified header block; `None` at the end.
    fn next_header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        if self.done {
            return Ok(None);
        }
        self.skip_body()?;
        let is_first = self.position == 0;
        let not_an_archive =
            |error: Error| if is_first { Error::invalid("not a tar archive") } else { error };
        let Some(block) = self.block().map_err(not_an_archive)? else {
            self.done = true;
            return Ok(None);
        };
        if !Header(&block).is_zero() {
            Header(&block).verify().map_err(not_an_archive)?;
            return Ok(Some(block));
        }
        self.done = true;
        match self.block()? {
            Some(second) if !Header(&second).is_zero() => {
                Err(Error::invalid("the archive goes on after a single zero block"))
            }
            _ => Ok(None),
        }
    }

    /// 512 bytes; `None` at the end of the stream.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let bytes = self.source.fill()?;
            if bytes.is_empty() {
                return if filled == 0 { Ok(None) } else { Err(cut_short()) };
            }
            let count = bytes.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.source.consume(count);
            filled += count;
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    /// The body of an extended header, which is held in memory and therefore limited.
    fn extended(&mut self, header: &Header<'_>, pending: &mut Pending) -> Result<Vec<u8>> {
        let size = header.size()?;
        pending.bytes = pending.bytes.saturating_add(size).saturating_add(BLOCK as u64);
        Limits::check("bytes of headers", pending.bytes, self.limits.header_bytes)?;
        self.set_body(size)?;
        let mut body = Vec::new();
        self.body(&mut |bytes| {
            body.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(body)
    }

    fn entry(&mut self, block: &[u8; BLOCK], pending: Pending) -> Result<Entry> {
        let header = Header(block);
        let Pending { long_path, long_link, mut pax, .. } = pending;
        let path = pax.sparse.name.take().or(pax.path.take()).or(long_path).unwrap_or_else(|| header.path());
        let link = pax.link.take().or(long_link).unwrap_or_else(|| header.link());
        let flag = header.type_flag();
        let kind = match flag {
            b'0' | 0 | b'7' | b'S' if path.ends_with(b"/") => EntryKind::Directory,
            b'0' | 0 | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink(link),
            b'2' => EntryKind::Symlink(link),
            b'3' => header.device().map(|(major, minor)| EntryKind::CharDevice(major, minor))?,
            b'4' => header.device().map(|(major, minor)| EntryKind::BlockDevice(major, minor))?,
            b'5' => EntryKind::Directory,
            b'6' => EntryKind::Fifo,
            other => EntryKind::Unknown(other),
        };
        // Links, devices, directories and FIFOs have no body, whatever their size field says.
        let mut stored = match flag {
            b'1'..=b'6' => 0,
            _ => pax.size.map_or_else(|| header.size(), Ok)?,
        };
        let (mut map, mut size) = (pax.sparse.map()?, pax.sparse.size);
        if flag == b'S' && header.dialect() != Dialect::Ustar {
            let (real, first, mut more) = sparse::gnu_header(block)?;
            let mut whole = first;
            while more {
                let extension = self.block()?.ok_or_else(cut_short)?;
                more = sparse::gnu_extension(&extension, &mut whole)?;
                Limits::check("bytes of headers", whole.len() as u64 * 24, self.limits.header_bytes)?;
            }
            (map, size) = (Some(whole), Some(real));
        }
        self.set_body(stored)?;
        if pax.sparse.map_in_body() && kind == EntryKind::File {
            let (whole, taken) = self.body_map()?;
            stored -= taken;
            map = Some(whole);
        }
        let size = if map.is_some() { size.unwrap_or(stored) } else { stored };
        if let Some(map) = &mut map {
            map.retain(|(_, length)| *length > 0);
            sparse::check(map, size, stored)?;
        }
        Ok(Entry {
            kind,
            mode: header.mode()?,
            uid: owner(pax.uid.map_or_else(|| header.uid(), Ok)?, "uid")?,
            gid: owner(pax.gid.map_or_else(|| header.gid(), Ok)?, "gid")?,
            mtime: pax
                .mtime
                .map_or_else(|| header.mtime().map(|seconds| Time { seconds, nanoseconds: 0 }), Ok)?,
            stored,
            size,
            map,
            xattrs: pax.take_xattrs(),
            path,
        })
    }

    fn body_map(&mut self) -> Result<(sparse::Map, u64)> {
        let limits = self.limits;
        sparse::body_map(&limits, || {
            if self.remaining < BLOCK as u64 {
                return Err(Error::invalid("a sparse map is longer than its file"));
            }
            self.remaining -= BLOCK as u64;
            self.block()?.ok_or_else(cut_short)
        })
    }
}

fn cut_short() -> Error {
    Error::invalid("the archive is cut short")
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// -1 means "unchanged" to chown(2) and is not a valid id.
fn owner(id: i64, name: &str) -> Result<u32> {
    u32::try_from(id)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| Error::invalid(format!("an entry has the {name} {id}")))
}
