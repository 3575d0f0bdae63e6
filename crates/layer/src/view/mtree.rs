//! A view as a text file: mtree(5), one line per path, readable by bsdtar and go-mtree.

use std::collections::HashMap;
use std::io::{self, Write};

use super::{Item, View};
use crate::tar::{Entry, EntryKind, Time};
use crate::{Error, Kind, Result};

const HEAD: &[u8] = b"#mtree v2.0\n";

/// Writes `view`, sorted. Extended attributes are in base64, as their values are bytes; hard links share `inode`.
pub fn write(view: &View, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEAD)?;
    let shared: HashMap<(u64, u64), usize> = {
        let names = view.names();
        let several = names.into_iter().filter(|(_, names)| names.len() > 1);
        several.enumerate().map(|(number, (file, _))| (file, number + 1)).collect()
    };
    for (path, item) in &view.items {
        let Entry { kind, mode, uid, gid, mtime, size, xattrs, .. } = &item.entry;
        out.write_all(b".")?;
        if !path.is_empty() {
            out.write_all(b"/")?;
            out.write_all(&escape(path))?;
        }
        let name = match kind {
            EntryKind::File => "file",
            EntryKind::Directory => "dir",
            EntryKind::Symlink(_) => "link",
            EntryKind::CharDevice(..) => "char",
            EntryKind::BlockDevice(..) => "block",
            EntryKind::Fifo => "fifo",
            EntryKind::HardLink(_) | EntryKind::Unknown(_) => continue, // views do not contain hard links
        };
        write!(out, " type={name} mode=0{mode:03o} uid={uid} gid={gid} time={}.000000000", mtime.seconds)?;
        match kind {
            EntryKind::File => write!(out, " size={size}")?,
            EntryKind::CharDevice(major, minor) | EntryKind::BlockDevice(major, minor) => {
                write!(out, " device=linux,{major},{minor}")?;
            }
            EntryKind::Symlink(target) => {
                out.write_all(b" link=")?;
                out.write_all(&escape(target))?;
            }
            _ => {}
        }
        if let Some(digest) = item.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:")) {
            write!(out, " sha256digest={digest}")?;
        }
        if let Some(number) = shared.get(&item.file).filter(|_| *kind != EntryKind::Directory) {
            write!(out, " inode={number}")?;
        }
        for (name, value) in xattrs {
            out.write_all(b" xattr.")?;
            out.write_all(&escape(name))?;
            write!(out, "={}", encode(value))?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Parses the output of [`write()`]. Nothing is silently ignored: an unknown keyword is an error.
pub fn parse(bytes: &[u8]) -> Result<View> {
    let mut view = View::default();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let bad = |what: &str| {
            Error::new(Kind::Option, format!("line {} of the manifest: {what}", index + 1))
                .hint("only manifests that caisson wrote are read")
        };
        let mut words = line.split(|byte| *byte == b' ');
        let path = words.next().unwrap_or_default();
        let path = match path.strip_prefix(b"./") {
            Some(path) => unescape(path).ok_or_else(|| bad("its path is malformed"))?,
            None if path == b"." => Vec::new(),
            None => return Err(bad("its path does not begin with ./")),
        };
        let item = item(path.clone(), words, index as u64).map_err(|what| bad(&what))?;
        view.items.insert(path, item);
    }
    Ok(view)
}

fn item<'w>(
    path: Vec<u8>,
    words: impl Iterator<Item = &'w [u8]>,
    line: u64,
) -> std::result::Result<Item, String> {
    let mut entry = Entry {
        path,
        kind: EntryKind::Unknown(0),
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: Time::default(),
        stored: 0,
        size: 0,
        map: None,
        xattrs: Vec::new(),
    };
    let (mut kind, mut link, mut device) = (None, Vec::new(), (0, 0));
    let (mut file, mut digest) = ((1, line), None);
    for word in words {
        let shown = || String::from_utf8_lossy(word).into_owned();
        let at =
            word.iter().position(|byte| *byte == b'=').ok_or_else(|| format!("{} has no value", shown()))?;
        let (key, value) = (&word[..at], &word[at + 1..]);
        let text = || std::str::from_utf8(value).map_err(|_| format!("{} is no text", shown()));
        let number = || -> std::result::Result<u64, String> {
            text()?.parse().map_err(|_| format!("{} is no number", shown()))
        };
        let id =
            || number().and_then(|id| u32::try_from(id).map_err(|_| format!("{} is out of range", shown())));
        match key {
            b"type" => kind = Some(text()?),
            b"mode" => {
                entry.mode = u32::from_str_radix(text()?, 8).map_err(|_| format!("{} is no mode", shown()))?
            }
            b"uid" => entry.uid = id()?,
            b"gid" => entry.gid = id()?,
            b"size" => entry.size = number()?,
            b"time" => {
                let seconds = text()?.split('.').next().unwrap_or_default();
                entry.mtime.seconds = seconds.parse().map_err(|_| format!("{} is no time", shown()))?;
            }
            b"link" => link = unescape(value).ok_or_else(|| format!("{} is malformed", shown()))?,
            b"device" => {
                let parts: Vec<&str> = text()?.split(',').collect();
                let [_, major, minor] = parts[..] else { return Err(format!("{} is no device", shown())) };
                let part = |part: &str| part.parse().map_err(|_| format!("{} is no device", shown()));
                device = (part(major)?, part(minor)?);
            }
            b"sha256digest" => digest = Some(format!("sha256:{}", text()?)),
            b"inode" => file = (0, number()?),
            _ => {
                let name = key.strip_prefix(b"xattr.").and_then(unescape);
                let name = name.ok_or_else(|| format!("{} is not known", shown()))?;
                let value = decode(value).ok_or_else(|| format!("{} is no base64", shown()))?;
                entry.xattrs.push((name, value));
            }
        }
    }
    entry.kind = match kind {
        Some("file") => EntryKind::File,
        Some("dir") => EntryKind::Directory,
        Some("link") => EntryKind::Symlink(link),
        Some("char") => EntryKind::CharDevice(device.0, device.1),
        Some("block") => EntryKind::BlockDevice(device.0, device.1),
        Some("fifo") => EntryKind::Fifo,
        other => return Err(format!("the type {other:?} is not known")),
    };
    entry.stored = entry.size;
    Ok(Item { entry, file, digest })
}

/// Escapes bytes other than visible ASCII, and those with a meaning in the file, as `\ooo`.
fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' | b'#' | b'=' | b'*' | b'?' | b'[' => {
                escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes())
            }
            0x21..=0x7e => escaped.push(*byte),
            _ => escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    escaped
}

fn unescape(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'\\' {
            plain.push(*byte);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..3)?).ok()?;
        plain.push(u8::from_str_radix(digits, 8).ok()?);
        rest = &after[3..];
    }
    Some(plain)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let digit = char::from(ALPHABET[(bits >> (18 - 6 * index)) as usize & 63]);
            text.push(if index <= group.len() { digit } else { '=' });
        }
    }
    text
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.chunks(4) {
        let digits = group.iter().take_while(|digit| **digit != b'=').count();
        if group.len() != 4 || digits < 2 {
            return None;
        }
        let mut bits = 0u32;
        for digit in &group[..digits] {
            let value = ALPHABET.iter().position(|letter| letter == digit)?;
            bits = bits << 6 | value as u32;
        }
        bits <<= 6 * (4 - digits);
        bytes.extend_from_slice(&bits.to_be_bytes()[1..digits]);
    }
    Some(bytes)
}
