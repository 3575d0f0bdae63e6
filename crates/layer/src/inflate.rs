//! Decompression by pushing: compressed bytes in, full chunks out. gzip with any number of members, zstd with any number
//! of frames (skippable ones too, as zstd:chunked has them), or nothing.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::chunk::{CHUNK_SIZE, Chunk, Pool};
use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// What the first bytes say. Anything that is neither gzip nor zstd is taken for plain tar; the tar reader judges it.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
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
    None,
    Gzip(Gzip),
    Zstd { decoder: Box<Decoder<'static>>, inside_frame: bool },
}

enum Gzip {
    Member(Box<Decompress>),
    /// After a member: another one, or zeros up to the end.
    Between,
    Padding,
}

pub struct Inflate {
    codec: Codec,
    pool: Arc<Pool>,
    out: Vec<u8>,
    /// Bytes of finished chunks.
    pub produced: u64,
}

impl Inflate {
    pub fn new(compression: Compression, pool: &Arc<Pool>) -> Result<Self> {
        let codec = match compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip(Gzip::Member(Box::new(Decompress::new_gzip(15)))),
            Compression::Zstd => {
                let decoder = Decoder::new().map_err(|error| Error::invalid(format!("zstd: {error}")))?;
                Codec::Zstd { decoder: Box::new(decoder), inside_frame: true }
            }
        };
        Ok(Self { codec, pool: Arc::clone(pool), out: pool.take(), produced: 0 })
    }

    /// Takes all of `input`; every full chunk goes to `emit`.
    pub fn push(&mut self, mut input: &[u8], emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        loop {
            let before = self.out.len();
            let rest = input.len();
            let progress = self.step(&mut input)?;
            if self.out.len() == CHUNK_SIZE {
                self.flush(emit)?;
            } else if input.is_empty() {
                return Ok(());
            } else if !progress && self.out.len() == before && input.len() == rest {
                return Err(Error::invalid("the compressed layer makes no progress"));
            }
        }
    }

    /// The last chunk. A stream that stops in its middle is an error.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        match &self.codec {
            Codec::Gzip(Gzip::Member(_)) => {
                return Err(Error::invalid("the gzip stream of the layer is cut short"));
            }
            Codec::Zstd { inside_frame: true, .. } => {
                return Err(Error::invalid("the zstd stream of the layer is cut short"));
            }
            _ => {}
        }
        if self.out.is_empty() { Ok(()) } else { self.flush(emit) }
    }

    fn flush(&mut self, emit: &mut dyn FnMut(Arc<Chunk>) -> Result<()>) -> Result<()> {
        let full = std::mem::replace(&mut self.out, self.pool.take());
        self.produced += full.len() as u64;
        emit(Chunk::new(full, &self.pool))
    }

    /// Decompresses once, into the room that is left in `out`; true where only the state changed.
    fn step(&mut self, input: &mut &[u8]) -> Result<bool> {
        match &mut self.codec {
            Codec::None => {
                let count = input.len().min(CHUNK_SIZE - self.out.len());
                self.out.extend_from_slice(&input[..count]);
                *input = &input[count..];
                Ok(false)
            }
            Codec::Gzip(state) => state.step(input, &mut self.out),
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
                Ok(false)
            }
        }
    }
}

impl Gzip {
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Gzip::Member(stream) => {
                let before = stream.total_in();
                let status = stream.decompress_vec(input, out, FlushDecompress::None).map_err(|error| {
                    Error::invalid(format!("the gzip stream of the layer is damaged: {error}"))
                })?;
                let read = usize::try_from(stream.total_in() - before).unwrap_or(input.len());
                *input = &input[read..];
                if status == Status::StreamEnd {
                    *self = Gzip::Between;
                    return Ok(true);
                }
            }
            Gzip::Between => {
                match input.first() {
                    None => {}
                    Some(0) => *self = Gzip::Padding,
                    Some(_) => *self = Gzip::Member(Box::new(Decompress::new_gzip(15))),
                }
                return Ok(true);
            }
            Gzip::Padding => {
                if input.iter().any(|byte| *byte != 0) {
                    return Err(Error::invalid("the gzip stream of the layer is followed by something else"));
                }
                *input = &[];
            }
        }
        Ok(false)
    }
}
