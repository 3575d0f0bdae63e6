//! Names of system calls and their numbers.

use crate::Architecture;
use crate::table::{BASES, CALLS};

/// The numbers of one name on every architecture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    row: usize,
}

impl Call {
    pub fn find(name: &str) -> Option<Self> {
        CALLS.binary_search_by_key(&name, |(name, _)| name).ok().map(|row| Self { row })
    }

    pub fn number(self, architecture: Architecture) -> Option<u32> {
        let column = architecture.column() as usize;
        u32::try_from(CALLS[self.row].1[column]).ok().map(|number| number + BASES[column])
    }
}

/// The number of a call; `None` where the architecture does not have it, or the name is unknown.
pub fn number(architecture: Architecture, name: &str) -> Option<u32> {
    Call::find(name)?.number(architecture)
}

/// The name of a call; `None` for a number that the table does not have.
pub fn name(architecture: Architecture, number: u32) -> Option<&'static str> {
    all(architecture).find(|(_, found)| *found == number).map(|(name, _)| name)
}

/// Every call of an architecture, sorted by name.
pub fn all(architecture: Architecture) -> impl Iterator<Item = (&'static str, u32)> {
    CALLS
        .iter()
        .enumerate()
        .filter_map(move |(row, (name, _))| Call { row }.number(architecture).map(|number| (*name, number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_numbers_of_an_architecture_unique() {
        assert!(CALLS.is_sorted_by(|(before, _), (after, _)| before < after));
        for architecture in Architecture::ALL {
            let mut numbers: Vec<(u32, &str)> =
                all(*architecture).map(|(name, number)| (number, name)).collect();
            numbers.sort_unstable();
            for pair in numbers.windows(2) {
                // Two names of one call.
                let alias = pair
                    .iter()
                    .all(|(_, name)| name.ends_with("sync_file_range") || name.ends_with("range2"));
                assert!(pair[0].0 != pair[1].0 || alias, "{architecture}: {pair:?}");
            }
        }
    }

    #[test]
    fn numbers_are_those_of_the_kernel() {
        use Architecture::{Aarch64, Arm, Mips, Mips64, Mips64N32, Riscv64, S390x, X32, X86, X86_64};
        for (architecture, name, wanted) in [
            (X86_64, "read", Some(0)),
            (X86_64, "mseal", Some(462)),
            (X86_64, "socketcall", None),
            (X86, "socketcall", Some(102)),
            (X86, "socket", Some(359)),
            (X86, "arch_prctl", Some(384)),
            (X32, "read", Some(0x4000_0000)),
            (X32, "ioctl", Some(0x4000_0000 + 514)),
            (Aarch64, "openat", Some(56)),
            (Aarch64, "open", None),
            (Arm, "cacheflush", Some(0xf0002)),
            (Riscv64, "riscv_flush_icache", Some(259)),
            (S390x, "openat2", Some(437)),
            (Mips, "read", Some(4003)),
            (Mips64, "read", Some(5000)),
            (Mips64N32, "read", Some(6000)),
            (X86_64, "no_such_call", None),
        ] {
            assert_eq!(number(architecture, name), wanted, "{name} on {architecture}");
        }
        assert_eq!(name(X86_64, 462), Some("mseal"));
        assert_eq!(name(X86_64, 4000), None);
    }
}
