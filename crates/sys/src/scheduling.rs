//! How the schedulers of processors and disks treat a thread: sched(7), ioprio_set(2).

use std::time::Duration;

use caisson_flags::{IoPriorityClass, Scheduler, SchedulerFlags};

use crate::Result;
use crate::call::check;

/// `struct sched_attr` of `linux/sched/types.h`, in its second size. A kernel that knows only the first one takes it as
/// long as the rest is 0.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

const MOST_NICE: i32 = 19;

/// `sched_setattr(0, { sched_nice: nice + steps, sched_runtime: slice }, 0)`: the calling thread, and those that it
/// starts from now on, are nicer than before, and want to run for so long in one piece, 0.1 to 100 ms: a thread that
/// wakes up and asks for less goes first (Linux 6.12; older kernels only look at the niceness).
/// [sched_setattr(2)](https://man7.org/linux/man-pages/man2/sched_setattr.2.html)
pub fn step_back(steps: i32, slice: Duration) -> Result<()> {
    // SAFETY: takes two numbers. It cannot fail for the calling thread.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        flags: SchedulerFlags::KEEP_POLICY.bits(),
        nice: (nice + steps).min(MOST_NICE),
        runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        ..Attributes::default()
    };
    set_attributes(&attributes, || {
        format!("0, {{sched_nice={}, sched_runtime={slice:?}}}, 0", attributes.nice)
    })
}

fn set_attributes(attributes: &Attributes, arguments: impl FnOnce() -> String) -> Result<()> {
    // SAFETY: the kernel reads `size` bytes of a structure of ours.
    let value = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(attributes), 0) };
    check(value, "sched_setattr", arguments).map(drop)
}

/// `sched_setattr(0, …, 0)`: of the calling thread and what it starts.
/// COMPAT(runc): the flags of utilization clamping, for which the specification has no values, come with 0.
///
/// EPERM: more than CAP_SYS_NICE and RLIMIT_RTPRIO allow, a real-time policy in a version 1 cgroup without real-time
/// runtime, or SCHED_DEADLINE with fewer CPUs than its root domain has. EBUSY: SCHED_DEADLINE is not admitted.
pub fn set_scheduler(scheduler: &Scheduler) -> Result<()> {
    let Scheduler { policy, flags, nice, priority, runtime, deadline, period } = *scheduler;
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: policy.number(),
        flags: flags.bits(),
        nice,
        priority,
        runtime,
        deadline,
        period,
        ..Attributes::default()
    };
    set_attributes(&attributes, || {
        format!(
            "0, {{sched_policy={}, sched_flags={flags:?}, sched_nice={nice}, sched_priority={priority}, \
             sched_runtime={runtime}, sched_deadline={deadline}, sched_period={period}}}, 0",
            policy.name()
        )
    })
}

/// `ioprio_set(IOPRIO_WHO_PROCESS, 0, …)`: of the calling thread and what it starts; `priority` is 0 (first) to 7.
///
/// EPERM: the real-time class needs CAP_SYS_ADMIN or CAP_SYS_NICE.
pub fn set_io_priority(class: IoPriorityClass, priority: u32) -> Result<()> {
    const IOPRIO_WHO_PROCESS: libc::c_int = 1;
    const IOPRIO_CLASS_SHIFT: u32 = 13;
    let value = class.number() << IOPRIO_CLASS_SHIFT | priority;
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) };
    check(result, "ioprio_set", || {
        format!("IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE({}, {priority})", class.name())
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
    use caisson_flags::SchedulerPolicy;

    /// In a thread of its own, which alone is changed.
    fn apart<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(body).join().unwrap()
    }

    const BATCH: Scheduler = Scheduler {
        policy: SchedulerPolicy::Batch,
        flags: SchedulerFlags::empty(),
        nice: 7,
        priority: 0,
        runtime: 0,
        deadline: 0,
        period: 0,
    };

    #[test]
    fn a_policy_and_its_nice_value_are_set() {
        // SAFETY: both take numbers only.
        let now = || unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
        let batch = apart(move || set_scheduler(&BATCH).map(|()| now()));
        assert_eq!(batch, Ok((libc::SCHED_BATCH, 7)));
        let reset = Scheduler { flags: SchedulerFlags::RESET_ON_FORK, ..BATCH };
        let batch = apart(move || set_scheduler(&reset).map(|()| now()));
        assert_eq!(batch, Ok((libc::SCHED_BATCH | libc::SCHED_RESET_ON_FORK, 7)));
    }

    #[test]
    fn a_refused_policy_is_told_as_strace_would() {
        let error = apart(|| set_scheduler(&Scheduler { policy: SchedulerPolicy::Isochronous, ..BATCH }));
        assert_eq!(
            error.unwrap_err().to_string(),
            "sched_setattr(0, {sched_policy=SCHED_ISO, sched_flags=0, sched_nice=7, sched_priority=0, \
             sched_runtime=0, sched_deadline=0, sched_period=0}, 0): EINVAL (Invalid argument)"
        );
    }

    #[test]
    fn the_priority_of_disks_is_one_number() {
        let get = || {
            // SAFETY: takes numbers only.
            unsafe { libc::syscall(libc::SYS_ioprio_get, 1, 0) }
        };
        let value = apart(move || set_io_priority(IoPriorityClass::BestEffort, 6).map(|()| get()));
        assert_eq!(value, Ok(2 << 13 | 6));
        let value = apart(move || set_io_priority(IoPriorityClass::Idle, 0).map(|()| get()));
        assert_eq!(value, Ok(3 << 13));
    }

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
