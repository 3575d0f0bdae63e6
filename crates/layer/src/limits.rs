//! How much an image may ask for. Generous for real images, small against a bomb.

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
    /// Decompressed bytes per compressed byte of one layer; looked at after the first 64 MiB.
    pub ratio: u64,
}

/// Up to here a layer may be as compressible as it likes.
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

/// What callers call a limit; what the system itself limits they cannot raise.
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
