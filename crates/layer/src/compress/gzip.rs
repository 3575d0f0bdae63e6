//! One gzip member in blocks that are compressed independently: each block has the preceding 32 KiB as its dictionary
//! and ends at a byte boundary, so that the concatenation is one deflate stream (RFC 1951, RFC 1952).

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::{Error, Kind, Result};

/// The window of deflate.
const WINDOW: usize = 32 << 10;

/// No name, no time, unknown operating system: the same bytes everywhere.
pub fn header(level: u32) -> [u8; 10] {
    let strength = match level {
        9 => 2,
        1 => 4,
        _ => 0,
    };
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, strength, 255]
}

/// Checksum and length of the uncompressed data.
pub fn trailer(crc: u32, length: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    bytes[4..].copy_from_slice(&(length as u32).to_le_bytes()); // modulo 2^32 (RFC 1952)
    bytes
}

/// Compresses one block; `before` is the preceding block.
///
/// Each call creates a new state: a reset one keeps traces of its previous block, and the output would depend on which
/// thread compressed which block.
pub fn block(level: u32, before: Option<&[u8]>, block: &[u8], last: bool) -> Result<Vec<u8>> {
    let broken = |what: &str| Error::new(Kind::System, format!("deflate: {what}"));
    let mut state = Compress::new(Compression::new(level), false);
    if let Some(before) = before {
        let window = &before[before.len().saturating_sub(WINDOW)..];
        state.set_dictionary(window).map_err(|error| broken(&error.to_string()))?;
    }
    // Leaves room for incompressible input, so that one call suffices.
    let mut out = Vec::with_capacity(block.len() + block.len() / 1000 + 1024);
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    loop {
        let read = state.total_in() as usize;
        let status = state
            .compress_vec(&block[read..], &mut out, flush)
            .map_err(|error| broken(&error.to_string()))?;
        let done = match status {
            Status::StreamEnd => true,
            // A flush is complete when it leaves spare capacity.
            Status::Ok | Status::BufError => {
                !last && state.total_in() as usize == block.len() && out.len() < out.capacity()
            }
        };
        if done {
            return Ok(out);
        }
        out.reserve(out.capacity().max(1024));
    }
}
