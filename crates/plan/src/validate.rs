//! The rules of the specification that types cannot express. Every problem is reported, none has had a side effect yet.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::document::Process;
use crate::document::{self, HOOKS};
use crate::issue::{Issues, SpecError};
use crate::mount_options::Decoded;
use crate::{
    NamespaceKind, cgroups_path, exec_affinity, id_map, intel_rdt, labels, memory_policy, mount_options,
    mounts, net_devices, personality, rlimits, scheduling, sysctl,
};

/// Entries of `args` and of `env`: with a stack limit of 8 MiB, execve(2) takes no more of the shortest.
const MAX_STRINGS: usize = 200_000;
/// Lines of `/proc/PID/uid_map`: user_namespaces(7).
const MAX_MAPPINGS: usize = 340;

pub(crate) fn check(config: &Config) -> Result<(), SpecError> {
    let mut issues = Issues::default();
    version(config, &mut issues);
    root(config, &mut issues);
    namespaces(config, &mut issues);
    mappings(config, &mut issues);
    time(config, &mut issues);
    check_mounts(config, &mut issues);
    devices(config, &mut issues);
    if let Some(process) = &config.document.process {
        check_process(config, process, &mut issues);
    }
    hooks(config, &mut issues);
    cgroups_path::check(config, &mut issues);
    intel_rdt::check(config, &mut issues);
    labels::check(config, &mut issues);
    memory_policy::check(config, &mut issues);
    net_devices::check(config, &mut issues);
    personality::check(config, &mut issues);
    sysctl::check(config, &mut issues);
    if config.document.annotations.iter().flatten().any(|(key, _)| key.is_empty()) {
        issues.add("annotations", "a key must not be empty");
    }
    issues.finish(false)
}

/// Any 1.x is taken, with whatever suffix: a newer minor version adds properties, which are ignored where unknown.
fn version(config: &Config, issues: &mut Issues) {
    let version = config.oci_version();
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<Option<u32>> = core.split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_slice() {
        // COMPAT(runc): "1.0" is what some engines write.
        [Some(1), Some(_)] | [Some(1), Some(_), Some(_)] => {}
        [Some(_), Some(_), Some(_)] => {
            issues.add("ociVersion", format!("{version:?} is not supported; versions 1.x are"))
        }
        _ => issues.add("ociVersion", format!("{version:?} is not a SemVer version such as \"1.3.0\"")),
    }
}

fn root(config: &Config, issues: &mut Issues) {
    match &config.document.root {
        None => issues.add("root", "is required on Linux"),
        Some(root) if root.path.is_empty() => issues.add("root.path", "must not be empty"),
        Some(root) if root.path.contains('\0') => issues.add("root.path", "must not hold a NUL"),
        Some(_) => {}
    }
}

fn namespaces(config: &Config, issues: &mut Issues) {
    let mut seen = BTreeSet::new();
    for (index, namespace) in config.linux.namespaces.iter().flatten().enumerate() {
        let path = format!("linux.namespaces[{index}]");
        if NamespaceKind::named(&namespace.kind).is_none() {
            let known = NamespaceKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            let message = format!("unknown namespace {:?}: expected one of {known}", namespace.kind);
            issues.add(format!("{path}.type"), message);
        } else if !seen.insert(&namespace.kind) {
            issues.add(path, format!("duplicate namespace {:?}", namespace.kind));
        } else if namespace.path.as_ref().is_some_and(|path| !path.is_empty() && !path.starts_with('/')) {
            issues.add(format!("{path}.path"), "must be absolute");
        }
    }
    let has = |kind: &str| seen.iter().any(|seen| *seen == kind);
    if !has("mount") {
        without_mount_namespace(config, issues);
    }
    for (name, value) in
        [("hostname", &config.document.hostname), ("domainname", &config.document.domainname)]
    {
        if value.as_ref().is_some_and(|value| !value.is_empty()) && !has("uts") {
            // COMPAT(runc): its sentence for the same refusal.
            issues.add(name, format!("unable to set {name} without a private UTS namespace"));
        }
        if value.as_ref().is_some_and(|value| value.len() > 64) {
            issues.add(name, "is longer than the kernel's 64 bytes");
        }
    }
}

