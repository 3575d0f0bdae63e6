//! Memory and swap.

use std::path::Path;

use oci_spec::runtime::LinuxMemory;

use crate::{Error, Operation, Result, Write};

pub(super) fn is_set(memory: &LinuxMemory) -> bool {
    [memory.limit(), memory.reservation(), memory.swap()].iter().flatten().any(|value| *value != 0)
        || memory.swappiness().is_some()
        || memory.disable_oom_killer() == Some(true)
}

pub(super) fn version_1(list: &mut Vec<Operation>, directory: &Path, memory: &LinuxMemory) {
    let write = |file: &str, value: i64| Write::new(directory, file, value);
    list.extend(check_usage(directory, "memory.usage_in_bytes", memory));
    let limit = memory.limit().filter(|limit| *limit != 0);
    // An unlimited memory limit without a swap limit means unlimited swap; otherwise the kernel refuses the pair.
    let swap = memory.swap().filter(|swap| *swap != 0).or(if limit == Some(-1) { Some(-1) } else { None });
    let limit = limit.map(|limit| write("memory.limit_in_bytes", limit));
    // A kernel without swap accounting has no such file; "unlimited" does not need it.
    let swap = swap.map(|swap| write("memory.memsw.limit_in_bytes", swap).optional(swap < 0));
    match (limit, swap) {
        (Some(limit), Some(swap)) => list.push(Operation::WriteInEitherOrder(limit, swap)),
        (limit, swap) => list.extend(limit.or(swap).map(Operation::Write)),
    }
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        list.push(Operation::Write(write("memory.soft_limit_in_bytes", reservation)));
    }
    if let Some(swappiness) = memory.swappiness() {
        list.push(Operation::Write(Write::new(directory, "memory.swappiness", swappiness)));
    }
    if memory.disable_oom_killer() == Some(true) {
        list.push(Operation::Write(write("memory.oom_control", 1)));
    }
}

pub(super) fn version_2(list: &mut Vec<Operation>, directory: &Path, memory: &LinuxMemory) -> Result<()> {
    if memory.swappiness().is_some() {
        return Err(missing("swappiness"));
    }
    if memory.disable_oom_killer() == Some(true) {
        return Err(missing("disableOOMKiller"));
    }
    list.extend(check_usage(directory, "memory.current", memory));
    let number = |value: i64| if value < 0 { "max".to_owned() } else { value.to_string() };
    if let Some(swap) = swap_v2(memory)? {
        let needless = swap == "max" || swap == "0";
        list.push(Operation::Write(Write::new(directory, "memory.swap.max", swap).optional(needless)));
    }
    if let Some(limit) = memory.limit().filter(|value| *value != 0) {
        list.push(Operation::Write(Write::new(directory, "memory.max", number(limit))));
    }
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        list.push(Operation::Write(Write::new(directory, "memory.low", number(reservation))));
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

fn check_usage(directory: &Path, file: &str, memory: &LinuxMemory) -> Option<Operation> {
    let limit = memory.limit().filter(|limit| *limit > 0 && memory.check_before_update() == Some(true))?;
    Some(Operation::CheckUsage { directory: directory.to_path_buf(), file: file.to_owned(), limit })
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
