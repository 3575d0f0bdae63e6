//! Signal dispositions and the mask of a process that is about to become another program.

use crate::Result;
use crate::call::check;

/// Every signal back to its default action, nothing blocked: whatever the caller ignored (Node ignores SIGPIPE) or
/// blocked must not reach the program. execve(2) keeps both.
pub fn reset() -> Result<()> {
    // SAFETY: all-zero is SIG_DFL without flags, restorer and mask.
    let default: KernelSigaction = unsafe { std::mem::zeroed() };
    for number in 1..=64 {
        if number == libc::SIGKILL || number == libc::SIGSTOP {
            continue;
        }
        // The libraries hide the signals that they reserve (32 and 33) but the program must get those too: raw calls.
        // SAFETY: `default` is a live kernel_sigaction, the old one is not asked for; 8 is the size of its mask.
        let value = unsafe {
            libc::syscall(libc::SYS_rt_sigaction, number, &raw const default, std::ptr::null::<u8>(), 8usize)
        };
        check(value, "rt_sigaction", || format!("{number}, SIG_DFL, NULL, 8"))?;
    }
    let nothing = 0u64;
    // SAFETY: `nothing` is a live mask of the 8 bytes announced.
    let value = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const nothing,
            std::ptr::null::<u64>(),
            8usize,
        )
    };
    check(value, "rt_sigprocmask", || "SIG_SETMASK, [], NULL, 8".to_owned()).map(drop)
}

/// struct kernel_sigaction of x86-64 and aarch64, which differs from the C library's.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}
