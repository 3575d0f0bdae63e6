//! Calls that are also sub-calls of `socketcall` or `ipc`, which older architectures have. A sub-call's number is an
//! argument of the multiplexer; the arguments of a socket call are in memory, where no filter can read them.

use crate::{Argument, Operator};

pub(crate) const MULTIPLEXERS: [&str; 2] = ["socketcall", "ipc"];
const SOCKETCALL: usize = 0;
const IPC: usize = 1;

/// The sub-call of a multiplexer that a name represents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubCall {
    /// The index in `MULTIPLEXERS`.
    pub multiplexer: usize,
    number: u64,
}

/// Sub-calls of linux/net.h and linux/ipc.h.
const SUB_CALLS: [(&str, SubCall); 32] = {
    const fn socket(number: u64) -> SubCall {
        SubCall { multiplexer: SOCKETCALL, number }
    }
    const fn ipc(number: u64) -> SubCall {
        SubCall { multiplexer: IPC, number }
    }
    [
        ("accept", socket(5)),
        ("accept4", socket(18)),
        ("bind", socket(2)),
        ("connect", socket(3)),
        ("getpeername", socket(7)),
        ("getsockname", socket(6)),
        ("getsockopt", socket(15)),
        ("listen", socket(4)),
        ("msgctl", ipc(14)),
        ("msgget", ipc(13)),
        ("msgrcv", ipc(12)),
        ("msgsnd", ipc(11)),
        ("recv", socket(10)),
        ("recvfrom", socket(12)),
        ("recvmmsg", socket(19)),
        ("recvmsg", socket(17)),
        ("semctl", ipc(3)),
        ("semget", ipc(2)),
        ("semop", ipc(1)),
        ("semtimedop", ipc(4)),
        ("send", socket(9)),
        ("sendmmsg", socket(20)),
        ("sendmsg", socket(16)),
        ("sendto", socket(11)),
        ("setsockopt", socket(14)),
        ("shmat", ipc(21)),
        ("shmctl", ipc(24)),
        ("shmdt", ipc(22)),
        ("shmget", ipc(23)),
        ("shutdown", socket(13)),
        ("socket", socket(1)),
        ("socketpair", socket(8)),
    ]
};

impl SubCall {
    pub fn of(name: &str) -> Option<Self> {
        SUB_CALLS.binary_search_by_key(&name, |(name, _)| name).ok().map(|index| SUB_CALLS[index].1)
    }

    /// SECURITY: `ipc` takes a version in the upper half of the argument and ignores it for most sub-calls; comparing
    /// the whole word would let a denied sub-call through.
    pub fn condition(self) -> Argument {
        let mask = if self.multiplexer == IPC { 0xffff } else { u64::from(u32::MAX) };
        Argument { index: 0, value: mask, value_two: Some(self.number), op: Operator::MaskedEqual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(SUB_CALLS.is_sorted_by(|(before, _), (after, _)| before < after));
        assert_eq!(SubCall::of("semop").map(|call| call.condition().value), Some(0xffff));
        assert_eq!(SubCall::of("read"), None);
    }
}