/// In the caller's mount namespace the root is changed to by chroot(2) only, and what is mounted is mounted there.
fn without_mount_namespace(config: &Config, issues: &mut Issues) {
    let linux = &config.linux;
    let has = |list: Option<usize>| list.is_some_and(|length| length > 0);
    for (path, paths) in
        [("linux.maskedPaths", &linux.masked_paths), ("linux.readonlyPaths", &linux.readonly_paths)]
    {
        if has(paths.as_ref().map(Vec::len)) {
            // COMPAT(runc): its sentence.
            issues.add(path, "unable to restrict sys entries without a private MNT namespace");
        }
    }
    let root = config.document.root.as_ref();
    let whole = [
        ("root.readonly", root.and_then(|root| root.readonly).unwrap_or(false)),
        ("linux.rootfsPropagation", has(linux.rootfs_propagation.as_ref().map(String::len))),
    ];
    for (path, _) in whole.iter().filter(|(_, asked)| *asked) {
        issues.add(*path, "needs a \"mount\" namespace: it would change the mounts of the host");
    }
    let user = config.namespace(NamespaceKind::User).is_some();
    let bound = [
        ("mounts", has(config.document.mounts.as_ref().map(Vec::len))),
        ("linux.devices", has(linux.devices.as_ref().map(Vec::len))),
    ];
    for (path, _) in bound.iter().filter(|(_, asked)| user && *asked) {
        issues.add(*path, "needs a \"mount\" namespace: a user namespace may mount nothing in the caller's");
    }
}

/// (uid_t)-1: to system calls it means "unchanged", so no user can have it.
const NO_ID: u32 = u32::MAX;

fn id(path: impl Into<String>, id: u32, issues: &mut Issues) {
    if id == NO_ID {
        issues.add(path, format!("invalid id {id}: the last one is {}", NO_ID - 1));
    }
}

fn mappings(config: &Config, issues: &mut Issues) {
    let (uids, gids) = (
        config.linux.uid_mappings.as_deref().unwrap_or_default(),
        config.linux.gid_mappings.as_deref().unwrap_or_default(),
    );
    if config.namespace(NamespaceKind::User).is_none() {
        for (name, list) in [("uidMappings", uids), ("gidMappings", gids)] {
            if !list.is_empty() {
                issues.add(format!("linux.{name}"), "needs a \"user\" namespace");
            }
        }
        return;
    }
    for (name, list) in [("uidMappings", uids), ("gidMappings", gids)] {
        mapping_list(&format!("linux.{name}"), list, issues);
    }
    if uids.is_empty() != gids.is_empty() {
        issues.add("linux", "uidMappings and gidMappings belong together");
    }
}

/// Rules for every list of mappings, those of mounts too; whether it keeps them.
fn mapping_list(path: &str, list: &[document::IdMapping], issues: &mut Issues) -> bool {
    let before = issues.0.len();
    if list.len() > MAX_MAPPINGS {
        issues.add(path, format!("the kernel takes at most {MAX_MAPPINGS} mappings"));
    }
    for (index, mapping) in list.iter().enumerate() {
        let end = |start: u32| u64::from(start) + u64::from(mapping.size);
        if mapping.size == 0 {
            issues.add(format!("{path}[{index}].size"), "must not be 0");
        } else if end(mapping.container_id) > NO_ID.into() || end(mapping.host_id) > NO_ID.into() {
            issues.add(format!("{path}[{index}]"), "goes beyond the last id, 4294967294");
        }
    }
    issues.0.len() == before
}

