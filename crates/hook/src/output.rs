//! Output of a hook: the end of each stream is kept for the error message.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use caisson_sys::{Result, file, poll};

/// Bytes kept per stream.
const KEPT: usize = 4096;

pub struct Output {
    /// `None` after end of file.
    pub pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Output {
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), kept: vec![] }
    }

    /// Reads once; the pipe must be readable.
    pub fn read(&mut self) -> Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let chunk = file::read_some(pipe.as_fd())?;
        if chunk.is_empty() {
            self.pipe = None;
        }
        self.kept.extend(chunk);
        let surplus = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..surplus);
        Ok(())
    }

    /// Reads what is buffered. A background process of the hook may keep the pipe open forever.
    pub fn drain(&mut self) -> Result<()> {
        while let Some(pipe) = &self.pipe {
            if !poll::readable([pipe], Some(Duration::ZERO))?[0] {
                break;
            }
            self.read()?;
        }
        Ok(())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).trim().to_owned()
    }
}
