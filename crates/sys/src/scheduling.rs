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

const MOST_NICE: i32 = 19;
const SCHED_FLAG_KEEP_POLICY: u64 = 0x08;

/// `sched_setattr(0, { sched_nice: nice + steps, sched_runtime: slice }, 0)`: the calling thread, and those that it
/// starts from now on, are nicer than before, and want to run for so long in one piece, 0.1 to 100 ms: a thread that
/// wakes up and asks for less goes first (Linux 6.12; older kernels only look at the niceness).
/// [sched_setattr(2)](https://man7.org/linux/man-pages/man2/sched_setattr.2.html)
pub fn step_back(steps: i32, slice: Duration) -> Result<()> {
    // SAFETY: takes two numbers. It cannot fail for the calling thread.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: 0,
        flags: SCHED_FLAG_KEEP_POLICY,
        nice: (nice + steps).min(MOST_NICE),
        priority: 0,
        runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a structure of ours.
    let value = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    check(value, "sched_setattr", || {
        format!("0, {{sched_nice={}, sched_runtime={slice:?}}}, 0", attributes.nice)
    })
    .map(drop)
}

/// `sched_setaffinity(0, …)` to every CPU that there may ever be; the kernel keeps those that the cgroup allows.
pub fn use_all_cpus() -> Result<()> {
    /// More than any kernel supports (CONFIG_NR_CPUS is at most 8192).
    const CPUS: usize = 8192;
    let mask = [u8::MAX; CPUS / 8];
    // SAFETY: the kernel reads as many bytes as it is told there are.
    let value = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, mask.len(), mask.as_ptr()) };
    check(value, "sched_setaffinity", || format!("0, {}, [all]", mask.len())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_is_nicer() {
        // SAFETY: both take numbers only.
        let now = || unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
        let before = now();
        let nicer = std::thread::spawn(move || {
            step_back(2, Duration::from_millis(20)).unwrap();
            (now(), std::thread::spawn(now).join().unwrap())
        });
        let expected = (before.0, (before.1 + 2).min(MOST_NICE));
        assert_eq!(nicer.join().unwrap(), (expected, expected));
        assert_eq!(now(), before);
    }
}
