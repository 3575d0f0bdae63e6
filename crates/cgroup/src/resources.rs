//! `linux.resources` → files. Version 2 values are converted as the peers do (runc ≥ 1.3.2, crun ≥ 1.23).

use std::path::Path;

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use crate::placement::Place;
use crate::{Error, Result, devices, files};

/// Applies every limit in `wanted` (what is absent is left alone), and the device rules.
pub(crate) fn apply(places: &[Place], wanted: Option<&LinuxResources>, rootless: bool) -> Result<()> {
    let version_2 = places.iter().all(|place| place.unified) && !places.is_empty();
    if let Some(limits) = wanted {
        apply_limits(places, limits, version_2)?;
    }
    let rules = wanted.and_then(|limits| limits.devices().as_deref()).unwrap_or_default();
    match devices::apply(places, rules, version_2) {
        // Only the host's root may restrict devices; an ordinary user cannot make any either.
        Err(error) if rootless && error.is_denied() => Ok(()),
        other => other,
    }
}

fn apply_limits(places: &[Place], limits: &LinuxResources, version_2: bool) -> Result<()> {
    if let Some(memory) = limits.memory() {
        let place = controller(places, "memory", "linux.resources.memory", memory_is_set(memory))?;
        if let Some(place) = place {
            if version_2 {
                memory_v2(&place.directory, memory)?
            } else {
                memory_v1(&place.directory, memory)?
            }
        }
    }
    if let Some(cpu) = limits.cpu() {
        apply_cpu(places, cpu, version_2)?;
    }
    if let Some(limit) = limits.pids().as_ref().map(oci_spec::runtime::LinuxPids::limit)
        && let Some(place) = controller(places, "pids", "linux.resources.pids", true)?
    {
        let value = if limit < 0 { "max".to_owned() } else { limit.to_string() };
        files::write(&place.directory, "pids.max", &value)?;
    }
    Ok(())
}

/// Whether going without a cgroup would leave a wish unfulfilled. Device rules do not count: an ordinary user cannot make
/// devices anyway.
pub fn wants_limits(limits: &LinuxResources) -> bool {
    let cpu = limits
        .cpu()
        .as_ref()
        .is_some_and(|cpu| cpu_is_set(cpu) || cpu.cpus().is_some() || cpu.mems().is_some());
    limits.memory().as_ref().is_some_and(memory_is_set) || cpu || limits.pids().is_some()
}

/// The place of a controller; an error when it is needed and missing.
fn controller<'a>(
    places: &'a [Place],
    name: &str,
    property: &str,
    needed: bool,
) -> Result<Option<&'a Place>> {
    let place = places.iter().find(|place| place.controllers.iter().any(|c| c == name));
    if place.is_none() && needed {
        return Err(Error::new(format!("{property}: the cgroup controller {name:?} is not available")).hint(
            "it is not compiled in, switched off at boot (cgroup_disable=), or not delegated to this user; remove the limit or enable the controller",
        ));
    }
    Ok(place)
}

fn memory_is_set(memory: &LinuxMemory) -> bool {
    memory.limit().is_some()
        || memory.reservation().is_some()
        || memory.swap().is_some()
        || memory.swappiness().is_some()
}

fn memory_v1(directory: &Path, memory: &LinuxMemory) -> Result<()> {
    let write = |file: &str, value: i64| files::write(directory, file, &value.to_string());
    check_usage(directory, "memory.usage_in_bytes", memory)?;
    let limit = memory.limit().filter(|limit| *limit != 0);
    // An unlimited limit without a word about swap means unlimited swap, else the kernel refuses the pair.
    let swap = memory.swap().filter(|swap| *swap != 0).or(if limit == Some(-1) { Some(-1) } else { None });
    match (limit, swap) {
        (Some(limit), Some(swap)) => {
            // The kernel keeps limit ≤ memsw at all times: which of the two goes first depends on the direction.
            if write("memory.limit_in_bytes", limit).is_err() {
                write_swap(directory, swap)?;
                write("memory.limit_in_bytes", limit)?;
            } else {
                write_swap(directory, swap)?;
            }
        }
        (Some(limit), None) => write("memory.limit_in_bytes", limit)?,
        (None, Some(swap)) => write_swap(directory, swap)?,
        (None, None) => {}
    }
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        write("memory.soft_limit_in_bytes", reservation)?;
    }
    if let Some(swappiness) = memory.swappiness() {
        files::write(directory, "memory.swappiness", &swappiness.to_string())?;
    }
    if memory.disable_oom_killer() == Some(true) {
        files::write(directory, "memory.oom_control", "1")?;
    }
    Ok(())
}

/// A kernel without swap accounting has no such file; "unlimited" needs none.
fn write_swap(directory: &Path, swap: i64) -> Result<()> {
    let file = "memory.memsw.limit_in_bytes";
    if swap < 0 && !directory.join(file).exists() {
        return Ok(());
    }
    files::write(directory, file, &swap.to_string()).map_err(|e| {
        e.hint("limiting swap needs swap accounting: boot with swapaccount=1, or leave memory.swap out")
    })
}

fn memory_v2(directory: &Path, memory: &LinuxMemory) -> Result<()> {
    check_usage(directory, "memory.current", memory)?;
    let number = |value: i64| if value < 0 { "max".to_owned() } else { value.to_string() };
    if let Some(swap) = swap_v2(memory)? {
        let needless = (swap == "max" || swap == "0") && !directory.join("memory.swap.max").exists();
        if !needless {
            files::write(directory, "memory.swap.max", &swap)?;
        }
    }
    if let Some(limit) = memory.limit().filter(|value| *value != 0) {
        files::write(directory, "memory.max", &number(limit))?;
    }
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        files::write(directory, "memory.low", &number(reservation))?;
    }
    Ok(())
}

