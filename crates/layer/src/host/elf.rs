//! The parts of ELF that a dynamic loader needs: the interpreter, DT_NEEDED, and the machine.

use crate::{Error, Kind, Result};

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// Path of the dynamic loader; `None` for static programs and libraries.
    pub interpreter: Option<String>,
    pub needed: Vec<String>,
    /// DT_RUNPATH, or else DT_RPATH, split at colons.
    pub run_path: Vec<String>,
    /// Class, byte order and machine, which a library must share.
    pub abi: (u8, u8, u16),
}

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const MAX_SEGMENTS: u64 = 512;
const MAX_DYNAMIC: u64 = 8192;

struct Image<'b> {
    bytes: &'b [u8],
    wide: bool,
    big_endian: bool,
}

impl<'b> Image<'b> {
    fn slice(&self, at: u64, length: u64) -> Option<&'b [u8]> {
        let start = usize::try_from(at).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
    }

    fn number(&self, at: u64, length: u64) -> Option<u64> {
        let bytes = self.slice(at, length)?;
        let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }

    /// An address-sized field.
    fn word(&self, at: u64) -> Option<u64> {
        self.number(at, if self.wide { 8 } else { 4 })
    }

    fn text(&self, at: u64) -> Option<String> {
        let rest = self.bytes.get(usize::try_from(at).ok()?..)?;
        let text = rest.split(|byte| *byte == 0).next()?;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

/// Parses the headers in `bytes`; `None` if it is not an ELF file.
pub fn parse(bytes: &[u8]) -> Result<Option<Elf>> {
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    read(bytes).map(Some).ok_or_else(|| Error::new(Kind::Unsupported, "the ELF headers make no sense"))
}

fn read(bytes: &[u8]) -> Option<Elf> {
    let (class, order) = (*bytes.get(4)?, *bytes.get(5)?);
    let image = Image { bytes, wide: class == 2, big_endian: order == 2 };
    let machine = u16::try_from(image.number(18, 2)?).ok()?;
    let mut elf = Elf { abi: (class, order, machine), ..Elf::default() };

    let table = image.word(if image.wide { 32 } else { 28 })?;
    let (entry_size, count) = if image.wide { (54, 56) } else { (42, 44) };
    let (entry_size, count) = (image.number(entry_size, 2)?, image.number(count, 2)?.min(MAX_SEGMENTS));
    let (mut loads, mut dynamic) = (Vec::new(), None);
    for index in 0..count {
        let at = table.checked_add(index * entry_size)?;
        let (offset, address, size) = if image.wide { (8, 16, 32) } else { (4, 8, 16) };
        let segment = (
            image.word(at.saturating_add(offset))?,
            image.word(at.saturating_add(address))?,
            image.word(at.saturating_add(size))?,
        );
        match image.number(at, 4)? {
            PT_LOAD => loads.push(segment),
            PT_DYNAMIC => dynamic = Some(segment),
            PT_INTERP => elf.interpreter = Some(image.text(segment.0)?),
            _ => {}
        }
    }

    let Some((start, _, size)) = dynamic else { return Some(elf) };
    let width = if image.wide { 8 } else { 4 };
    let (mut strings, mut needed, mut rpath, mut runpath) = (None, Vec::new(), None, None);
    for index in 0..(size / (2 * width)).min(MAX_DYNAMIC) {
        let at = start.checked_add(index * 2 * width)?;
        let value = image.word(at.saturating_add(width))?;
        match image.word(at)? {
            0 => break,
            DT_NEEDED => needed.push(value),
            DT_STRTAB => strings = Some(value),
            DT_RPATH => rpath = Some(value),
            DT_RUNPATH => runpath = Some(value),
            _ => {}
        }
    }
    // DT_STRTAB is an address: the segment loaded there gives the file offset.
    let Some(address) = strings else { return Some(elf) };
    let inside =
        |(_, start, size): &&(u64, u64, u64)| (*start..start.saturating_add(*size)).contains(&address);
    let (offset, start, _) = loads.iter().find(inside)?;
    let strings = offset.checked_add(address - start)?;
    for name in needed {
        elf.needed.push(image.text(strings.checked_add(name)?)?);
    }
    if let Some(path) = runpath.or(rpath) {
        let text = image.text(strings.checked_add(path)?)?;
        elf.run_path = text.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    }
    Some(elf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_names_its_loader() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let elf = parse(&bytes).unwrap().unwrap();
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.so")), "{elf:?}");
        assert!(elf.interpreter.is_some_and(|path| path.contains("/ld-")));
    }

    #[test]
    fn text_is_no_elf_and_damage_is_an_error() {
        assert_eq!(parse(b"#!/bin/sh\n").unwrap(), None);
        assert!(parse(b"\x7fELF\x02\x01").is_err());
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        for cut in [20, 64, 100, 600] {
            let _ = parse(&bytes[..cut]); // must not panic
        }
        bytes[32..40].fill(0xff);
        assert!(parse(&bytes).is_err());
    }
}
