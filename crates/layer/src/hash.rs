//! Digests of streams, in the text form of the image specification (`sha256:…`).

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::{Error, Kind, Result};

pub enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// The hasher for the algorithm of `digest` (`sha256:…`). The digest is checked in full: nothing unchecked ever
    /// becomes part of a path or a comparison.
    pub fn for_digest(digest: &str) -> Result<Self> {
        let (algorithm, encoded) = digest.split_once(':').unwrap_or((digest, ""));
        let (hasher, length) = match algorithm {
            "sha256" => (Hasher::Sha256(Sha256::new()), 64),
            "sha384" => (Hasher::Sha384(Sha384::new()), 96),
            "sha512" => (Hasher::Sha512(Sha512::new()), 128),
            _ => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("digest algorithm {algorithm:?} is not supported"),
                ));
            }
        };
        if encoded.len() != length || !encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::new(Kind::Image, format!("{digest:?} is not a valid digest")));
        }
        Ok(hasher)
    }

    pub fn sha256() -> Self {
        Hasher::Sha256(Sha256::new())
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hash) => hash.update(bytes),
            Hasher::Sha384(hash) => hash.update(bytes),
            Hasher::Sha512(hash) => hash.update(bytes),
        }
    }

    /// `sha256:…` of everything so far.
    pub fn digest(self) -> String {
        match self {
            Hasher::Sha256(hash) => text("sha256", &hash.finalize()),
            Hasher::Sha384(hash) => text("sha384", &hash.finalize()),
            Hasher::Sha512(hash) => text("sha512", &hash.finalize()),
        }
    }
}

fn text(algorithm: &str, hash: &[u8]) -> String {
    let mut text = format!("{algorithm}:");
    for byte in hash {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_string_has_its_well_known_digest() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Hasher::for_digest(empty).unwrap().digest(), empty);
    }

    #[test]
    fn paths_and_upper_case_are_no_digests() {
        for bad in ["sha256:../../etc/passwd", "sha256:", "sha256", &format!("sha256:{}", "A".repeat(64))] {
            assert!(Hasher::for_digest(bad).is_err(), "{bad}");
        }
    }
}
