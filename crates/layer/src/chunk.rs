//! Buffers that go from the decompressor to the hasher and the unpacker at once and come back for re-use: at 1 MiB each,
//! fresh ones would cost a page fault every 4 KiB.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex};

use crate::{Error, Kind, Result};

/// Small enough for the cache of the hash, large enough that hand-over costs nothing.
pub const CHUNK_SIZE: usize = 1 << 20;

#[derive(Default)]
pub struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    /// An empty buffer with the capacity of a chunk.
    pub fn take(&self) -> Vec<u8> {
        let reused = self.0.lock().ok().and_then(|mut free| free.pop());
        reused.unwrap_or_else(|| Vec::with_capacity(CHUNK_SIZE))
    }
}

/// A full buffer; the last owner gives it back.
pub struct Chunk {
    bytes: Vec<u8>,
    pool: Arc<Pool>,
}

impl Chunk {
    pub fn new(bytes: Vec<u8>, pool: &Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { bytes, pool: Arc::clone(pool) })
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

/// Where decompressed bytes come from.
pub trait Source {
    /// The bytes at hand; empty only at the end.
    fn fill(&mut self) -> Result<&[u8]>;
    /// Takes `count` of them.
    fn consume(&mut self, count: usize);
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
    /// Set before the sender is dropped in failure: an end that is no end.
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
            self.current = None; // back to the pool before waiting for the next
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

/// Hands every chunk to the hasher and to the consumer.
pub struct Fan {
    pub hasher: SyncSender<Arc<Chunk>>,
    pub consumer: SyncSender<Arc<Chunk>>,
}

impl Fan {
    /// `Broken` when the consumer is gone: it knows why.
    pub fn send(&self, chunk: Arc<Chunk>) -> Result<()> {
        let hashed = self.hasher.send(Arc::clone(&chunk));
        let consumed = self.consumer.send(chunk);
        if hashed.is_ok() && consumed.is_ok() {
            return Ok(());
        }
        Err(Error::new(Kind::Broken, "the unpacker stopped"))
    }
}
