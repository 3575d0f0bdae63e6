//! `process.scheduler` and `process.ioPriority`: which member is for which policy, and the operations.

use caisson_flags::{IoPriorityClass, Named, Scheduler, SchedulerFlags, SchedulerPolicy};

use crate::Operation;
use crate::config::Config;
use crate::document::{self, Process};
use crate::issue::Issues;
use crate::named;

const SCHEDULER: &str = "process.scheduler";
const IO_PRIORITY: &str = "process.ioPriority";
/// sched(7), SCHED_DEADLINE: what the kernel counts in, and its sign bit.
const SHORTEST: u64 = 1024;
const LONGEST: u64 = i64::MAX as u64;

pub(crate) fn check(config: &Config, process: &Process, issues: &mut Issues) {
    if let Some(scheduler) = &process.scheduler {
        check_scheduler(scheduler, issues);
        // Without the flag, sched(7): fork(2) fails with EAGAIN.
        let forks = !config.hook_list("startContainer").is_empty();
        if forks && scheduler.operation().is_some_and(|scheduler| !may_fork(&scheduler)) {
            issues.add(
                format!("{SCHEDULER}.flags"),
                "startContainer hooks cannot run under SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK",
            );
        }
    }
    if let Some(priority) = &process.io_priority {
        named::check::<IoPriorityClass>(&format!("{IO_PRIORITY}.class"), priority.class.as_deref(), issues);
        if !(0..=7).contains(&priority.priority.unwrap_or(0)) {
            issues.add(format!("{IO_PRIORITY}.priority"), "must be from 0 to 7");
        }
    }
}

fn may_fork(scheduler: &Scheduler) -> bool {
    scheduler.policy != SchedulerPolicy::Deadline || scheduler.flags.contains(SchedulerFlags::RESET_ON_FORK)
}

fn check_scheduler(scheduler: &document::Scheduler, issues: &mut Issues) {
    let at = |member: &str| format!("{SCHEDULER}.{member}");
    let policy = named::check(&at("policy"), scheduler.policy.as_deref(), issues);
    let flags: SchedulerFlags = named::check_flags(&at("flags"), scheduler.flags.as_deref(), issues);
    let Some(policy) = policy else { return };
    let (nice, priority) = (scheduler.nice.unwrap_or(0), scheduler.priority.unwrap_or(0));
    let is = |policies: &[SchedulerPolicy]| policies.contains(&policy);
    if !(-20..=19).contains(&nice) {
        issues.add(at("nice"), "must be from -20 to 19");
    } else if nice != 0 && !is(&[SchedulerPolicy::Other, SchedulerPolicy::Batch]) {
        issues.add(at("nice"), format!("is for SCHED_OTHER and SCHED_BATCH, not for {}", policy.name()));
    }
    // What is kept need not be given.
    let keeps = flags.intersects(SchedulerFlags::KEEP_POLICY | SchedulerFlags::KEEP_PARAMS);
    if is(&[SchedulerPolicy::Fifo, SchedulerPolicy::RoundRobin]) {
        let fits = (1..=99).contains(&priority) || keeps && priority == 0;
        if !fits {
            issues.add(at("priority"), "must be from 1 to 99");
        }
    } else if priority != 0 {
        issues.add(at("priority"), format!("is for SCHED_FIFO and SCHED_RR, not for {}", policy.name()));
    }
    let given = |time: Option<u64>| time.filter(|time| *time != 0);
    let times = [
        ("runtime", given(scheduler.runtime)),
        ("deadline", given(scheduler.deadline)),
        ("period", given(scheduler.period)),
    ];
    if policy == SchedulerPolicy::Deadline {
        check_deadline(times, keeps, issues);
    } else {
        for (name, _) in times.iter().filter(|(_, time)| time.is_some()) {
            issues.add(at(name), format!("is for SCHED_DEADLINE, not for {}", policy.name()));
        }
    }
}

/// A period of 0 is the deadline.
fn check_deadline(times: [(&str, Option<u64>); 3], keeps: bool, issues: &mut Issues) {
    for (name, time) in times {
        let needed = name != "period" && !keeps;
        if time.map_or(needed, |time| !(SHORTEST..=LONGEST).contains(&time)) {
            let message = format!("must be from {SHORTEST} to {LONGEST} nanoseconds");
            issues.add(format!("{SCHEDULER}.{name}"), message);
        }
    }
    for [(shorter, less), (longer, more)] in [[times[0], times[1]], [times[1], times[2]]] {
        if let (Some(less), Some(more)) = (less, more)
            && less > more
        {
            issues.add(format!("{SCHEDULER}.{shorter}"), format!("must be at most the {longer} {more}"));
        }
    }
}

impl document::Scheduler {
    fn operation(&self) -> Option<Scheduler> {
        Some(Scheduler {
            policy: SchedulerPolicy::from_name(self.policy.as_deref()?)?,
            flags: named::flags(self.flags.as_deref()),
            nice: self.nice.unwrap_or(0),
            priority: self.priority.and_then(|priority| u32::try_from(priority).ok()).unwrap_or(0),
            runtime: self.runtime.unwrap_or(0),
            deadline: self.deadline.unwrap_or(0),
            period: self.period.unwrap_or(0),
        })
    }
}

pub(crate) fn operations(process: &Process) -> Vec<Operation> {
    let scheduler = process.scheduler.as_ref().and_then(|scheduler| scheduler.operation());
    let io_priority = process.io_priority.as_ref().and_then(|priority| {
        Some(Operation::IoPriority {
            class: IoPriorityClass::from_name(priority.class.as_deref()?)?,
            // COMPAT(runc): 0 where it is missing.
            priority: priority.priority.and_then(|priority| u32::try_from(priority).ok()).unwrap_or(0),
        })
    });
    scheduler.map(Operation::Scheduler).into_iter().chain(io_priority).collect()
}
