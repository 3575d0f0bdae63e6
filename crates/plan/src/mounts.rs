//! `mounts` → operations, in the configuration's order.

use std::path::Path;

use caisson_flags::MountFlags;

use crate::config::Config;
use crate::document;
use crate::host::{CgroupMode, Host, Options};
use crate::id_map;
use crate::issue::SpecError;
use crate::mount_options::{self, Decoded};
use crate::{CgroupHierarchy, Mount, NamespaceKind, Operation, UserNamespace};

pub(crate) fn operations(
    config: &Config,
    options: &Options,
    host: &Host,
    user: Option<&UserNamespace>,
) -> Result<Vec<Operation>, SpecError> {
    let mounts = config.document.mounts.iter().flatten().enumerate();
    mounts
        .map(|(index, mount)| {
            operation(u32::try_from(index).unwrap_or(u32::MAX), mount, config, options, host, user)
        })
        .collect()
}

fn operation(
    index: u32,
    mount: &document::Mount,
    config: &Config,
    options: &Options,
    host: &Host,
    user: Option<&UserNamespace>,
) -> Result<Operation, SpecError> {
    let decoded = mount_options::decode(mount.options.as_deref().unwrap_or_default());
    let inside = destination(&mount.destination);
    let kind = mount.kind.clone().unwrap_or_default();
    if decoded.bind.is_none()
        && matches!(kind.as_str(), "cgroup" | "cgroup2")
        && host.cgroup.mode != CgroupMode::None
    {
        return Ok(cgroup(index, inside, &decoded, config, host));
    }
    let invalid = |message| SpecError::invalid(format!("mounts[{index}]"), message);
    let id_map = id_map::of(mount, &decoded, config).map_err(|(_, message)| invalid(message))?;
    if id_map.is_some() && !host.rights.administers_host {
        // COMPAT(runc): its sentence. The kernel asks for CAP_SYS_ADMIN over the file system.
        return Err(invalid("id-mapped mounts are not supported for rootless containers".to_owned()));
    }
    let Decoded { bind, flags, cleared, recursive_set, recursive_clear, propagation, mut data, .. } = decoded;
    if kind == "devpts" && user.is_some_and(|user| !maps_gid(user, &data)) {
        data = without_gid(&data);
    }
    let given = mount.source.clone().unwrap_or_default();
    // A relative source of a bind counts from the bundle.
    let source =
        if bind.is_some() { Path::new(&options.bundle).join(given).display().to_string() } else { given };
    let fstype = if bind.is_some() { String::new() } else { kind };
    if bind.is_some() {
        data.clear();
    }
    let host_bind =
        (fstype == "sysfs" && flags.contains(MountFlags::RDONLY) && may_lack_network(config, host))
            .then(|| "/sys".to_owned());
    Ok(Operation::Mount(Mount {
        index,
        inside,
        fstype,
        source,
        bind,
        flags,
        cleared,
        recursive_set,
        recursive_clear,
        propagation,
        data,
        tmpcopyup: decoded.tmpcopyup,
        id_map,
        copy_symlink: decoded.copy_symlink,
        source_nofollow: decoded.source_nofollow,
        destination_nofollow: decoded.destination_nofollow,
        host_bind,
    }))
}

/// COMPAT(crun): a sysfs belongs to its network namespace. Where the container's user namespace does not own that one,
/// a read-only view of the host's is bound.
fn may_lack_network(config: &Config, host: &Host) -> bool {
    config.namespace(NamespaceKind::User).is_some() || !host.rights.administers_host
}

/// Whether it shows the cgroups at their usual place, writable.
pub(crate) fn is_writable_cgroup(mount: &document::Mount) -> bool {
    let decoded = mount_options::decode(mount.options.as_deref().unwrap_or_default());
    mount.source.as_deref() == Some("cgroup")
        && matches!(mount.kind.as_deref(), Some("cgroup" | "cgroup2"))
        && destination(&mount.destination) == "/sys/fs/cgroup"
        && !decoded.flags.contains(MountFlags::RDONLY)
}

/// A relative destination is deprecated but legal: it counts from the root.
/// COMPAT(runc): `..` takes the name before it away, whatever that is in the image, and stays in the root.
pub fn destination(path: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn cgroup(index: u32, inside: String, decoded: &Decoded, config: &Config, host: &Host) -> Operation {
    let flags = decoded.flags;
    if host.cgroup.mode == CgroupMode::V2 {
        // With a cgroup namespace of its own the container sees its cgroup as the root, so that is what a bind shows
        // too.
        let own = host.cgroup.hierarchies.first().map(|h| h.directory.clone()).unwrap_or_default();
        let host_bind =
            if config.namespace(NamespaceKind::Cgroup).is_some() { own } else { "/sys/fs/cgroup".to_owned() };
        return Operation::MountCgroupV2 { index, inside, flags, host_bind };
    }
    // COMPAT(runc): the unified hierarchy of a hybrid host places processes and has no controllers to show.
    let shown = host.cgroup.hierarchies.iter().filter(|hierarchy| !hierarchy.unified);
    let hierarchies = shown.map(|hierarchy| CgroupHierarchy {
        directory: hierarchy.directory_name.clone(),
        data: hierarchy.data.clone(),
        host_directory: hierarchy.directory.clone(),
        links: if hierarchy.data.contains(',') && !hierarchy.data.contains('=') {
            hierarchy.data.split(',').map(str::to_owned).collect()
        } else {
            Vec::new()
        },
    });
    Operation::MountCgroupV1 {
        index,
        inside,
        flags,
        hierarchies: hierarchies.collect(),
        cgroup_namespace: config.creates(NamespaceKind::Cgroup),
        readonly: flags.contains(MountFlags::RDONLY),
    }
}

fn maps_gid(user: &UserNamespace, data: &str) -> bool {
    let gid =
        data.split(',').find_map(|part| part.strip_prefix("gid=")).and_then(|gid| gid.parse::<u32>().ok());
    gid.is_none_or(|gid| {
        user.gid_mappings.iter().any(|m| gid >= m.container_id && gid - m.container_id < m.size)
    })
}

/// A group that does not exist in the user namespace would fail the mount.
fn without_gid(data: &str) -> String {
    data.split(',').filter(|part| !part.starts_with("gid=")).collect::<Vec<_>>().join(",")
}