fn time(config: &Config, issues: &mut Issues) {
    let offsets = config.linux.time_offsets.as_ref();
    for (clock, offset) in offsets.into_iter().flatten() {
        if clock != "monotonic" && clock != "boottime" {
            issues.add(format!("linux.timeOffsets.{clock}"), "unknown clock: expected monotonic or boottime");
        }
        if offset.nanosecs.is_some_and(|nanoseconds| nanoseconds >= 1_000_000_000) {
            issues.add(format!("linux.timeOffsets.{clock}.nanosecs"), "must be below 1000000000");
        }
    }
    if offsets.is_some_and(|offsets| !offsets.is_empty()) && !config.creates(NamespaceKind::Time) {
        issues.add(
            "linux.timeOffsets",
            "needs a new \"time\" namespace: one that is joined or inherited has its offsets already",
        );
    }
}

fn check_mounts(config: &Config, issues: &mut Issues) {
    for (index, mount) in config.document.mounts.iter().flatten().enumerate() {
        let at = |property: &str| format!("mounts[{index}].{property}");
        if mount.destination.is_empty() || mount.destination.contains('\0') {
            issues.add(at("destination"), "must be a path");
        } else if mounts::destination(&mount.destination) == "/" {
            issues.add(at("destination"), "must not be the root itself: root.path says what that is");
        }
        let options = mount_options::decode(mount.options.as_deref().unwrap_or_default());
        let bind = options.bind.is_some(); // data, which is for file systems, is ignored as the peers do
        if bind && mount.source.as_ref().is_none_or(|source| source.is_empty()) {
            issues.add(at("source"), "a bind mount needs one");
        }
        if !bind && mount.kind.as_ref().is_none_or(|kind| kind.is_empty()) {
            issues.add(at("type"), "is needed unless the options say \"bind\" or \"rbind\"");
        }
        if !bind && matches!(mount.kind.as_deref(), Some("bind" | "rbind")) {
            // The peers ask the kernel for a file system of that name: "no such device".
            issues.add(at("options"), "a bind mount needs the option \"bind\" or \"rbind\": add it");
        }
        if options.tmpcopyup && mount.kind.as_deref() != Some("tmpfs") {
            issues.add(at("options"), "tmpcopyup is for tmpfs only");
        }
        links(&options, &at("options"), issues);
        let mut broken = false;
        for (name, list) in [("uidMappings", &mount.uid_mappings), ("gidMappings", &mount.gid_mappings)] {
            broken |= !mapping_list(&at(name), list.as_deref().unwrap_or_default(), issues);
        }
        if let Some((property, problem)) = id_map::of(mount, &options, config).err().filter(|_| !broken) {
            let path = if property.is_empty() { format!("mounts[{index}]") } else { at(property) };
            issues.add(path, problem);
        }
    }
}

/// Options about links of a bind mount.
fn links(options: &Decoded, path: &str, issues: &mut Issues) {
    let nofollow = options.source_nofollow || options.destination_nofollow;
    if options.bind.is_none() && (nofollow || options.copy_symlink) {
        issues.add(path, "copy-symlink, src-nofollow and dest-nofollow are for bind mounts only");
    } else if nofollow && options.copy_symlink {
        // COMPAT(crun): its sentence.
        let problem = "`copy-symlink` is mutually exclusive with `src-nofollow` and `dest-nofollow`";
        issues.add(path, problem);
    }
}

fn devices(config: &Config, issues: &mut Issues) {
    for (index, device) in config.linux.devices.iter().flatten().enumerate() {
        let at = |property: &str| format!("linux.devices[{index}].{property}");
        if !device.path.starts_with('/') || device.path.split('/').any(|part| part == "..") {
            issues.add(at("path"), "must be absolute and without \"..\"");
        }
        for (name, value) in [("uid", device.uid), ("gid", device.gid)] {
            id(at(name), value.unwrap_or(0), issues);
        }
        match device.kind.as_str() {
            "c" | "b" | "u" => {
                for (name, value) in [("major", device.major), ("minor", device.minor)] {
                    if value.is_none_or(|value| u32::try_from(value).is_err()) {
                        issues.add(at(name), "a device needs a number from 0 to 4294967295 here");
                    }
                }
            }
            "p" => {}
            other => issues.add(at("type"), format!("invalid type {other:?}: expected c, b, u or p")),
        }
        if device.file_mode.is_some_and(|mode| mode & !0o177_777 != 0) {
            issues.add(at("fileMode"), "invalid file mode: JSON numbers are decimal");
        }
    }
}

