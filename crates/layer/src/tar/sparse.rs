//! Sparse files: GNU's old header form and the PAX forms 0.0, 0.1 and 1.0.

use super::BLOCK;
use super::header::Header;
use super::pax::decimal;
use crate::{Error, Limits, Result};

/// Offsets and lengths of the data, in order.
pub type Map = Vec<(u64, u64)>;

/// The `GNU.sparse.*` records of one file.
#[derive(Debug, Default)]
pub struct PaxSparse {
    pub name: Option<Vec<u8>>,
    /// `size` of 0.x and `realsize` of 1.0.
    pub size: Option<u64>,
    major: Option<u64>,
    /// 0.0 repeats `offset` and `numbytes`; 0.1 has one `map`.
    numbers: Vec<u64>,
    listed: bool,
}

impl PaxSparse {
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"name" => self.name = Some(value.to_vec()).filter(|name| !name.contains(&0)),
            b"size" | b"realsize" => self.size = Some(decimal(value)?),
            b"major" => self.major = Some(decimal(value)?),
            b"offset" | b"numbytes" => {
                // They must alternate.
                if (key == b"offset") != self.numbers.len().is_multiple_of(2) {
                    return None;
                }
                self.listed = true;
                self.numbers.push(decimal(value)?);
            }
            b"map" => {
                self.listed = true;
                self.numbers = Vec::new();
                if !value.is_empty() {
                    for number in value.split(|byte| *byte == b',') {
                        self.numbers.push(decimal(number)?);
                    }
                }
            }
            b"numblocks" => self.listed = true,
            _ => {}
        }
        Some(())
    }

    /// Whether the map is at the start of the body.
    pub fn map_in_body(&self) -> bool {
        self.major == Some(1)
    }

    /// The map of 0.0 and 0.1.
    pub fn map(&self) -> Result<Option<Map>> {
        if !self.listed || self.map_in_body() {
            return Ok(None);
        }
        if !self.numbers.len().is_multiple_of(2) {
            return Err(Error::invalid("a sparse map has an odd number of entries"));
        }
        Ok(Some(pairs(&self.numbers)))
    }
}

fn pairs(numbers: &[u64]) -> Map {
    numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Checks that the parts are in order, do not overlap, are inside the file, and match the stored size.
pub fn check(map: &Map, size: u64, stored: u64) -> Result<()> {
    let (mut end, mut total) = (0u64, 0u64);
    for (offset, length) in map {
        let stop = offset.checked_add(*length);
        if *offset < end || stop.is_none_or(|stop| stop > size) {
            return Err(Error::invalid("a sparse map is out of order or out of bounds"));
        }
        end = stop.unwrap_or(size);
        total += length;
    }
    if total == stored {
        return Ok(());
    }
    Err(Error::invalid(format!("a sparse map describes {total} bytes, the archive has {stored}")))
}

/// Adds `count` pairs of 12-byte fields from `start`; an empty field ends the list.
fn fields(block: &[u8; BLOCK], start: usize, count: usize, map: &mut Map) -> Result<()> {
    let header = Header(block);
    for index in 0..count {
        let at = start + index * 24;
        if block[at..at + 24].iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let number = |at| {
            u64::try_from(header.number(at, 12, "sparse map")?)
                .map_err(|_| Error::invalid("a sparse map has a negative number"))
        };
        map.push((number(at)?, number(at + 12)?));
    }
    Ok(())
}

/// Parses a GNU header of type `S`: the file size, the map so far, and whether more blocks follow.
pub fn gnu_header(block: &[u8; BLOCK]) -> Result<(u64, Map, bool)> {
    let mut map = Map::new();
    fields(block, 386, 4, &mut map)?;
    let size = u64::try_from(Header(block).number(483, 12, "real size")?)
        .map_err(|_| Error::invalid("a sparse file has a negative size"))?;
    Ok((size, map, block[482] != 0))
}

/// One more block of the map; true when another follows.
pub fn gnu_extension(block: &[u8; BLOCK], map: &mut Map) -> Result<bool> {
    fields(block, 0, 21, map)?;
    Ok(block[504] != 0)
}

/// The map of PAX 1.0: decimal lines at the start of the body, padded to a block. `next_block` reads one block. Returns
/// the map and its size in the body.
pub fn body_map(limits: &Limits, mut next_block: impl FnMut() -> Result<[u8; BLOCK]>) -> Result<(Map, u64)> {
    let mut taken = 0u64;
    let mut numbers: Vec<u64> = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    loop {
        let block = next_block()?;
        taken += BLOCK as u64;
        Limits::check("bytes of headers", taken, limits.header_bytes)?;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            numbers.push(decimal(&line).ok_or_else(|| Error::invalid("a sparse map is malformed"))?);
            line.clear();
            // The first number is the number of pairs.
            let wanted =
                numbers.first().and_then(|count| count.checked_mul(2)).and_then(|count| count.checked_add(1));
            if wanted == Some(numbers.len() as u64) {
                return Ok((pairs(&numbers[1..]), taken));
            }
        }
    }
}
