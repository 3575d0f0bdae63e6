//! What processors, disks and memory grant to this process, with the usual reasons of a refusal.

use caisson_code::Code;
use caisson_plan::{IoPriorityClass, MemoryPolicy, Scheduler};
use caisson_sys::errno::{EBUSY, EINVAL, ENOSYS, EOPNOTSUPP, EPERM};
use caisson_sys::{memory_policy, scheduling};

use crate::failure::{Result, SetupError};

pub fn set_scheduler(scheduler: &Scheduler) -> Result<()> {
    scheduling::set_scheduler(scheduler).map_err(|error| {
        let hint = match error.errno() {
            EPERM => {
                "a real-time policy and a nice value below 0 need CAP_SYS_NICE on the host (or RLIMIT_RTPRIO, \
                 RLIMIT_NICE), and a version 1 cgroup needs linux.resources.cpu.realtimeRuntime; SCHED_DEADLINE \
                 excludes linux.resources.cpu.cpus"
            }
            EBUSY => "SCHED_DEADLINE: the bandwidth is not available",
            EINVAL => "SCHED_DEADLINE: the period must be within kernel.sched_deadline_period_{min,max}_us",
            EOPNOTSUPP => "utilization clamping is not built into this kernel (CONFIG_UCLAMP_TASK)",
            _ => return error.into(),
        };
        SetupError::from(error).hint(hint)
    })
}

pub fn set_io_priority(class: IoPriorityClass, priority: u32) -> Result<()> {
    scheduling::set_io_priority(class, priority).map_err(|error| {
        let denied = error.errno() == EPERM;
        let problem = SetupError::from(error);
        if denied { problem.hint("IOPRIO_CLASS_RT needs CAP_SYS_NICE on the host") } else { problem }
    })
}

pub fn set_memory_policy(policy: &MemoryPolicy) -> Result<()> {
    memory_policy::set(policy).map_err(|error| {
        let hint = match error.errno() {
            EINVAL => {
                "a node must exist and be in the container's cpuset (linux.resources.cpu.mems); \
                 MPOL_PREFERRED_MANY needs Linux 5.15, MPOL_WEIGHTED_INTERLEAVE 6.9"
            }
            ENOSYS => {
                let problem = SetupError::from(error).code(Code::Syscall);
                return problem.replace_hint("this kernel is built without memory policies (CONFIG_NUMA)");
            }
            _ => return error.into(),
        };
        SetupError::from(error).hint(hint)
    })
}
