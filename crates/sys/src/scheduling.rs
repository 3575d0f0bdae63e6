//! How the scheduler treats a thread: sched(7).

use std::time::Duration;

use crate::Result;
use crate::call::check;

/// `struct sched_attr` of `linux/sched/types.h`, in its first size.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

const SCHED_FLAG_KEEP_POLICY: u64 = 0x08;

/// `sched_setattr(0, { sched_runtime: slice }, 0)`: how long the calling thread, and those that it starts from now on, want
/// to run in one piece, 0.1 to 100 ms. A thread that wakes up and asks for less goes first. Linux 6.12; older kernels take
/// no notice. [sched_setattr(2)](https://man7.org/linux/man-pages/man2/sched_setattr.2.html)
pub fn set_slice(slice: Duration) -> Result<()> {
    // SAFETY: takes two numbers. It cannot fail for the calling thread.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: 0,
        flags: SCHED_FLAG_KEEP_POLICY,
        nice,
        priority: 0,
        runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a structure of ours.
    let value = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    check(value, "sched_setattr", || format!("0, {{sched_runtime={slice:?}}}, 0")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_policy_and_its_niceness() {
        let seen = std::thread::spawn(|| {
            set_slice(Duration::from_millis(20)).unwrap();
            // SAFETY: both take numbers only.
            unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) }
        });
        // SAFETY: as above.
        let before = unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
        assert_eq!(seen.join().unwrap(), before);
    }
}
