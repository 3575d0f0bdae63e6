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

pub(super) fn version_1(list: &mut Vec<Operation>, directory: &Path, cpu: &LinuxCpu) {
    let values = [
        ("cpu.shares", cpu.shares().filter(|v| *v != 0).map(|v| v.to_string())),
        // Real-time runtime must fit its period at all times; a new cgroup has runtime 0.
        ("cpu.rt_period_us", cpu.realtime_period().filter(|v| *v != 0).map(|v| v.to_string())),
        ("cpu.rt_runtime_us", cpu.realtime_runtime().filter(|v| *v != 0).map(|v| v.to_string())),
        ("cpu.cfs_period_us", cpu.period().filter(|v| *v != 0).map(|v| v.to_string())),
        ("cpu.cfs_quota_us", cpu.quota().filter(|v| *v != 0).map(|v| v.to_string())),
        ("cpu.cfs_burst_us", cpu.burst().map(|v| v.to_string())),
        ("cpu.idle", cpu.idle().map(|v| v.to_string())),
    ];
    for (file, value) in values {
        list.extend(value.map(|value| Operation::Write(Write::new(directory, file, value))));
    }
}

pub(super) fn version_2(list: &mut Vec<Operation>, directory: &Path, cpu: &LinuxCpu) -> Result<()> {
    if cpu.realtime_runtime().unwrap_or(0) != 0 || cpu.realtime_period().unwrap_or(0) != 0 {
        return Err(Error::new(
            "linux.resources.cpu.realtimeRuntime and realtimePeriod do not exist in cgroup version 2",
        ));
    }
    let mut write =
        |file: &str, value: String| list.push(Operation::Write(Write::new(directory, file, value)));
    if let Some(idle) = cpu.idle() {
        write("cpu.idle", idle.to_string());
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1)) {
        write("cpu.weight", weight(shares).to_string());
    }
    if cpu.quota().unwrap_or(0) != 0 || cpu.period().unwrap_or(0) != 0 {
        let quota =
            cpu.quota().filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
        let period = cpu.period().filter(|period| *period != 0).unwrap_or(100_000);
        write("cpu.max", format!("{quota} {period}"));
    }
    // After the quota, which limits it.
    if let Some(burst) = cpu.burst() {
        write("cpu.max.burst", burst.to_string());
    }
    Ok(())
}

/// Converts cpu.shares (2 … 262144, default 1024) to cpu.weight (1 … 10000, default 100): a parabola in log2 through
/// (2, 1), (1024, 100) and (262144, 10000).
fn weight(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
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
        assert!(weight(512) > 1 && weight(512) < 100);
    }
}
