//! Limits on what an image may consume: generous for real images, tight for a decompression bomb.

use crate::{Error, Kind, Result};

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of files in all layers, holes of sparse files included.
    pub bytes: u64,
    /// Entries in all layers.
    pub entries: u64,
    /// Components of one path.
    pub depth: usize,
    /// Bytes of extended headers (names, PAX records, sparse maps) of one entry.
    pub header_bytes: u64,
    /// Decompressed bytes per compressed byte of one layer, checked after the first 64 MiB.
    pub ratio: u64,
}

/// The ratio is not checked below this size.
const RATIO_FREE_BYTES: u64 = 64 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 4_000_000, depth: 512, header_bytes: 1 << 20, ratio: 500 }
    }
}

impl Limits {
    pub fn check(what: &str, found: u64, limit: u64) -> Result<()> {
        if found <= limit {
            return Ok(());
        }
        let error = Error::new(Kind::Limit, format!("the image exceeds the limit of {limit} {what}"));
        Err(match option_of(what) {
            Some(name) => error.hint(format!(
                "if the image can be trusted raise it: the option limits.{name}, --limit {name}=N on the command line"
            )),
            None => error,
        })
    }

    pub(crate) fn check_ratio(&self, compressed: u64, decompressed: u64) -> Result<()> {
        if decompressed <= RATIO_FREE_BYTES {
            return Ok(());
        }
        Self::check(
            "decompressed bytes per compressed byte",
            decompressed.div_ceil(compressed.max(1)),
            self.ratio,
        )
    }
}

/// The name of the option that raises a limit; limits of the system itself have none.
fn option_of(what: &str) -> Option<&'static str> {
    match what {
        "bytes" => Some("bytes"),
        "entries" => Some("entries"),
        "components in a path" => Some("depth"),
        "bytes of headers" => Some("headerBytes"),
        "decompressed bytes per compressed byte" => Some("ratio"),
        _ => None,
    }
}
