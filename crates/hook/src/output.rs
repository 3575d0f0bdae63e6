//! Output of a hook: the end of each stream is kept for the error message.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use caisson_sys::{Result, file, poll};

/// Bytes kept per stream.
const KEPT: usize = 4096;
/// Bytes read after the hook has ended: what the largest pipe of an ordinary user holds (pipe(7)).
const BUFFERED: usize = 1 << 20;

pub struct Output {
    /// `None` after end of file.
    pub pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Output {
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), kept: vec![] }
    }

    /// Reads once and returns the number of bytes; the pipe must be readable.
    pub fn read(&mut self) -> Result<usize> {
        let Some(pipe) = &self.pipe else { return Ok(0) };
        let chunk = file::read_some(pipe.as_fd())?;
        let count = chunk.len();
        if chunk.is_empty() {
            self.pipe = None;
        }
        self.kept.extend(chunk);
        let surplus = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..surplus);
        Ok(count)
    }

    /// Reads what is buffered. A background process of the hook may keep the pipe open, and write to it, forever.
    pub fn drain(&mut self) -> Result<()> {
        let mut rest = BUFFERED;
        while let Some(pipe) = &self.pipe {
            if rest == 0 || !poll::readable([pipe], Some(Duration::ZERO))?[0] {
                break;
            }
            rest = rest.saturating_sub(self.read()?);
        }
        Ok(())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim().to_owned()
    }
}
