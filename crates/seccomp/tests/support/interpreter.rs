//! Classic BPF as the kernel runs it for seccomp: the instructions that `seccomp_check_filter` admits, no others.

use caisson_seccomp::Instruction;

/// `struct seccomp_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub number: u32,
    pub architecture: u32,
    pub arguments: [u64; 6],
    pub is_little_endian: bool,
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        let halves = |value: u64| [(value & 0xffff_ffff) as u32, (value >> 32) as u32];
        match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => 0,
            16..64 if offset.is_multiple_of(4) => {
                let index = (offset - 16) / 4;
                let halves = halves(self.arguments[(index / 2) as usize]);
                halves[usize::from((index % 2 == 1) == self.is_little_endian)]
            }
            _ => panic!("load from offset {offset}"),
        }
    }
}

/// What the filter returns, and how many instructions that takes.
///
/// # Panics
/// Where the kernel would refuse the filter.
pub fn run(filter: &[Instruction], call: &Call) -> (u32, usize) {
    let mut accumulator = 0_u32;
    let mut at = 0;
    for steps in 1..=filter.len() {
        let Instruction { code, jt, jf, k } = filter[at];
        let mut branch = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => branch(accumulator == k),
            0x25 => branch(accumulator > k),
            0x35 => branch(accumulator >= k),
            0x45 => branch(accumulator & k != 0),
            0x06 => return (k, steps),
            other => panic!("opcode {other:#x}"),
        }
        at += 1;
    }
    panic!("the filter does not return");
}

/// What `bpf_check_classic` demands of every instruction, run or not.
///
/// # Panics
/// Where the kernel would refuse the filter.
pub fn verify(filter: &[Instruction]) {
    assert!((1..=4096).contains(&filter.len()), "{} instructions", filter.len());
    for (at, Instruction { code, jt, jf, k }) in filter.iter().enumerate() {
        let left = filter.len() - at - 1;
        match code {
            0x05 => assert!((*k as usize) < left, "jump out of the filter at {at}"),
            0x15 | 0x25 | 0x35 | 0x45 => {
                assert!(
                    usize::from(*jt) < left && usize::from(*jf) < left,
                    "branch out of the filter at {at}"
                );
            }
            0x20 | 0x54 | 0x06 => {}
            other => panic!("opcode {other:#x} at {at}"),
        }
    }
    assert_eq!(filter.last().map(|last| last.code), Some(0x06), "the last instruction returns");
}
