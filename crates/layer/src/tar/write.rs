//! Writes reproducible tar: ustar, with a PAX header only for what ustar cannot represent, no user names, times as
//! given.

use std::io::{self, Write};

use super::{BLOCK, Entry, EntryKind};

pub struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
}

const BUFFER_SIZE: usize = 256 << 10;

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Self {
        Self { out, buffer: Vec::new() }
    }

    /// Writes the header of `entry` and, for a file, exactly `entry.size` bytes of `body`.
    pub fn append(&mut self, entry: &Entry, body: &mut dyn io::Read) -> io::Result<()> {
        self.start(entry)?;
        if entry.kind == EntryKind::File && entry.size > 0 {
            self.copy(body, entry.size)?;
            self.end(entry.size)?;
        }
        Ok(())
    }

    /// A piece of the body of the current file.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Ends a body of `size` bytes.
    pub fn end(&mut self, size: u64) -> io::Result<()> {
        self.pad(size)
    }

    /// Writes the header of `entry`. For a file, [`Self::data`] with exactly `entry.size` bytes and [`Self::end`] must
    /// follow.
    pub fn start(&mut self, entry: &Entry) -> io::Result<()> {
        let mut records: Vec<u8> = Vec::new();
        let (flag, link): (u8, &[u8]) = match &entry.kind {
            EntryKind::File => (b'0', b""),
            EntryKind::Directory => (b'5', b""),
            EntryKind::Symlink(target) => (b'2', target),
            EntryKind::HardLink(target) => (b'1', target),
            EntryKind::CharDevice(..) => (b'3', b""),
            EntryKind::BlockDevice(..) => (b'4', b""),
            EntryKind::Fifo => (b'6', b""),
            EntryKind::Unknown(flag) => {
                let message = format!("an entry of type {flag:#x} cannot be written");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        };
        let size = if entry.kind == EntryKind::File { entry.size } else { 0 };
        let mut block = [0u8; BLOCK];
        let (prefix, name) = split(&entry.path);
        if prefix.len() > 155 || name.len() > 100 {
            record(&mut records, b"path", &entry.path);
        }
        text(&mut block, 0, 100, name);
        text(&mut block, 345, 155, prefix);
        if link.len() > 100 {
            record(&mut records, b"linkpath", link);
        }
        text(&mut block, 157, 100, link);
        for (start, length, value, key) in [
            (100, 8, i128::from(entry.mode & 0o7777), &b"mode"[..]),
            (108, 8, i128::from(entry.uid), b"uid"),
            (116, 8, i128::from(entry.gid), b"gid"),
            (124, 12, i128::from(size), b"size"),
        ] {
            if !octal(&mut block, start, length, value) {
                record(&mut records, key, value.to_string().as_bytes());
            }
        }
        let time = entry.mtime;
        if !octal(&mut block, 136, 12, i128::from(time.seconds)) || time.nanoseconds != 0 {
            record(&mut records, b"mtime", decimal_time(time).as_bytes());
        }
        if let EntryKind::CharDevice(major, minor) | EntryKind::BlockDevice(major, minor) = entry.kind
            && !(octal(&mut block, 329, 8, i128::from(major)) && octal(&mut block, 337, 8, i128::from(minor)))
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a device number is too large for tar"));
        }
        let mut xattrs: Vec<_> = entry.xattrs.iter().collect();
        xattrs.sort();
        for (name, value) in xattrs {
            if name.contains(&b'=') {
                let key = [b"LIBARCHIVE.xattr.", url_encoded(name).as_bytes()].concat();
                record(&mut records, &key, base64(value).as_bytes());
            } else {
                record(&mut records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
            }
        }
        if !records.is_empty() {
            let mut extended = [0u8; BLOCK];
            text(&mut extended, 0, 100, b"././@PaxHeader");
            octal(&mut extended, 100, 8, 0o644);
            octal(&mut extended, 108, 8, 0);
            octal(&mut extended, 116, 8, 0);
            octal(&mut extended, 124, 12, records.len() as i128);
            octal(&mut extended, 136, 12, 0);
            self.block(&mut extended, b'x')?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.block(&mut block, flag)
    }

    fn copy(&mut self, body: &mut dyn io::Read, size: u64) -> io::Result<()> {
        self.buffer.resize(BUFFER_SIZE, 0);
        let mut left = size;
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(BUFFER_SIZE).min(BUFFER_SIZE);
            match body.read(&mut self.buffer[..room]) {
                Ok(0) => {
                    let message = "a file shrank while it was packed";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
                }
                Ok(count) => {
                    self.out.write_all(&self.buffer[..count])?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the end marker and returns the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn block(&mut self, block: &mut [u8; BLOCK], flag: u8) -> io::Result<()> {
        block[156] = flag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&*block)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let rest = (size % BLOCK as u64) as usize;
        if rest == 0 { Ok(()) } else { self.out.write_all(&[0; BLOCK][rest..]) }
    }
}

/// Splits a path into prefix and name at a slash; the prefix is empty if the name fits.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    if path.len() <= 100 {
        return (b"", path);
    }
    let start = path.len() - 101;
    // The trailing slash of a directory belongs to the name.
    match path[start..path.len() - 1].iter().position(|byte| *byte == b'/') {
        Some(at) if start + at > 0 => (&path[..start + at], &path[start + at + 1..]),
        _ => (&[0; 156], path), // invalid prefix, which requires a PAX record
    }
}

fn text(block: &mut [u8; BLOCK], start: usize, length: usize, value: &[u8]) {
    let count = value.len().min(length);
    block[start..start + count].copy_from_slice(&value[..count]);
}

/// False if the value does not fit or is negative: the field is 0 then.
fn octal(block: &mut [u8; BLOCK], start: usize, length: usize, value: i128) -> bool {
    let fits = value >= 0 && value < 1 << (3 * (length - 1));
    let shown = if fits { value } else { 0 };
    let digits = format!("{shown:0width$o}\0", width = length - 1);
    block[start..start + length].copy_from_slice(digits.as_bytes());
    fits
}

/// `"%d key=value\n"`; the number includes its own digits.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

/// A PAX key ends at the first `=`: a name that contains one is encoded as libarchive does.
fn url_encoded(name: &[u8]) -> String {
    let mut text = String::new();
    for byte in name {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'=' | b'%') => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Without padding, as libarchive writes it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

fn decimal_time(time: super::Time) -> String {
    if time.nanoseconds == 0 {
        return time.seconds.to_string();
    }
    if time.seconds >= 0 {
        let text = format!("{}.{:09}", time.seconds, time.nanoseconds);
        return text.trim_end_matches('0').to_owned();
    }
    let text = format!("-{}.{:09}", -(time.seconds + 1), 1_000_000_000 - time.nanoseconds);
    text.trim_end_matches('0').to_owned()
}
