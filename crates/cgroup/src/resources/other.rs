//! Huge pages, RDMA, network classes, and the files in `unified`.

use std::path::Path;

use oci_spec::runtime::{LinuxHugepageLimit, LinuxNetwork, LinuxRdma};

use super::controller;
use crate::placement::Place;
use crate::{Error, Operation, Result, Write};

/// Reserved pages are counted at reservation (Linux 5.7); without that a container is killed by SIGBUS when it touches
/// a page beyond the limit. The fault limit is set too, for pages that were not reserved.
pub(super) fn huge_pages(
    list: &mut Vec<Operation>,
    directory: &Path,
    limit: &LinuxHugepageLimit,
    version_2: bool,
) -> Result<()> {
    let size = limit.page_size();
    // SECURITY: the size becomes part of a file name.
    if size.is_empty() || !size.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Error::new(format!(
            "linux.resources.hugepageLimits: invalid page size {size:?}: expected a size such as 2MB"
        )));
    }
    let value = match limit.limit() {
        -1 if version_2 => "max".to_owned(),
        value => value.to_string(),
    };
    let (faults, reserved) = if version_2 {
        (format!("hugetlb.{size}.max"), format!("hugetlb.{size}.rsvd.max"))
    } else {
        (format!("hugetlb.{size}.limit_in_bytes"), format!("hugetlb.{size}.rsvd.limit_in_bytes"))
    };
    list.push(Operation::Write(Write::new(directory, faults, &value)));
    list.push(Operation::Write(Write::new(directory, reserved, &value).optional(true)));
    Ok(())
}

pub(super) fn rdma(
    list: &mut Vec<Operation>,
    directory: &Path,
    device: &str,
    limit: &LinuxRdma,
) -> Result<()> {
    let parts = [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())];
    let limits: Vec<_> =
        parts.iter().filter_map(|(key, value)| value.map(|value| format!("{key}={value}"))).collect();
    if limits.is_empty() || device.is_empty() || device.contains(char::is_whitespace) {
        return Err(Error::new(format!(
            "linux.resources.rdma: {device:?} needs a device name and one of hcaHandles and hcaObjects"
        )));
    }
    let value = format!("{device} {}", limits.join(" "));
    list.push(Operation::Write(Write::new(directory, "rdma.max", value)));
    Ok(())
}

pub(super) fn network_is_set(network: &LinuxNetwork) -> bool {
    network.class_id().is_some_and(|id| id != 0)
        || network.priorities().as_ref().is_some_and(|p| !p.is_empty())
}

pub(super) fn network(
    list: &mut Vec<Operation>,
    places: &[Place],
    network: &LinuxNetwork,
    version_2: bool,
) -> Result<()> {
    if version_2 {
        return Err(Error::new("linux.resources.network does not exist in cgroup version 2")
            .hint("use tc or nftables with a match on the cgroup"));
    }
    if let Some(id) = network.class_id().filter(|id| *id != 0) {
        let place = controller(places, "net_cls", "linux.resources.network.classID")?;
        list.push(Operation::Write(Write::new(&place.directory, "net_cls.classid", id)));
    }
    for interface in network.priorities().iter().flatten() {
        if interface.name().is_empty() || interface.name().contains(char::is_whitespace) {
            return Err(Error::new(format!(
                "linux.resources.network.priorities: invalid interface {:?}: expected a name such as eth0",
                interface.name()
            )));
        }
        let place = controller(places, "net_prio", "linux.resources.network.priorities")?;
        let value = format!("{} {}", interface.name(), interface.priority());
        list.push(Operation::Write(Write::new(&place.directory, "net_prio.ifpriomap", value)));
    }
    Ok(())
}

/// Prefixes of files that every cgroup of version 2 has: `cgroup.max.depth`, `irq.pressure`.
const WITHOUT_CONTROLLER: [&str; 2] = ["cgroup", "irq"];

/// Version 2 files by name, after everything else, so that they take precedence. A value of several lines is written
/// line by line (`io.max`).
pub(super) fn unified(
    list: &mut Vec<Operation>,
    places: &[Place],
    entries: &[(&String, &String)],
    version_2: bool,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    if !version_2 {
        return Err(Error::new("linux.resources.unified needs a host with cgroup version 2 alone")
            .hint("use the properties of linux.resources that have names of their own"));
    }
    for (file, value) in entries {
        // SECURITY: only a file of this cgroup.
        let name = file.split_once('.').filter(|(name, _)| !name.is_empty() && !file.contains('/'));
        let Some((name, _)) = name else {
            return Err(Error::new(format!(
                "linux.resources.unified: invalid file {file:?}: expected a name such as memory.high"
            )));
        };
        // `cgroup.max.depth` and similar limits are relative to the cgroup that the program sees as its own.
        if name == "cgroup" && places.first().is_some_and(|place| place.leaf.is_some()) {
            continue;
        }
        let place = if WITHOUT_CONTROLLER.contains(&name) {
            places
                .first()
                .ok_or_else(|| Error::new("linux.resources.unified: no cgroup hierarchy is mounted"))?
        } else {
            controller(places, name, &format!("linux.resources.unified[{file:?}]"))?
        };
        for line in value.lines().filter(|line| !line.is_empty()) {
            list.push(Operation::Write(Write::new(&place.directory, file.as_str(), line)));
        }
    }
    Ok(())
}