fn check_process(config: &Config, process: &Process, issues: &mut Issues) {
    if !process.cwd.starts_with('/') {
        // COMPAT(runc): its sentence.
        issues.add("process.cwd", "Cwd must be an absolute path");
    }
    match process.args.as_deref() {
        None | Some([]) => issues.add("process.args", "args must not be empty"),
        Some(args) if args[0].is_empty() => issues.add("process.args[0]", "must not be empty"),
        Some(_) => {}
    }
    let strings = [("args", &process.args), ("env", &process.env)];
    for (name, list) in strings {
        let count = list.as_ref().map_or(0, Vec::len);
        if count > MAX_STRINGS {
            issues.add(
                format!("process.{name}"),
                format!("has {count} entries; at most {MAX_STRINGS} are supported"),
            );
            continue;
        }
        for (index, _) in list.iter().flatten().enumerate().filter(|(_, text)| text.contains('\0')) {
            issues.add(format!("process.{name}[{index}]"), "must not hold a NUL");
        }
    }
    rlimits::check(process, issues);
    scheduling::check(config, process, issues);
    exec_affinity::check(process, issues);
    if process.oom_score_adj.is_some_and(|value| !(-1000..=1000).contains(&value)) {
        issues.add("process.oomScoreAdj", "must be from -1000 to 1000");
    }
    if let Some(umask) = process.user.as_ref().and_then(|user| user.umask).filter(|umask| *umask > 0o777) {
        issues.add("process.user.umask", format!("invalid umask {umask}: JSON numbers are decimal"));
    }
    let size = process.console_size.filter(|_| config.terminal());
    if let Some(size) = size.filter(|size| size.height > 0xffff || size.width > 0xffff) {
        issues.add("process.consoleSize", format!("{} × {} is beyond 65535", size.width, size.height));
    }
    if let Some(user) = &process.user {
        id("process.user.uid", user.uid, issues);
        id("process.user.gid", user.gid, issues);
        for (index, gid) in user.additional_gids.iter().flatten().enumerate() {
            id(format!("process.user.additionalGids[{index}]"), *gid, issues);
        }
    }
    let Some(user) = process.user.as_ref().filter(|_| config.creates(NamespaceKind::User)) else { return };
    let (uids, gids) = (&config.linux.uid_mappings, &config.linux.gid_mappings);
    let mapped = |list: &Option<Vec<crate::document::IdMapping>>, id: u32| {
        list.as_deref().is_none_or(|list| {
            list.is_empty()
                || list.len() > MAX_MAPPINGS
                || list.iter().any(|m| id >= m.container_id && id - m.container_id < m.size)
        })
    };
    let hint = "the user namespace has only the ids that are mapped; idMappings: 'subordinate' gives an image more: docs/rootless.md";
    if !mapped(uids, user.uid) {
        let message = format!("{} is not mapped in linux.uidMappings", user.uid);
        issues.add_with_hint("process.user.uid", message, hint);
    }
    if !mapped(gids, user.gid) {
        let message = format!("{} is not mapped in linux.gidMappings", user.gid);
        issues.add_with_hint("process.user.gid", message, hint);
    }
    for (index, gid) in
        user.additional_gids.iter().flatten().enumerate().filter(|(_, gid)| !mapped(gids, **gid))
    {
        let message = format!("{gid} is not mapped in linux.gidMappings");
        issues.add_with_hint(format!("process.user.additionalGids[{index}]"), message, hint);
    }
}

fn hooks(config: &Config, issues: &mut Issues) {
    for list in HOOKS {
        for (index, hook) in config.hook_list(list).iter().enumerate() {
            if !hook.path.starts_with('/') {
                issues.add(format!("hooks.{list}[{index}].path"), "must be absolute");
            }
            if hook.timeout.is_some_and(|timeout| u32::try_from(timeout).is_err() || timeout == 0) {
                issues.add(format!("hooks.{list}[{index}].timeout"), "must be a number of seconds above 0");
            }
        }
    }
}
