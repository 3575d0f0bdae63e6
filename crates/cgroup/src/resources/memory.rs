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
    // `checkBeforeUpdate` needs nothing: the kernel itself refuses a limit below the usage.
    let limit = memory.limit().filter(|limit| *limit != 0);
    // An unlimited memory limit without a swap limit means unlimited swap; otherwise the kernel refuses the pair.
    let swap = memory.swap().filter(|swap| *swap != 0).or(if limit == Some(-1) { Some(-1) } else { None });
    let limit = limit.map(|limit| write("memory.limit_in_bytes", limit));
    // A kernel without swap accounting has no such file; "unlimited" does not need it.
    let swap = swap.map(|swap| write("memory.memsw.limit_in_bytes", swap).optional(swap < 0));
    list.extend(Operation::writes(limit.into_iter().chain(swap).collect()));
    if let Some(reservation) = memory.reservation().filter(|value| *value != 0) {
        list.push(Operation::Write(write("memory.soft_limit_in_bytes", reservation)));
    }
    if memory.disable_oom_killer() == Some(true) {
        list.push(Operation::Write(write("memory.oom_control", 1)));
    }
    if let Some(swappiness) = memory.swappiness() {
        list.push(Operation::Write(Write::new(directory, "memory.swappiness", swappiness)));
    }
}

pub(super) fn version_2(list: &mut Vec<Operation>, directory: &Path, memory: &LinuxMemory) -> Result<()> {
    if memory.swappiness().is_some() {
        return Err(missing("swappiness"));
    }
    if memory.disable_oom_killer() == Some(true) {
        return Err(missing("disableOOMKiller"));
    }
    let swap = swap_v2(memory)?;
    if memory.check_before_update() == Some(true) {
        list.extend(check_usage(directory, "memory+swap", memory.swap()));
        list.extend(check_usage(directory, "memory", memory.limit()));
    }
    if let Some(swap) = swap {
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

fn number(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

fn missing(property: &str) -> Error {
    Error::new(format!("linux.resources.memory.{property} does not exist in cgroup version 2"))
        .hint("remove it")
}

/// Version 1 counts memory and swap together, version 2 swap alone.
fn swap_v2(memory: &LinuxMemory) -> Result<Option<String>> {
    match (memory.limit().unwrap_or(0), memory.swap().unwrap_or(0)) {
        (-1, 0) | (_, -1) => Ok(Some("max".into())),
        (_, 0) => Ok(None),
        // COMPAT(runc), with crun: what cannot be subtracted from unlimited memory limits swap alone.
        (-1, swap) => Ok(Some(swap.to_string())),
        (0, _) => Err(Error::new("linux.resources.memory.swap: a swap limit needs a memory limit")),
        (limit, swap) if swap < limit => Err(Error::new(format!(
            "linux.resources.memory.swap: {swap} is memory plus swap and must not be below the limit {limit}"
        ))),
        (limit, swap) => Ok(Some((swap - limit).to_string())),
    }
}

fn check_usage(directory: &Path, limited: &str, limit: Option<i64>) -> Option<Operation> {
    Some(Operation::CheckUsage {
        directory: directory.to_path_buf(),
        file: "memory.current".to_owned(),
        limited: limited.to_owned(),
        limit: limit.filter(|limit| *limit > 0)?,
    })
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
        assert_eq!(swap(-1, 100).unwrap().as_deref(), Some("100"));
        assert_eq!(swap(100, 0).unwrap(), None);
        assert!(swap(100, 50).is_err());
        assert!(swap(0, 50).is_err());
    }
}
