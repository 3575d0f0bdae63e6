//! Which memory nodes a process gets its memory from: `set_mempolicy(2)`.

use caisson_flags::MemoryPolicy;

use crate::Result;
use crate::call::check;

/// `set_mempolicy(mode | flags, nodes, bits + 1)`: kept over execve(2).
///
/// ENOSYS: a kernel without CONFIG_NUMA. EINVAL: a node that the machine or the cpuset does not have, or a mode or flag
/// of a newer kernel.
pub fn set(policy: &MemoryPolicy) -> Result<()> {
    let mask = policy.nodes.mask();
    // The kernel reads one bit less than it is told.
    let bits = if mask.is_empty() { 0 } else { mask.len() * u64::BITS as usize + 1 };
    let pointer = if mask.is_empty() { std::ptr::null() } else { mask.as_ptr() };
    let mode = u64::from(policy.mode.number()) | policy.flags.bits();
    // SAFETY: NULL, or `bits - 1` bits of a live array; the kernel copies them.
    let value = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, pointer, bits) };
    check(value, "set_mempolicy", || {
        let flags = if policy.flags.is_empty() { String::new() } else { format!("|{:?}", policy.flags) };
        format!("{}{flags}, {{{}}}, {bits}", policy.mode.name(), policy.nodes)
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use caisson_flags::{MemoryPolicyFlags, MemoryPolicyMode};

    /// Mode and nodes that the kernel tells afterwards, in a thread of its own.
    fn told(mode: MemoryPolicyMode, flags: MemoryPolicyFlags, nodes: &str) -> Result<(i32, u64)> {
        let nodes = if nodes.is_empty() { Default::default() } else { nodes.parse().unwrap() };
        let policy = MemoryPolicy { mode, flags, nodes };
        let body = move || {
            set(&policy)?;
            let (mut mode, mut mask) = (0i32, [0u64; 16]);
            // SAFETY: the kernel writes a number and as many bits as there are.
            let value = unsafe {
                libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, mask.as_mut_ptr(), 1024, 0, 0)
            };
            check(value, "get_mempolicy", String::new).map(|_| (mode, mask[0]))
        };
        std::thread::spawn(body).join().unwrap()
    }

    #[test]
    fn the_last_node_of_the_mask_counts() {
        let none = MemoryPolicyFlags::empty();
        match told(MemoryPolicyMode::Bind, none, "0") {
            Err(error) if error.errno() == libc::ENOSYS => return,
            other => assert_eq!(other, Ok((2, 1))),
        }
        assert_eq!(told(MemoryPolicyMode::Default, none, ""), Ok((0, 0)));
        let static_nodes = MemoryPolicyFlags::STATIC_NODES;
        assert_eq!(told(MemoryPolicyMode::Interleave, static_nodes, "0"), Ok((3 | 1 << 15, 1)));
        // Static nodes are told as they were given: bit 63 of a mask of 64 is lost where the count is one too low.
        match told(MemoryPolicyMode::Bind, static_nodes, "0,63") {
            Err(error) => assert_eq!(error.errno(), libc::EINVAL, "a kernel for fewer nodes"),
            other => assert_eq!(other, Ok((2 | 1 << 15, 1 << 63 | 1))),
        }
        let error = told(MemoryPolicyMode::Bind, none, "63").unwrap_err();
        assert_eq!(error.to_string(), "set_mempolicy(MPOL_BIND, {63}, 65): EINVAL (Invalid argument)");
    }
}
