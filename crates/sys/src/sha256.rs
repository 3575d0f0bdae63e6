//! Two SHA-256 computations at once with the SHA instructions of x86-64. One alone waits most of the time: each of its
//! steps needs the result of the one before. A second one, in the gaps, takes a quarter more time for twice the work.
//! [FIPS 180-4](https://csrc.nist.gov/pubs/fips/180-4/upd1/final), section 6.2.2.

/// Whether [`compress_two`] can be called here.
pub fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha")
        && std::arch::is_x86_feature_detected!("sse4.1")
        && std::arch::is_x86_feature_detected!("ssse3");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Takes as many blocks into each of the two states as both have. Panics where it is not [`available`].
pub fn compress_two(states: [&mut [u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
    assert!(available(), "the SHA instructions are missing");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has the features that the function is compiled for, as was just checked.
    unsafe {
        x86::compress_two(states, blocks);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (states, blocks);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// FIPS 180-4, section 4.2.2.
    const K: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    /// The state as the instructions want it: the words a, b, e, f in one register, c, d, g, h in the other.
    type State = [__m128i; 2];

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn packed(state: &[u32; 8]) -> State {
        let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
        [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)]
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn unpacked([abef, cdgh]: State) -> [u32; 8] {
        let words = [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ];
        words.map(i32::cast_unsigned)
    }

    /// The sixteen words of a block, big-endian in memory.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn words(block: &[u8; 64]) -> [__m128i; 4] {
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let (quarters, _) = block.as_chunks::<16>();
        std::array::from_fn(|at| {
            // SAFETY: the pointer is to 16 bytes of the block, and the load needs no alignment.
            let quarter = unsafe { _mm_loadu_si128(quarters[at].as_ptr().cast()) };
            _mm_shuffle_epi8(quarter, swap)
        })
    }

    /// Four rounds of one computation, the `step`th of sixteen, with its part of the message schedule.
    #[inline]
    #[target_feature(enable = "sha,sse4.1,ssse3")]
    fn four_rounds(step: usize, constants: __m128i, state: &mut State, schedule: &mut [__m128i; 4]) {
        if step >= 4 {
            let word = |ahead: usize| schedule[(step + ahead) % 4];
            let sum =
                _mm_add_epi32(_mm_sha256msg1_epu32(word(0), word(1)), _mm_alignr_epi8::<4>(word(3), word(2)));
            schedule[step % 4] = _mm_sha256msg2_epu32(sum, word(3));
        }
        let input = _mm_add_epi32(schedule[step % 4], constants);
        let [abef, cdgh] = state;
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, input);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(input));
    }

    #[target_feature(enable = "sha,sse4.1,ssse3")]
    pub fn compress_two(states: [&mut [u32; 8]; 2], blocks: [&[[u8; 64]]; 2]) {
        let [mut one, mut two] = [packed(states[0]), packed(states[1])];
        for (first, second) in blocks[0].iter().zip(blocks[1]) {
            let before = [one, two];
            let (mut one_words, mut two_words) = (words(first), words(second));
            for step in 0..16 {
                let [a, b, c, d] = std::array::from_fn(|at| K[4 * step + at].cast_signed());
                let constants = _mm_set_epi32(d, c, b, a);
                four_rounds(step, constants, &mut one, &mut one_words);
                four_rounds(step, constants, &mut two, &mut two_words);
            }
            for half in 0..2 {
                one[half] = _mm_add_epi32(one[half], before[0][half]);
                two[half] = _mm_add_epi32(two[half], before[1][half]);
            }
        }
        *states[0] = unpacked(one);
        *states[1] = unpacked(two);
    }
}

#[cfg(test)]
mod tests {
    use sha2::block_api::compress256;

    use super::*;

    #[test]
    #[allow(clippy::print_stdout)] // a skipped test says why
    fn two_at_once_are_what_each_is_alone() {
        if !available() {
            println!("SKIPPED: this processor has no SHA instructions");
            return;
        }
        let mut random = 1u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.rotate_left(16)
        };
        for (left, right) in [(0, 0), (1, 1), (2, 2), (17, 17), (3, 5), (9, 0), (200, 201)] {
            let mut states: [[u32; 8]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| next()));
            let mut expected = states;
            let blocks = [left, right].map(|count| {
                (0..count).map(|_| std::array::from_fn(|_| next() as u8)).collect::<Vec<[u8; 64]>>()
            });
            let both = left.min(right);
            for lane in 0..2 {
                compress256(&mut expected[lane], &blocks[lane][..both]);
            }
            let [one, two] = &mut states;
            compress_two([one, two], [&blocks[0], &blocks[1]]);
            assert_eq!(states, expected, "{left} and {right} blocks");
        }
    }
}
