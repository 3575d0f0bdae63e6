//! Memory and swap.

use std::path::Path;

use oci_spec::runtime::LinuxMemory;

use crate::{Error, Result, files};

pub(super) fn is_set(memory: &LinuxMemory) -> bool {
    [memory.limit(), memory.reservation(), memory.swap()].iter().flatten().any(|value| *value != 0)
        || memory.swappiness().is_some()
        || memory.disable_oom_killer() == Some(true)
}

pub(super) fn version_1(directory: &Path, memory: &LinuxMemory) -> Result<()> {
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

pub(super) fn version_2(directory: &Path, memory: &LinuxMemory) -> Result<()> {
    if memory.swappiness().is_some() {
        return Err(missing("swappiness"));
    }
    if memory.disable_oom_killer() == Some(true) {
        return Err(missing("disableOOMKiller"));
    }
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

fn missing(property: &str) -> Error {
    Error::new(format!("linux.resources.memory.{property} does not exist in cgroup version 2"))
        .hint("remove it")
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

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::LinuxMemoryBuilder;

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
