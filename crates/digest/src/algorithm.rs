//! The algorithms registered by the image specification, by their names in digests.

use std::fmt;
use std::str::FromStr;

use crate::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
    Blake3,
}

impl Algorithm {
    pub const ALL: [Algorithm; 4] = [Self::Sha256, Self::Sha384, Self::Sha512, Self::Blake3];

    /// The part before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// Size of a hash in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm of a fully validated digest: nothing unvalidated ever becomes part of a path or a comparison.
    pub fn of_digest(digest: &str) -> Result<Self, Error> {
        let (name, encoded) = digest.split_once(':').unwrap_or((digest, ""));
        let algorithm: Self = name.parse()?;
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if encoded.len() == algorithm.size() * 2 && encoded.bytes().all(hex) {
            return Ok(algorithm);
        }
        Err(Error::Invalid { digest: digest.to_owned(), algorithm })
    }

    /// A finished hash as `sha256:…`.
    pub(crate) fn write(self, hash: &[u8]) -> String {
        let mut text = String::with_capacity(self.name().len() + 1 + hash.len() * 2);
        text.push_str(self.name());
        text.push(':');
        for byte in hash {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        text
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        found.ok_or_else(|| Error::Unsupported(name.to_owned()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_checked_in_full() {
        for algorithm in Algorithm::ALL {
            let good = format!("{algorithm}:{}", "0f".repeat(algorithm.size()));
            assert_eq!(Algorithm::of_digest(&good), Ok(algorithm));
            for bad in [
                format!("{algorithm}:"),
                algorithm.to_string(),
                format!("{good}0"),
                good[..good.len() - 1].to_owned(),
                good.replace('f', "F"),
                good.replace('f', "g"),
                format!("{}\n", &good[..good.len() - 1]),
                format!("{algorithm}:{}", "../".repeat(algorithm.size()))[..good.len()].to_owned(),
            ] {
                assert!(matches!(Algorithm::of_digest(&bad), Err(Error::Invalid { .. })), "{bad}");
            }
        }
    }

    #[test]
    fn other_algorithms_are_unsupported() {
        for name in ["md5", "SHA256", "", "sha256 "] {
            assert_eq!(Algorithm::of_digest(&format!("{name}:00")), Err(Error::Unsupported(name.to_owned())));
        }
    }
}
