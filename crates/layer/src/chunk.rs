//! Buffers shared by the decompressor, the verifier and the unpacker, and reused: fresh ones would cost a page fault
//! every 4 KiB.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use crate::gzip::Member;
use crate::{Error, Kind, Result};

/// Small enough for the hash to stay in cache, large enough to make hand-over cheap.
pub const CHUNK_SIZE: usize = 256 << 10;

#[derive(Default)]
pub struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    /// An empty buffer with the capacity of a chunk.
    pub fn take(&self) -> Vec<u8> {
        let reused = self.0.lock().ok().and_then(|mut free| free.pop());
        reused.unwrap_or_else(|| Vec::with_capacity(CHUNK_SIZE))
    }
}

/// A full buffer; the last owner returns it to the pool.
pub struct Chunk {
    bytes: Vec<u8>,
    /// The gzip members that end in this chunk, whose checksums are checked.
    pub members: Option<Vec<Member>>,
    pool: Arc<Pool>,
}

impl Chunk {
    pub fn new(bytes: Vec<u8>, members: Option<Vec<Member>>, pool: &Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { bytes, members, pool: Arc::clone(pool) })
    }
}

impl Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        if let Ok(mut free) = self.pool.0.lock() {
            free.push(bytes);
        }
    }
}

/// A source of decompressed bytes.
pub trait Source {
    /// The buffered bytes; empty only at the end.
    fn fill(&mut self) -> Result<&[u8]>;
    /// Marks `count` of them as read.
    fn consume(&mut self, count: usize);
    /// Skips up to `count` bytes; returns less at the end.
    fn skip(&mut self, count: u64) -> Result<u64> {
        let mut left = count;
        while left > 0 {
            let at_hand = self.fill()?.len();
            if at_hand == 0 {
                break;
            }
            let taken = at_hand.min(usize::try_from(left).unwrap_or(at_hand));
            self.consume(taken);
            left -= taken as u64;
        }
        Ok(count - left)
    }
}

impl Source for &[u8] {
    fn fill(&mut self) -> Result<&[u8]> {
        Ok(self)
    }
    fn consume(&mut self, count: usize) {
        *self = &self[count..];
    }
}

/// Chunks from the decompressing thread.
pub struct ChunkSource<'f> {
    receiver: Receiver<Arc<Chunk>>,
    current: Option<Arc<Chunk>>,
    position: usize,
    /// Set before the sender is dropped after a failure: then the end of the channel is not the end of the stream.
    failed: &'f AtomicBool,
}

impl<'f> ChunkSource<'f> {
    pub fn new(receiver: Receiver<Arc<Chunk>>, failed: &'f AtomicBool) -> Self {
        Self { receiver, current: None, position: 0, failed }
    }
}

impl Source for ChunkSource<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        if self.current.as_ref().is_none_or(|chunk| self.position == chunk.len()) {
            self.current = None; // return it to the pool before waiting for the next
            self.position = 0;
            match self.receiver.recv() {
                Ok(chunk) => self.current = Some(chunk),
                Err(_) if self.failed.load(Ordering::Acquire) => {
                    return Err(Error::new(Kind::Broken, "the layer could not be read"));
                }
                Err(_) => return Ok(&[]),
            }
        }
        Ok(self.current.as_ref().map_or(&[][..], |chunk| &chunk[self.position..]))
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}
