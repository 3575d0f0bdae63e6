//! The thread that computes all digests and checksums, so that the decompressing thread does nothing else.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use caisson_digest::Hasher;
use crc32fast::Hasher as Crc;

use crate::Result;
use crate::chunk::Chunk;
use crate::gzip::{Member, wrong_checksum};

/// Input of the thread, in stream order.
pub enum Work {
    /// As read from the blob.
    Stored(Arc<Chunk>),
    /// Output of the decompressor.
    Content(Arc<Chunk>),
    /// Uncompressed: both at once.
    Plain(Arc<Chunk>),
}

pub struct Verdict {
    /// Digest of the blob.
    pub stored: String,
    /// The diffID: digest of the decompressed stream.
    pub content: String,
    /// The result of the gzip members' checksums.
    pub members: Result<()>,
}

/// Processes `work` until its sender is dropped.
pub fn verify(work: &Receiver<Work>, mut stored: Hasher, mut content: Hasher) -> Verdict {
    let mut members = Members::default();
    // The same bytes need only one digest.
    let alike = stored.algorithm() == content.algorithm();
    let mut plain = false;
    while let Ok(work) = work.recv() {
        match work {
            Work::Stored(chunk) => stored.update(&chunk),
            Work::Content(chunk) => {
                content.update(&chunk);
                if let Some(ends) = &chunk.members {
                    members.update(&chunk, ends);
                }
            }
            Work::Plain(chunk) => {
                content.update(&chunk);
                plain = true;
                if !alike {
                    stored.update(&chunk);
                }
            }
        }
    }
    let content = content.digest();
    let stored = if plain && alike { content.clone() } else { stored.digest() };
    Verdict { stored, content, members: members.result }
}

struct Members {
    crc: Crc,
    length: u32,
    result: Result<()>,
}

impl Default for Members {
    fn default() -> Self {
        Self { crc: Crc::new(), length: 0, result: Ok(()) }
    }
}

impl Members {
    fn update(&mut self, chunk: &[u8], ends: &[Member]) {
        let mut start = 0;
        for member in ends {
            self.add(&chunk[start..member.end]);
            start = member.end;
            let sum = std::mem::take(&mut self.crc).finalize();
            if (sum, std::mem::take(&mut self.length)) != (member.crc, member.length) {
                self.result = Err(wrong_checksum());
            }
        }
        self.add(&chunk[start..]);
    }

    fn add(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }
}
