//! CPU time.

use std::path::Path;

use oci_spec::runtime::LinuxCpu;

use crate::{Error, Operation, Result, Write};

/// Zero means "not set" for all but burst and idle.
pub(super) fn is_set(cpu: &LinuxCpu) -> bool {
    let signed = [cpu.quota(), cpu.realtime_runtime()];
    let unsigned = [cpu.shares(), cpu.period(), cpu.realtime_period()];
    signed.iter().flatten().any(|value| *value != 0)
        || unsigned.iter().flatten().any(|value| *value != 0)
        || cpu.burst().is_some()
        || cpu.idle().is_some()
}

pub(super) fn version_1(list: &mut Vec<Operation>, directory: &Path, cpu: &LinuxCpu) -> Result<()> {
    let write = |file: &str, value: &dyn ToString| Write::new(directory, file, value.to_string());
    let set = |value: Option<u64>| value.filter(|value| *value != 0);
    // Before the shares, which an idle cgroup does not accept.
    list.extend(cpu.idle().map(|idle| Operation::Write(write("cpu.idle", &idle).optional(idle == 0))));
    if let Some(shares) = shares(cpu) {
        // COMPAT(runc): its wording. The kernel would take the nearest value silently.
        if shares < MIN_SHARES {
            return Err(Error::new(format!("the minimum allowed cpu-shares is {MIN_SHARES}")));
        }
        if shares > MAX_SHARES {
            return Err(Error::new(format!("the maximum allowed cpu-shares is {MAX_SHARES}")));
        }
        list.push(Operation::Write(write("cpu.shares", &shares)));
    }
    let period = set(cpu.period()).map(|period| write("cpu.cfs_period_us", &period));
    let quota = cpu.quota().filter(|quota| *quota != 0).map(|quota| write("cpu.cfs_quota_us", &quota));
    let burst = cpu.burst().map(|burst| write("cpu.cfs_burst_us", &burst).optional(burst == 0));
    list.extend(Operation::writes([period, quota, burst].into_iter().flatten().collect()));
    // A new cgroup has runtime 0, so the period comes first.
    let period = set(cpu.realtime_period()).map(|period| write("cpu.rt_period_us", &period));
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0);
    let runtime = runtime.map(|runtime| write("cpu.rt_runtime_us", &runtime));
    list.extend(Operation::writes([period, runtime].into_iter().flatten().collect()));
    Ok(())
}

pub(super) fn version_2(list: &mut Vec<Operation>, directory: &Path, cpu: &LinuxCpu) -> Result<()> {
    if cpu.realtime_runtime().unwrap_or(0) != 0 || cpu.realtime_period().unwrap_or(0) != 0 {
        return Err(Error::new(
            "linux.resources.cpu.realtimeRuntime and realtimePeriod do not exist in cgroup version 2",
        ));
    }
    let write = |file: &str, value: &dyn ToString| Write::new(directory, file, value.to_string());
    list.extend(cpu.idle().map(|idle| Operation::Write(write("cpu.idle", &idle).optional(idle == 0))));
    list.extend(shares(cpu).map(|shares| Operation::Write(write("cpu.weight", &weight(shares)))));
    let bandwidth = (cpu.quota().unwrap_or(0) != 0 || cpu.period().unwrap_or(0) != 0).then(|| {
        let quota =
            cpu.quota().filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
        let period = cpu.period().filter(|period| *period != 0).unwrap_or(100_000);
        write("cpu.max", &format!("{quota} {period}"))
    });
    let burst = cpu.burst().map(|burst| write("cpu.max.burst", &burst).optional(burst == 0));
    list.extend(Operation::writes([bandwidth, burst].into_iter().flatten().collect()));
    Ok(())
}

/// An idle cgroup has the least weight, and does not accept another.
fn shares(cpu: &LinuxCpu) -> Option<u64> {
    cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1))
}

/// kernel/sched/sched.h.
const MIN_SHARES: u64 = 2;
const MAX_SHARES: u64 = 262_144;

/// Converts cpu.shares (2 … 262144, default 1024) to cpu.weight (1 … 10000, default 100): a parabola in log2 through
/// (2, 1), (1024, 100) and (262144, 10000).
fn weight(shares: u64) -> u64 {
    match shares {
        0..=MIN_SHARES => 1,
        MAX_SHARES.. => 10_000,
        _ => {
            let log = (shares as f64).log2();
            10f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_the_usual_shares() {
        assert_eq!([0, 2, 1024, 262_144, 1 << 40].map(weight), [1, 1, 100, 10_000, 10_000]);
        assert_eq!([3, 512, 2048, 131_072, 262_143].map(weight), [2, 59, 174, 5_478, 10_000]);
    }
}
