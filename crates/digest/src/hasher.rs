//! A hash in progress.

use sha2::{Digest, Sha384, Sha512};

use crate::sha256::Sha256;
use crate::{Algorithm, Result};

/// The state of one hash; a clone continues independently.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>), // 1.9 kB; the others have about 0.2 kB
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
            Algorithm::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
        })
    }

    /// The hasher for the algorithm of `digest` (`sha256:…`), which is fully validated.
    pub fn for_digest(digest: &str) -> Result<Self> {
        Algorithm::of_digest(digest).map(Self::new)
    }

    pub fn sha256() -> Self {
        Self::new(Algorithm::Sha256)
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha384(_) => Algorithm::Sha384,
            State::Sha512(_) => Algorithm::Sha512,
            State::Blake3(_) => Algorithm::Blake3,
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha384(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
            State::Blake3(hash) => drop(hash.update(bytes)),
        }
    }

    /// Updates both hashers. Two SHA-256 take less time than one after the other.
    pub fn update_two(one: &mut Self, two: &mut Self, first: &[u8], second: &[u8]) {
        if let (State::Sha256(one), State::Sha256(two)) = (&mut one.0, &mut two.0) {
            return Sha256::update_two(one, two, first, second);
        }
        one.update(first);
        two.update(second);
    }

    /// The hash of all input so far.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Sha256(hash) => hash.finish().to_vec(),
            State::Sha384(hash) => hash.finalize().to_vec(),
            State::Sha512(hash) => hash.finalize().to_vec(),
            State::Blake3(hash) => hash.finalize().as_bytes().to_vec(),
        }
    }

    /// The hash of all input so far, as `sha256:…`.
    pub fn digest(self) -> String {
        let algorithm = self.algorithm();
        algorithm.write(&self.finish())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.digest()
    }

    /// FIPS 180-4 example messages; BLAKE3's published test vectors for inputs of 0 and 5 bytes.
    #[test]
    fn known_messages_have_their_known_digests() {
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let million = vec![b'a'; 1_000_000];
        let vectors: [(&[u8], &str); 12] = [
            (b"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (two_blocks, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
            (&million, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
            (
                b"",
                "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
            ),
            (
                b"abc",
                "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                &million,
                "sha384:9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
            ),
            (
                b"",
                "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ),
            (
                b"abc",
                "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (
                &million,
                "sha512:e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973ebde0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
            ),
            (b"", "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
            (&[0, 1, 2, 3, 4], "blake3:b40b44dfd97e7a84a996a91af8b85188c66c126940ba7aad2e7ae6b385402aa2"),
        ];
        for (message, expected) in vectors {
            assert_eq!(digest(Algorithm::of_digest(expected).unwrap(), message), expected);
        }
    }

    #[test]
    fn sizes_are_those_of_the_hashes() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Hasher::new(algorithm).finish().len(), algorithm.size());
            assert_eq!(Algorithm::of_digest(&digest(algorithm, b"x")), Ok(algorithm));
        }
    }

    /// Without these instructions hashing takes four times as long, and no other test would notice.
    #[cfg(target_arch = "x86_64")]
    #[test]
    #[allow(clippy::print_stdout)] // a skipped test says why
    fn the_sha_instructions_are_in_the_code() {
        let has = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" sha_ni "));
        if !has {
            println!("SKIPPED: this processor has no SHA instructions");
            return;
        }
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // SHA256RNDS2 xmm, xmm: 0F 38 CB /r
        assert!(program.windows(3).filter(|bytes| *bytes == [0x0f, 0x38, 0xcb]).count() >= 8);
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
        ) {
            let whole = chunks.concat();
            for algorithm in Algorithm::ALL {
                let mut hasher = Hasher::new(algorithm);
                for chunk in &chunks {
                    let before = hasher.clone();
                    hasher.update(chunk);
                    drop(before.finish()); // a clone does not change the original
                }
                prop_assert_eq!(hasher.digest(), digest(algorithm, &whole));
            }
        }

        #[test]
        fn one_changed_bit_changes_the_digest(
            mut bytes in proptest::collection::vec(any::<u8>(), 1..200), at in any::<usize>(), bit in 0u8..8,
        ) {
            let before = Algorithm::ALL.map(|algorithm| digest(algorithm, &bytes));
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            for (algorithm, before) in Algorithm::ALL.into_iter().zip(before) {
                prop_assert_ne!(digest(algorithm, &bytes), before);
            }
        }
    }
}