/// Version 1 counts memory and swap together, version 2 swap alone.
fn swap_v2(memory: &LinuxMemory) -> Result<Option<String>> {
    let limit = memory.limit().unwrap_or(0);
    match memory.swap().unwrap_or(0) {
        0 if limit == -1 => Ok(Some("max".into())),
        0 => Ok(None),
        -1 => Ok(Some("max".into())),
        _ if limit == 0 || limit == -1 => {
            Err(Error::new("linux.resources.memory.swap: a swap limit needs a memory limit"))
        }
        swap if swap < limit => Err(Error::new(format!(
            "linux.resources.memory.swap: {swap} is memory plus swap and must not be below the limit {limit}"
        ))),
        swap => Ok(Some((swap - limit).to_string())),
    }
}

/// `checkBeforeUpdate`: a limit below what is used already is refused instead of enforced by killing.
fn check_usage(directory: &Path, file: &str, memory: &LinuxMemory) -> Result<()> {
    let Some(limit) = memory.limit().filter(|limit| *limit > 0 && memory.check_before_update() == Some(true))
    else {
        return Ok(());
    };
    let usage: i64 = files::read(directory, file)?.trim().parse().unwrap_or(0);
    if usage > limit {
        // COMPAT(runc): its sentence.
        return Err(Error::new(format!("rejecting memory limit {limit} < usage {usage}")));
    }
    Ok(())
}

fn cpu_is_set(cpu: &LinuxCpu) -> bool {
    let scheduling =
        cpu.shares().is_some() || cpu.quota().is_some() || cpu.period().is_some() || cpu.burst().is_some();
    scheduling || cpu.idle().is_some() || cpu.realtime_runtime().is_some() || cpu.realtime_period().is_some()
}

fn apply_cpu(places: &[Place], cpu: &LinuxCpu, version_2: bool) -> Result<()> {
    if let Some(place) = controller(places, "cpu", "linux.resources.cpu", cpu_is_set(cpu))? {
        if version_2 { cpu_v2(&place.directory, cpu)? } else { cpu_v1(&place.directory, cpu)? }
    }
    let sets = cpu.cpus().is_some() || cpu.mems().is_some();
    if let Some(place) = controller(places, "cpuset", "linux.resources.cpu.cpus", sets)? {
        for (file, value) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                files::write(&place.directory, file, value)?;
            }
        }
    }
    Ok(())
}

fn cpu_v1(directory: &Path, cpu: &LinuxCpu) -> Result<()> {
    let write = |file: &str, value: Option<String>| {
        value.map_or(Ok(()), |value| files::write(directory, file, &value))
    };
    write("cpu.shares", cpu.shares().filter(|v| *v != 0).map(|v| v.to_string()))?;
    // Real-time runtime must fit its period at all times; a fresh cgroup has runtime 0.
    write("cpu.rt_period_us", cpu.realtime_period().filter(|v| *v != 0).map(|v| v.to_string()))?;
    write("cpu.rt_runtime_us", cpu.realtime_runtime().filter(|v| *v != 0).map(|v| v.to_string()))?;
    write("cpu.cfs_period_us", cpu.period().filter(|v| *v != 0).map(|v| v.to_string()))?;
    write("cpu.cfs_quota_us", cpu.quota().filter(|v| *v != 0).map(|v| v.to_string()))?;
    write("cpu.cfs_burst_us", cpu.burst().map(|v| v.to_string()))?;
    write("cpu.idle", cpu.idle().map(|v| v.to_string()))
}

fn cpu_v2(directory: &Path, cpu: &LinuxCpu) -> Result<()> {
    if cpu.realtime_runtime().is_some() || cpu.realtime_period().is_some() {
        return Err(Error::new(
            "linux.resources.cpu.realtimeRuntime and realtimePeriod do not exist in cgroup version 2",
        ));
    }
    if let Some(idle) = cpu.idle() {
        files::write(directory, "cpu.idle", &idle.to_string())?;
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0 && cpu.idle() != Some(1)) {
        files::write(directory, "cpu.weight", &weight(shares).to_string())?;
    }
    if cpu.quota().is_some() || cpu.period().is_some() {
        let quota =
            cpu.quota().filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
        let period = cpu.period().filter(|period| *period != 0).unwrap_or(100_000);
        files::write(directory, "cpu.max", &format!("{quota} {period}"))?;
    }
    // After the quota it must fit in.
    cpu.burst().map_or(Ok(()), |burst| files::write(directory, "cpu.max.burst", &burst.to_string()))
}

/// cpu.shares (2 … 262144, 1024 is usual) to cpu.weight (1 … 10000, 100 is usual): a parabola in log2 through
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
    use oci_spec::runtime::LinuxMemoryBuilder;

    #[test]
    fn weights_of_the_usual_shares() {
        assert_eq!([0, 2, 1024, 262_144, 1 << 40].map(weight), [1, 1, 100, 10_000, 10_000]);
        assert!(weight(512) > 1 && weight(512) < 100);
    }

    #[test]
    fn swap_is_what_is_left_of_memory_plus_swap() {
        let swap = |limit: i64, swap: i64| {
            swap_v2(&LinuxMemoryBuilder::default().limit(limit).swap(swap).build().unwrap())
        };
        assert_eq!(swap(100, 150).unwrap().as_deref(), Some("50"));
        assert_eq!(swap(100, 100).unwrap().as_deref(), Some("0"));
        assert_eq!(swap(100, -1).unwrap().as_deref(), Some("max"));
        assert_eq!(swap(-1, 0).unwrap().as_deref(), Some("max"));
        assert!(swap(100, 50).is_err());
        assert!(swap(0, 50).is_err());
    }
}
