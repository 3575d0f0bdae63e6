//! gzip framing (RFC 1952) as a push parser: any number of members, zeros after the last. zlib-rs decodes the deflate
//! streams; the verifying thread compares the checksums (see [`Member`]), off the critical path.

use crc32fast::Hasher as Crc;
use flate2::{Decompress, FlushDecompress, Status};

use crate::{Error, Result};

/// The end of a member and its trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Position of its end in the chunk that holds its last byte.
    pub end: usize,
    pub crc: u32,
    /// Length modulo 2^32.
    pub length: u32,
}

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;
const RESERVED: u8 = 0xe0;

#[derive(Debug, Clone, Copy)]
enum State {
    /// The ten fixed bytes, with the number seen so far.
    Fixed(usize),
    ExtraLength(usize, u16),
    Extra(u16),
    /// Name and comment end with a zero byte.
    Name,
    Comment,
    HeaderCrc(usize, u16),
    Body,
    Trailer(usize, [u8; 8]),
    /// After a member: another member, or zeros to the end.
    Between,
    Padding,
}

pub struct Gzip {
    state: State,
    flags: u8,
    header_crc: Crc,
    stream: Decompress,
}

impl Gzip {
    pub fn new() -> Self {
        let stream = Decompress::new(false);
        Self { state: State::Fixed(0), flags: 0, header_crc: Crc::new(), stream }
    }

    /// Consumes some of `input`, appends to `out` within its capacity, and returns a member that ended.
    pub fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Member>> {
        if let (State::Between, Some(byte)) = (self.state, input.first()) {
            self.state = if *byte == 0 { State::Padding } else { self.next_member() };
        }
        if let State::Body = self.state {
            let before = self.stream.total_in();
            let status = self.stream.decompress_vec(input, out, FlushDecompress::None).map_err(|error| {
                Error::invalid(format!("the gzip stream of the layer is damaged: {error}"))
            })?;
            let read = usize::try_from(self.stream.total_in() - before).unwrap_or(input.len());
            *input = &input[read..];
            if status != Status::StreamEnd {
                return Ok(None);
            }
            self.state = State::Trailer(0, [0; 8]); // continue at once: only the trailer may be left
        }
        match self.state {
            State::Padding => {
                if input.iter().any(|byte| *byte != 0) {
                    return Err(Error::invalid("the gzip stream of the layer is followed by something else"));
                }
                *input = &[];
            }
            State::Trailer(seen, mut bytes) => {
                let count = input.len().min(8 - seen);
                bytes[seen..seen + count].copy_from_slice(&input[..count]);
                *input = &input[count..];
                self.state = State::Trailer(seen + count, bytes);
                if seen + count == 8 {
                    self.state = State::Between;
                    let [a, b, c, d, e, f, g, h] = bytes;
                    let (crc, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
                    // An empty member adds nothing to the checksum: any number of them takes no memory.
                    if self.stream.total_out() == 0 {
                        let empty = (crc, length) == (0, 0);
                        return if empty { Ok(None) } else { Err(wrong_checksum()) };
                    }
                    return Ok(Some(Member { end: out.len(), crc, length }));
                }
            }
            State::Between | State::Body => {}
            _ => {
                while !matches!(self.state, State::Body) {
                    let Some((byte, rest)) = input.split_first() else { break };
                    *input = rest;
                    self.header(*byte)?;
                }
            }
        }
        Ok(None)
    }

    fn next_member(&mut self) -> State {
        self.stream.reset(false);
        self.header_crc.reset();
        State::Fixed(0)
    }

    /// Whether the input may end here.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Between | State::Padding)
    }

    fn header(&mut self, byte: u8) -> Result<()> {
        let bad = |what: &str| Err(Error::invalid(format!("the gzip stream of the layer has {what}")));
        if !matches!(self.state, State::HeaderCrc(..)) {
            self.header_crc.update(&[byte]);
        }
        self.state = match self.state {
            State::Fixed(at) => match (at, byte) {
                (0, 0x1f) | (1, 0x8b) | (2, 8) | (4..=8, _) => State::Fixed(at + 1),
                (3, flags) if flags & RESERVED == 0 => {
                    self.flags = flags;
                    State::Fixed(4)
                }
                (9, _) => self.after(0),
                (3, _) => return bad("reserved flags"),
                (2, _) => return bad("an unknown compression method"),
                _ => return bad("something else after a member"),
            },
            State::ExtraLength(0, _) => State::ExtraLength(1, byte.into()),
            State::ExtraLength(_, low) => match low | u16::from(byte) << 8 {
                0 => self.after(EXTRA),
                length => State::Extra(length),
            },
            State::Extra(1) => self.after(EXTRA),
            State::Extra(left) => State::Extra(left - 1),
            State::Name if byte == 0 => self.after(NAME),
            State::Comment if byte == 0 => self.after(COMMENT),
            State::HeaderCrc(0, _) => State::HeaderCrc(1, byte.into()),
            State::HeaderCrc(_, low) => {
                if low | u16::from(byte) << 8 != self.header_crc.clone().finalize() as u16 {
                    return bad("a header with a wrong checksum");
                }
                State::Body
            }
            other => other,
        };
        Ok(())
    }

