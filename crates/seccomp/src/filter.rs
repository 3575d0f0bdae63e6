//! A compiled profile: what seccomp(2) is given.

use caisson_flags::SeccompFlags;
use serde::{Deserialize, Serialize};

/// `BPF_MAXINSNS`: seccomp(2) refuses longer filters.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// `struct sock_filter`, an instruction of classic BPF.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instruction {
    pub code: u16,
    /// Instructions to skip where the comparison is true.
    pub jt: u8,
    /// And where it is false.
    pub jf: u8,
    pub k: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub instructions: Vec<Instruction>,
    /// All that seccomp(2) needs: those of the profile, and `NEW_LISTENER` where calls are notified.
    pub flags: SeccompFlags,
    pub notifies: bool,
    /// Names that no architecture of the filter knows, in the order of the profile.
    pub skipped: Vec<String>,
}
