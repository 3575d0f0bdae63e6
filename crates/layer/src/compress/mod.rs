//! Writes a blob: bytes in, a compressed file out, with digest and diffID computed in the same pass.
//!
//! The caller's thread produces, one thread hashes the input, workers compress blocks, and one thread orders, hashes
//! and writes them. The output depends on the input and the settings alone, never on the number of threads, the machine
//! or the clock.

mod gzip;
mod pipeline;
mod sink;

use std::path::Path;

use crate::inflate::Compression;
use crate::{Error, Kind, Result};

pub use pipeline::{Sealed, Writing, output_error, write};

/// Compression settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub compression: Compression,
    /// 1 to 9 for gzip, 1 to 19 for zstd; `None` for the default (6 and 3).
    pub level: Option<u32>,
    /// Compressing threads; 0 for one per core. The output is the same for any number.
    pub threads: usize,
}

impl Settings {
    pub fn new(compression: Compression) -> Self {
        Self { compression, level: None, threads: 0 }
    }

    /// The level as a number, or an error if it is out of range.
    fn level(&self) -> Result<u32> {
        let (usual, highest) = match self.compression {
            Compression::None => (0, 0),
            Compression::Gzip => (6, 9),
            Compression::Zstd => (3, 19),
        };
        match self.level {
            None => Ok(usual),
            Some(level) if (1..=highest).contains(&level) => Ok(level),
            Some(level) if highest == 0 => {
                Err(Error::new(Kind::Option, format!("without compression there is no level {level}")))
            }
            Some(level) => {
                let name = self.compression.name();
                Err(Error::new(
                    Kind::Option,
                    format!("compression level {level} of {name} is not between 1 and {highest}"),
                ))
            }
        }
    }

    fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16),
            count => count.min(64),
        }
    }
}

/// Writes the file at `path`, created or truncated. It is on disk when this returns; after a failure its content is
/// undefined.
pub fn write_file<T>(
    path: &Path,
    settings: &Settings,
    stop: &crate::Stop,
    produce: impl FnOnce(&mut Writing<'_>) -> Result<T>,
) -> Result<(T, Sealed)> {
    let failed = |call, error: &std::io::Error| crate::blob::io_error(call, path, error);
    let file = std::fs::File::create(path).map_err(|error| failed("open", &error))?;
    let written = write(&file, settings, stop, produce)?;
    file.sync_all().map_err(|error| failed("fsync", &error))?;
    Ok(written)
}

#[cfg(test)]
mod tests;
