//! Push decompression: compressed bytes in, full chunks out. The input is gzip with any number of members, zstd with
//! any number of frames (including the skippable ones of zstd:chunked), or uncompressed.

use std::sync::Arc;

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::chunk::{CHUNK_SIZE, Chunk, Pool};
use crate::gzip::{Gzip, Member};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Detects the compression by its magic number. Anything else is taken for plain tar, which the tar reader checks.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// The suffix in media types; `none` for uncompressed.
    pub fn word(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "plain tar",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

enum Codec {
    Gzip(Box<Gzip>),
    Zstd { decoder: Box<Decoder<'static>>, inside_frame: bool },
}

/// Limit for one chunk: small members must not accumulate.
const MAX_MEMBERS: usize = 1024;

pub struct Inflate {
    codec: Codec,
    pool: Arc<Pool>,
    out: Vec<u8>,
    members: Vec<Member>,
    /// Bytes of finished chunks.
    pub produced: u64,
}

impl Inflate {
    pub fn new(compression: Compression, pool: &Arc<Pool>) -> Result<Self> {
        let codec = match compression {
            Compression::None => return Err(Error::invalid("the layer is not compressed")),
            Compression::Gzip => Codec::Gzip(Box::new(Gzip::new())),
            Compression::Zstd => {
                let decoder = Decoder::new().map_err(|error| Error::invalid(format!("zstd: {error}")))?;
                Codec::Zstd { decoder: Box::new(decoder), inside_frame: true }
            }
        };
        Ok(Self { codec, pool: Arc::clone(pool), out: pool.take(), members: Vec::new(), produced: 0 })
    }

    /// Consumes all of `input` and passes every full chunk to `emit`.
    pub fn push(&mut self, mut input: &[u8], emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        loop {
            let before = self.out.len();
            let rest = input.len();
            self.step(&mut input)?;
            if self.out.len() == CHUNK_SIZE || self.members.len() == MAX_MEMBERS {
                self.flush(emit)?;
            } else if input.is_empty() {
                return Ok(());
            } else if self.out.len() == before && input.len() == rest {
                return Err(Error::invalid("the compressed layer makes no progress"));
            }
        }
    }

    /// Emits the last chunk. A truncated stream is an error.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        match &self.codec {
            Codec::Gzip(gzip) if !gzip.is_complete() => {
                return Err(Error::invalid("the gzip stream of the layer is cut short"));
            }
            Codec::Zstd { inside_frame: true, .. } => {
                return Err(Error::invalid("the zstd stream of the layer is cut short"));
            }
            _ => {}
        }
        if self.out.is_empty() && self.members.is_empty() { Ok(()) } else { self.flush(emit) }
    }

    fn flush(&mut self, emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        let full = std::mem::replace(&mut self.out, self.pool.take());
        self.produced += full.len() as u64;
        let members = std::mem::take(&mut self.members);
        let is_gzip = matches!(self.codec, Codec::Gzip(_));
        emit(Chunk::new(full, is_gzip.then_some(members), &self.pool))
    }

    /// Decompresses once, into the spare capacity of `out`.
    fn step(&mut self, input: &mut &[u8]) -> Result<()> {
        match &mut self.codec {
            Codec::Gzip(gzip) => self.members.extend(gzip.step(input, &mut self.out)?),
            Codec::Zstd { decoder, inside_frame } => {
                let length = self.out.len();
                self.out.resize(CHUNK_SIZE, 0);
                let mut source = InBuffer::around(input);
                let mut target = OutBuffer::around_pos(&mut self.out[..], length);
                let hint = decoder.run(&mut source, &mut target);
                let (read, written) = (source.pos(), target.pos());
                self.out.truncate(written);
                *input = &input[read..];
                match hint {
                    Ok(hint) => *inside_frame = hint != 0,
                    Err(error) => {
                        return Err(Error::invalid(format!(
                            "the zstd stream of the layer is damaged: {error}"
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}
