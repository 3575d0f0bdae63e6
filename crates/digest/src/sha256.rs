//! SHA-256 with an accessible state, so that two computations can be interleaved. The compression function for one is
//! from the package `sha2`, the one for two is [`caisson_sys::sha256`].

use caisson_sys::sha256::{available, compress_two};
use sha2::block_api::compress256;

const BLOCK: usize = 64;

/// FIPS 180-4, section 5.3.3.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// Bytes hashed, including `pending`, the part after the last whole block.
    length: u64,
    pending: [u8; BLOCK],
}

impl Sha256 {
    pub fn new() -> Self {
        Self { state: START, length: 0, pending: [0; BLOCK] }
    }

    fn held(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        let held = self.held();
        self.length += bytes.len() as u64;
        if held > 0 {
            let (missing, rest) = bytes.split_at(bytes.len().min(BLOCK - held));
            self.pending[held..held + missing.len()].copy_from_slice(missing);
            if held + missing.len() < BLOCK {
                return;
            }
            compress256(&mut self.state, &[self.pending]);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks();
        compress256(&mut self.state, blocks);
        self.pending[..rest.len()].copy_from_slice(rest);
    }

    /// Updates both, in less time than one after the other if the processor supports it.
    pub fn update_two(one: &mut Self, two: &mut Self, first: &[u8], second: &[u8]) {
        let both = if one.held() + two.held() == 0 && available() {
            first.len().min(second.len()) / BLOCK * BLOCK
        } else {
            0
        };
        let ((first, first_rest), (second, second_rest)) = (first.split_at(both), second.split_at(both));
        if both > 0 {
            compress_two([&mut one.state, &mut two.state], [first.as_chunks().0, second.as_chunks().0]);
            one.length += both as u64;
            two.length += both as u64;
        }
        one.update(first_rest);
        two.update(second_rest);
    }

    /// The hash of all input so far: padding as in FIPS 180-4, section 5.1.1.
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.length.wrapping_mul(8).to_be_bytes();
        let mut padding = [0; BLOCK + 8];
        padding[0] = 0x80;
        let held = self.held();
        let zeros = if held < BLOCK - 8 { BLOCK - 8 - held } else { 2 * BLOCK - 8 - held };
        self.update(&padding[..zeros]);
        self.update(&bits);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest;

    use super::*;

    fn reference(bytes: &[u8]) -> [u8; 32] {
        sha2::Sha256::digest(bytes).into()
    }

    #[test]
    fn every_length_around_the_padding_is_that_of_the_package() {
        let bytes: Vec<u8> = (0..300u32).map(|number| (number * 7) as u8).collect();
        for length in 0..bytes.len() {
            let mut hash = Sha256::new();
            hash.update(&bytes[..length]);
            assert_eq!(hash.finish(), reference(&bytes[..length]), "{length}");
        }
    }

    proptest! {
        #[test]
        fn two_at_once_however_cut_are_those_of_the_package(
            pieces in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..300), proptest::collection::vec(any::<u8>(), 0..300)), 0..6),
            aligned in any::<bool>(),
        ) {
            let (mut one, mut two) = (Sha256::new(), Sha256::new());
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for (mut left, mut right) in pieces {
                if aligned { // or the second piece would hardly ever start at a block boundary
                    left.truncate(left.len() / BLOCK * BLOCK);
                    right.truncate(right.len() / BLOCK * BLOCK);
                }
                Sha256::update_two(&mut one, &mut two, &left, &right);
                first.extend(left);
                second.extend(right);
            }
            prop_assert_eq!(one.finish(), reference(&first));
            prop_assert_eq!(two.finish(), reference(&second));
        }
    }
}