    /// The next optional field after `done`, in the order of the format.
    fn after(&self, done: u8) -> State {
        let fields = [
            (EXTRA, State::ExtraLength(0, 0)),
            (NAME, State::Name),
            (COMMENT, State::Comment),
            (HEADER_CRC, State::HeaderCrc(0, 0)),
        ];
        let start = fields.iter().position(|(flag, _)| *flag == done).map_or(0, |at| at + 1);
        let next = fields[start..].iter().find(|(flag, _)| self.flags & flag != 0);
        next.map_or(State::Body, |(_, state)| *state)
    }
}

pub fn wrong_checksum() -> Error {
    Error::invalid("the gzip stream of the layer has a wrong checksum")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, GzBuilder};
    use std::io::Write;

    /// Decodes everything in pieces of `size`.
    fn decoded(bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<Member>)> {
        let (mut gzip, mut out, mut members) = (Gzip::new(), Vec::with_capacity(1 << 16), Vec::new());
        for piece in bytes.chunks(size) {
            let mut input = piece;
            while !input.is_empty() {
                members.extend(gzip.step(&mut input, &mut out)?);
            }
        }
        if gzip.is_complete() { Ok((out, members)) } else { Err(Error::invalid("cut short")) }
    }

    fn member(content: &[u8]) -> Vec<u8> {
        let builder = GzBuilder::new().filename("name").comment("comment").extra(vec![1, 2, 3, 4]).mtime(7);
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_with_every_field_are_read_in_pieces_of_any_size() {
        let stream = [member(b"one"), member(b""), member(b"three"), vec![0; 5]].concat();
        for size in [1, 2, 3, 7, 1000] {
            let (out, members) = decoded(&stream, size).unwrap();
            assert_eq!(out, b"onethree", "{size}");
            assert_eq!(members.iter().map(|member| member.end).collect::<Vec<_>>(), [3, 8]);
            let mut crc = Crc::new();
            crc.update(b"three");
            assert_eq!((members[1].crc, members[1].length), (crc.finalize(), 5));
        }
    }

    #[test]
    fn what_is_no_gzip_is_refused() {
        let good = member(b"content");
        let change = |at: usize, byte: u8| [&good[..at], &[byte], &good[at + 1..]].concat();
        let trailing = [&good[..], b"x"].concat();
        let after_zeros = [&good[..], b"\0x"].concat();
        for (what, bad) in [
            ("magic", change(1, 0)),
            ("method", change(2, 9)),
            ("reserved", change(3, 0xff)),
            ("body", change(good.len() - 10, 0xff)),
            ("short", good[..good.len() - 1].to_vec()),
            ("header only", good[..12].to_vec()),
            ("trailing", trailing),
            ("after zeros", after_zeros),
        ] {
            assert!(decoded(&bad, 1000).is_err(), "{what}");
        }
    }

    #[test]
    fn a_checksum_of_the_header_is_checked() {
        let plain = {
            let mut encoder = GzBuilder::new().write(Vec::new(), Compression::fast());
            encoder.write_all(b"x").unwrap();
            encoder.finish().unwrap()
        };
        let mut header = plain[..10].to_vec();
        header[3] = HEADER_CRC;
        let mut crc = Crc::new();
        crc.update(&header);
        let sum = (crc.finalize() as u16).to_le_bytes();
        let good = [&header, &sum[..], &plain[10..]].concat();
        assert_eq!(decoded(&good, 1000).unwrap().0, b"x");
        let bad = [&header, &[sum[0] ^ 1, sum[1]][..], &plain[10..]].concat();
        assert!(decoded(&bad, 1000).is_err());
    }
}
