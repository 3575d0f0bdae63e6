//! The destination of the compressed bytes: counts, hashes and writes them.

use std::io::{self, Write};

use caisson_digest::Hasher;

pub struct Sink<W> {
    out: W,
    hasher: Hasher,
    count: u64,
}

impl<W: Write> Sink<W> {
    pub fn new(out: W) -> Self {
        Self { out, hasher: Hasher::sha256(), count: 0 }
    }

    /// Digest and number of bytes.
    pub fn finish(mut self) -> io::Result<(String, u64)> {
        self.out.flush()?;
        Ok((self.hasher.digest(), self.count))
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
