//! Scheduling of a process: `sched_setattr(2)`, `ioprio_set(2)`, `personality(2)`.

use serde::{Deserialize, Serialize};

use crate::enumeration::enumeration;
use crate::set::flag_set;

enumeration! {
    /// `SCHED_*` of sched(7).
    SchedulerPolicy {
        Other = 0, "SCHED_OTHER";
        Fifo = 1, "SCHED_FIFO";
        RoundRobin = 2, "SCHED_RR";
        Batch = 3, "SCHED_BATCH";
        /// A number that Linux reserves; no kernel implements it.
        Isochronous = 4, "SCHED_ISO";
        Idle = 5, "SCHED_IDLE";
        Deadline = 6, "SCHED_DEADLINE";
    }
}

flag_set! {
    /// `SCHED_FLAG_*` of sched_setattr(2).
    SchedulerFlags {
        RESET_ON_FORK = 0x01, "SCHED_FLAG_RESET_ON_FORK";
        RECLAIM = 0x02, "SCHED_FLAG_RECLAIM";
        DL_OVERRUN = 0x04, "SCHED_FLAG_DL_OVERRUN";
        KEEP_POLICY = 0x08, "SCHED_FLAG_KEEP_POLICY";
        KEEP_PARAMS = 0x10, "SCHED_FLAG_KEEP_PARAMS";
        UTIL_CLAMP_MIN = 0x20, "SCHED_FLAG_UTIL_CLAMP_MIN";
        UTIL_CLAMP_MAX = 0x40, "SCHED_FLAG_UTIL_CLAMP_MAX";
    }
}

/// What `struct sched_attr` says; 0 where the configuration says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    pub policy: SchedulerPolicy,
    pub flags: SchedulerFlags,
    /// -20 to 19, of SCHED_OTHER and SCHED_BATCH.
    pub nice: i32,
    /// 1 to 99, of SCHED_FIFO and SCHED_RR.
    pub priority: u32,
    /// These three in nanoseconds, of SCHED_DEADLINE.
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

enumeration! {
    /// `IOPRIO_CLASS_*` of ioprio_set(2).
    IoPriorityClass {
        Realtime = 1, "IOPRIO_CLASS_RT";
        BestEffort = 2, "IOPRIO_CLASS_BE";
        Idle = 3, "IOPRIO_CLASS_IDLE";
    }
}

enumeration! {
    /// `PER_*` of personality(2).
    PersonalityDomain {
        Linux = 0x0, "LINUX";
        Linux32 = 0x8, "LINUX32";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Named;

    #[test]
    fn names_lead_to_the_numbers_of_the_kernel() {
        assert_eq!(SchedulerPolicy::from_name("SCHED_DEADLINE").map(SchedulerPolicy::number), Some(6));
        assert_eq!(SchedulerPolicy::from_name("SCHED_DEADLINE2"), None);
        let json = serde_json::to_string(&SchedulerPolicy::RoundRobin).unwrap();
        assert_eq!(json, r#""SCHED_RR""#);
        let clamp = SchedulerFlags::from_name("SCHED_FLAG_UTIL_CLAMP_MAX").unwrap();
        assert_eq!(clamp | SchedulerFlags::RESET_ON_FORK, SchedulerFlags::from_bits(0x41));
        assert_eq!(SchedulerFlags::from_name(""), None);
    }
}
