//! Converts `linux.resources` to values of files. Pure: nothing is written here. Version 2 values are converted like
//! those of the peers (runc ≥ 1.3.2, crun ≥ 1.23).

mod block_io;
mod cpu;
mod memory;
mod other;

use std::collections::HashMap;

use oci_spec::runtime::{LinuxCpu, LinuxResources};

use crate::placement::Place;
use crate::{Error, Operation, Result, Write};

/// Every limit in `wanted` (absent ones are not changed), but not the device rules.
pub(crate) fn operations(places: &[Place], wanted: Option<&LinuxResources>) -> Result<Vec<Operation>> {
    let mut list = Vec::new();
    if let Some(limits) = wanted {
        add_limits(&mut list, places, limits)?;
    }
    Ok(list)
}

/// The same limits repeated in the leaf, where the program reads them (the JVM, Go and Node size themselves by their
/// visible cgroup), and where limits that are not hierarchical must be.
pub(crate) fn operations_of_leaves(
    places: &[Place],
    wanted: Option<&LinuxResources>,
) -> Result<Vec<Operation>> {
    let leaf =
        |place: &Place| Place { directory: place.processes().to_path_buf(), leaf: None, ..place.clone() };
    let wanted = wanted.filter(|_| places.iter().any(|place| place.leaf.is_some()));
    operations(&places.iter().map(leaf).collect::<Vec<_>>(), wanted)
}

/// Whether a controller (by its name in version 1) has limits.
pub(crate) fn limits(wanted: &LinuxResources, controller: &str) -> bool {
    let lists = |cpu: &LinuxCpu| [cpu.cpus(), cpu.mems()].into_iter().flatten().any(|list| !list.is_empty());
    match controller {
        "memory" => wanted.memory().as_ref().is_some_and(memory::is_set),
        "cpu" => wanted.cpu().as_ref().is_some_and(cpu::is_set),
        "cpuset" => wanted.cpu().as_ref().is_some_and(lists),
        "pids" => wanted.pids().is_some(),
        "hugetlb" => wanted.hugepage_limits().as_ref().is_some_and(|list| !list.is_empty()),
        "rdma" => wanted.rdma().as_ref().is_some_and(|map| !map.is_empty()),
        _ => false,
    }
}

fn add_limits(list: &mut Vec<Operation>, places: &[Place], limits: &LinuxResources) -> Result<()> {
    let version_2 = places.iter().all(|place| place.unified) && !places.is_empty();
    if let Some(memory) = limits.memory().as_ref().filter(|memory| memory::is_set(memory)) {
        let place = controller(places, "memory", "linux.resources.memory")?;
        if place.unified {
            memory::version_2(list, &place.directory, memory)?;
        } else {
            memory::version_1(list, &place.directory, memory);
        }
    }
    if let Some(cpu) = limits.cpu() {
        add_cpu(list, places, cpu)?;
    }
    if let Some(pids) = limits.pids() {
        let place = controller(places, "pids", "linux.resources.pids")?;
        let value = match pids.limit() {
            ..0 => "max".to_owned(),
            // COMPAT(runc): as systemd has no 0. The container's first process is one.
            limit => limit.max(1).to_string(),
        };
        list.push(Operation::Write(Write::new(&place.directory, "pids.max", value)));
    }
    if let Some(io) = limits.block_io().as_ref().filter(|io| block_io::is_set(io)) {
        let name = if version_2 || find(places, "blkio").is_none() { "io" } else { "blkio" };
        let place = controller(places, name, "linux.resources.blockIO")?;
        if place.unified {
            block_io::version_2(list, &place.directory, io)?;
        } else {
            block_io::version_1(list, &place.directory, io);
        }
    }
    for limit in limits.hugepage_limits().iter().flatten() {
        let place = controller(places, "hugetlb", "linux.resources.hugepageLimits")?;
        other::huge_pages(list, &place.directory, limit, place.unified)?;
    }
    if let Some(network) = limits.network().as_ref().filter(|network| other::network_is_set(network)) {
        other::network(list, places, network, version_2)?;
    }
    for (device, limit) in sorted(limits.rdma().as_ref()) {
        let place = controller(places, "rdma", "linux.resources.rdma")?;
        other::rdma(list, &place.directory, device, limit)?;
    }
    other::unified(list, places, &sorted(limits.unified().as_ref()), version_2)
}

/// In a deterministic order.
fn sorted<T>(map: Option<&HashMap<String, T>>) -> Vec<(&String, &T)> {
    let mut entries: Vec<_> = map.into_iter().flatten().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn add_cpu(list: &mut Vec<Operation>, places: &[Place], cpu: &LinuxCpu) -> Result<()> {
    if cpu::is_set(cpu) {
        let place = controller(places, "cpu", "linux.resources.cpu")?;
        if place.unified {
            cpu::version_2(list, &place.directory, cpu)?;
        } else {
            cpu::version_1(list, &place.directory, cpu)?;
        }
    }
    for (file, value) in [("cpuset.cpus", cpu.cpus()), ("cpuset.mems", cpu.mems())] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            let place = controller(places, "cpuset", "linux.resources.cpu.cpus and mems")?;
            list.push(Operation::Write(Write::new(&place.directory, file, value)));
        }
    }
    Ok(())
}

/// Whether a container without a cgroup would lack a requested limit. Device rules do not count: an unprivileged user
/// cannot create devices anyway.
pub fn wants_limits(limits: &LinuxResources) -> bool {
    ["memory", "cpu", "cpuset", "pids", "hugetlb", "rdma"].iter().any(|name| self::limits(limits, name))
        || limits.block_io().as_ref().is_some_and(block_io::is_set)
        || limits.network().as_ref().is_some_and(other::network_is_set)
        || limits.unified().as_ref().is_some_and(|map| !map.is_empty())
}

/// The place of a required controller.
fn controller<'a>(places: &'a [Place], name: &str, property: &str) -> Result<&'a Place> {
    find(places, name).ok_or_else(|| {
        Error::new(format!("{property}: the cgroup controller {name:?} is not available")).hint(
            "it is not compiled in, not mounted, switched off at boot (cgroup_disable=) or not delegated to this user; remove the limit or enable the controller",
        )
    })
}

fn find<'a>(places: &'a [Place], name: &str) -> Option<&'a Place> {
    places.iter().find(|place| place.has(name))
}
