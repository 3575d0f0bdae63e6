//! PAX extended headers: `"%d %s=%s\n"`, length first. A malformed record is an error, never guessed at
//! (CVE-2026-33055).

use std::collections::BTreeMap;

use super::sparse::PaxSparse;
use super::{Time, acl};
use crate::{Error, Result};

/// Records of an `x` header for the next file. With `None` the header block applies.
#[derive(Debug, Default)]
pub struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub mtime: Option<Time>,
    /// By name; `true` if the value came in the unencoded form.
    xattrs: BTreeMap<Vec<u8>, (bool, Vec<u8>)>,
    pub sparse: PaxSparse,
}

impl Pax {
    /// Adds the records of one header body. Later records win; an empty value cancels an earlier one.
    pub fn parse(&mut self, mut body: &[u8]) -> Result<()> {
        while !body.is_empty() {
            let (key, value, rest) =
                record(body).ok_or_else(|| Error::invalid("a PAX header is malformed"))?;
            self.set(key, value)?;
            body = rest;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let bad = || Error::invalid(format!("the PAX record {} is malformed", key.escape_ascii()));
        let present = !value.is_empty();
        match key {
            b"path" | b"linkpath" if value.contains(&0) => return Err(bad()),
            b"path" => self.path = present.then(|| value.to_vec()),
            b"linkpath" => self.link = present.then(|| value.to_vec()),
            b"size" => self.size = present.then(|| decimal(value).ok_or_else(bad)).transpose()?,
            b"uid" => self.uid = present.then(|| signed(value).ok_or_else(bad)).transpose()?,
            b"gid" => self.gid = present.then(|| signed(value).ok_or_else(bad)).transpose()?,
            b"mtime" => self.mtime = present.then(|| time(value).ok_or_else(bad)).transpose()?,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.insert(name.to_vec(), (true, value.to_vec()));
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    let name = url_decoded(name).ok_or_else(bad)?;
                    let value = base64(value).ok_or_else(bad)?;
                    // The same attribute may come in both forms; the unencoded one takes precedence.
                    if self.xattrs.get(&name).is_none_or(|(exact, _)| !exact) {
                        self.xattrs.insert(name, (false, value));
                    }
                } else if let Some(kind) = key.strip_prefix(b"SCHILY.acl.") {
                    self.set_acl(key, kind, value);
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.set(key, value).ok_or_else(bad)?;
                }
            }
        }
        Ok(())
    }

    /// A list that cannot be parsed keeps the name of its record. No file system accepts such an attribute, so it is
    /// handled like every attribute that cannot be set.
    fn set_acl(&mut self, key: &[u8], kind: &[u8], text: &[u8]) {
        let name = match kind {
            b"access" => b"system.posix_acl_access".to_vec(),
            b"default" => b"system.posix_acl_default".to_vec(),
            _ => key.to_vec(),
        };
        if text.is_empty() {
            self.xattrs.remove(&name);
        } else if let Some(value) = acl::attribute(text).filter(|_| name != key) {
            self.xattrs.insert(name, (true, value));
        } else {
            self.xattrs.insert(key.to_vec(), (true, text.to_vec()));
        }
    }

    /// Extended attributes, each name once.
    pub fn take_xattrs(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        std::mem::take(&mut self.xattrs).into_iter().map(|(name, (_, value))| (name, value)).collect()
    }
}

/// Key, value and the remaining bytes.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = body.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&body[..space])?).ok()?;
    if length > body.len() || length < space + 3 {
        return None;
    }
    let (record, rest) = body.split_at(length);
    let line = record[space + 1..].strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    Some((&line[..equals], &line[equals + 1..], rest))
}

/// Digits only: no sign, no spaces.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => i64::try_from(decimal(digits)?).ok().map(|number| -number),
        None => i64::try_from(decimal(text)?).ok(),
    }
}

/// `-12.5` is 12.5 seconds before the epoch; digits beyond nanoseconds are truncated.
fn time(text: &[u8]) -> Option<Time> {
    let dot = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let mut seconds = if &text[..dot] == b"-" { 0 } else { signed(&text[..dot])? };
    let mut nanoseconds = 0;
    let mut unit = 100_000_000;
    for digit in text.get(dot + 1..).unwrap_or_default() {
        if !digit.is_ascii_digit() {
            return None;
        }
        nanoseconds += u32::from(digit - b'0') * unit;
        unit /= 10;
    }
    if text.starts_with(b"-") && nanoseconds > 0 {
        seconds = seconds.checked_sub(1)?;
        nanoseconds = 1_000_000_000 - nanoseconds;
    }
    Some(Time { seconds, nanoseconds })
}

fn url_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Some(bytes)
}

/// Standard alphabet; libarchive omits the padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.iter().filter(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &[u8]) -> Result<Pax> {
        let mut pax = Pax::default();
        pax.parse(body).map(|()| pax)
    }

    #[test]
    fn records_are_read_and_the_last_wins() {
        let pax = parsed(b"11 path=ab\n12 path=abc\n13 size=1234\n16 mtime=-12.25\n").unwrap();
        assert_eq!((pax.path.as_deref(), pax.size), (Some(&b"abc"[..]), Some(1234)));
        assert_eq!(pax.mtime, Some(Time { seconds: -13, nanoseconds: 750_000_000 }));
    }

    #[test]
    fn malformed_records_are_errors() {
        for bad in [
            &b"99 path=ab\n"[..],
            b"11 path=abc",
            b" path=a\n",
            b"9 =abcde\n",
            b"3 a\n",
            b"12 size=-12\n",
            b"13 path=a\0b\n\n",
            b"+9 path=a\n",
        ] {
            assert!(parsed(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn attributes_of_libarchive_are_decoded() {
        let mut pax = parsed(b"35 LIBARCHIVE.xattr.user.a%3Db=aGk\n").unwrap();
        assert_eq!(pax.take_xattrs(), [(b"user.a=b".to_vec(), b"hi".to_vec())]);
    }
}
