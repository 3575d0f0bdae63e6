//! The order of it all: what the specification demands, and where it is silent, what runc does.

use std::collections::HashSet;

use caisson_flags::MountFlags;

use crate::config::Config;
use crate::devices::Origins;
use crate::host::{CgroupMode, Host, Options};
use crate::issue::SpecError;
use crate::{
    Filter, NamespaceKind, Operation, Overlay, Plan, devices, intel_rdt, labels, memory_policy, mounts,
    namespaces, net_devices, personality, process, rlimits, scheduling, seccomp, sysctl,
};

/// Decides everything about one container. No side effect, no privilege.
///
/// # Errors What is wrong only for this caller on this host: `additionalGids` in a user namespace that denies
/// setgroups, labels of a security module that is active.
pub fn plan(config: &Config, options: &Options, host: &Host) -> Result<Plan, SpecError> {
    let split = namespaces::split(config, host)?;
    let mut warnings = Vec::new();
    let labels = labels::decide(config, options, host, &mut warnings)?;
    let net_devices = net_devices::decide(config, host)?;
    kernel_memory(config, &mut warnings);
    let filter = seccomp::filter(config, options, host)?;
    let user = split.user_namespace.as_ref();
    implied_mappings(config)?;

    let mut early = host
        .cgroup
        .procs_files
        .iter()
        .map(|file| Operation::JoinCgroup { host_procs_file: file.clone() })
        .collect::<Vec<_>>();
    early.push(Operation::ResetCpuAffinity);
    early.extend(intel_rdt::operations(config, host)?);
    if config.creates(NamespaceKind::Cgroup) && host.cgroup.mode != CgroupMode::None {
        early.push(Operation::UnshareCgroup);
    }

    let mut setup = Vec::new();
    if options.new_keyring {
        setup.extend(session_keyring(labels.selinux_label.as_deref()));
    }
    if config.creates(NamespaceKind::Network) {
        setup.push(Operation::LoopbackUp);
    }
    // SECURITY: without a mount namespace of the container's own these are the mounts of the host.
    if config.namespace(NamespaceKind::Mount).is_some() {
        let flags = propagation(config.linux.rootfs_propagation.as_deref());
        setup.push(Operation::Propagation { flags });
    } else {
        warnings.push("linux.namespaces has no \"mount\": only chroot(2) confines the container".to_owned());
    }
    setup.extend(labels.mount_label.map(Operation::MountLabel));
    setup.push(root(config, options, host)?);
    setup.extend(mounts::operations(config, options, host, user)?);
    setup.extend(devices::operations(config, Origins::of(config, host)));
    let create_container = config.hooks("createContainer");
    if !create_container.is_empty() {
        setup.push(Operation::CreateContainerHooks { hooks: create_container });
    }
    setup.push(Operation::PivotRoot { pivot: options.pivot });
    setup.extend(process::below_root(config));
    if let Some(flags) = root_propagation(config.linux.rootfs_propagation.as_deref())? {
        setup.push(Operation::RootPropagation { flags });
    }
    if config.document.root.as_ref().and_then(|root| root.readonly).unwrap_or(false) {
        setup.push(Operation::RemountReadonly { inside: "/".into() });
    }
    setup.extend(names(config));
    setup.extend(sysctl::operations(config));
    let readonly = once_each(config.linux.readonly_paths.as_deref());
    setup.extend(readonly.map(|path| Operation::ReadonlyPath { inside: path.clone() }));
    let masked = once_each(config.linux.masked_paths.as_deref());
    setup.extend(masked.map(|path| Operation::MaskPath { inside: path.clone() }));
    setup.extend(attributes(config));
    setup.extend(labels.apparmor_profile.map(Operation::AppArmorProfile));
    setup.extend(labels.selinux_label.map(Operation::ExecLabel));
    setup.extend(process::become_user(config, host, user, &mut warnings)?);

    Ok(Plan {
        id: options.id.clone(),
        clone_flags: split.clone_flags,
        join: split.join,
        clone_after_join: split.clone_after_join,
        user_namespace: split.user_namespace,
        joined_mappings: split.joined_mappings,
        time_namespace: split.time_namespace,
        waits_for_runtime_hooks: !net_devices.is_empty()
            || ["prestart", "createRuntime"].iter().any(|list| !config.hook_list(list).is_empty()),
        net_devices,
        early,
        setup,
        start: start(config, filter),
        preserve_fds: options.preserve_fds,
        state_prefix: state_prefix(config, options)?,
        warnings,
        kill_on_parent_death: options.attached,
    })
}

/// Where the root file system comes from.
fn root(config: &Config, options: &Options, host: &Host) -> Result<Operation, SpecError> {
    let Some(overlay) = &options.overlay else {
        let host_path = config.root_path(options.bundle.as_ref()).display().to_string();
        return Ok(Operation::OpenRoot { host_path });
    };
    if !config.creates(NamespaceKind::Mount) {
        let reason =
            "an image's root file system is mounted in a new mount namespace, which ends with the container";
        return Err(SpecError::invalid("linux.namespaces", reason));
    }
    let privileged = host.rights.administers_host;
    let overlay = overlay.clone();
    Ok(Operation::MountOverlay(Overlay {
        store: overlay.store,
        lower: overlay.lower,
        writable: overlay.writable,
        tmpfs_size: overlay.tmpfs_size,
        host_path: overlay.host_path,
        volatile: overlay.volatile,
        user_xattr: !privileged || config.namespace(NamespaceKind::User).is_some(),
        // An unprivileged caller's files are its own: they belong to the container's root as they are.
        idmapped: privileged && config.namespace(NamespaceKind::User).is_some(),
    }))
}

/// Limits that Linux took back in 5.16 and the specification calls NOT RECOMMENDED: a warning, as with runc.
fn kernel_memory(config: &Config, warnings: &mut Vec<String>) {
    let Some(memory) = config.resources().and_then(|resources| resources.memory().as_ref()) else { return };
    for (name, value) in [("kernel", memory.kernel()), ("kernelTCP", memory.kernel_tcp())] {
        if value.is_some_and(|value| value != 0) {
            warnings.push(format!(
                "linux.resources.memory.{name} has no effect: Linux counts kernel memory in the memory limit"
            ));
        }
    }
    if memory.use_hierarchy() == Some(false) {
        warnings.push(
            "linux.resources.memory.useHierarchy: false has no effect: Linux always counts children".into(),
        );
    }
}

/// Keys get the label of the program, and what is made later that of its maker again.
fn session_keyring(label: Option<&str>) -> Vec<Operation> {
    let Some(label) = label else { return vec![Operation::NewSessionKeyring] };
    let key_label = |label: &str| Operation::KeyLabel(label.to_owned());
    vec![key_label(label), Operation::NewSessionKeyring, key_label("")]
}

/// Without mappings the caller is root, and there is no other id.
fn implied_mappings(config: &Config) -> Result<(), SpecError> {
    let implied =
        config.creates(NamespaceKind::User) && config.linux.uid_mappings.as_ref().is_none_or(Vec::is_empty);
    let user = config.document.process.as_ref().and_then(|process| process.user.as_ref());
    let Some(user) = user.filter(|_| implied) else { return Ok(()) };
    let others = user.additional_gids.iter().flatten().any(|gid| *gid != 0);
    for (path, other) in [("uid", user.uid != 0), ("gid", user.gid != 0), ("additionalGids", others)] {
        if other {
            let reason = "must be 0 in a user namespace without linux.uidMappings: the caller is its root";
            return Err(SpecError::invalid(format!("process.user.{path}"), reason));
        }
    }
    Ok(())
}

/// Of the runtime's copy of the mount tree, before anything is mounted: nothing may flow back to the host.
fn propagation(wanted: Option<&str>) -> MountFlags {
    match wanted {
        Some("private" | "rprivate") => MountFlags::PRIVATE | MountFlags::REC,
        _ => MountFlags::SLAVE | MountFlags::REC,
    }
}

/// Of the container's new `/`.
fn root_propagation(wanted: Option<&str>) -> Result<Option<MountFlags>, SpecError> {
    let flag = match wanted.unwrap_or_default() {
        "" => return Ok(None),
        "shared" => MountFlags::SHARED,
        "rshared" => MountFlags::SHARED | MountFlags::REC,
        "slave" => MountFlags::SLAVE,
        "rslave" => MountFlags::SLAVE | MountFlags::REC,
        "private" => MountFlags::PRIVATE,
        "rprivate" => MountFlags::PRIVATE | MountFlags::REC,
        "unbindable" => MountFlags::UNBINDABLE,
        "runbindable" => MountFlags::UNBINDABLE | MountFlags::REC,
        other => {
            return Err(SpecError::invalid(
                "linux.rootfsPropagation",
                format!("invalid propagation {other:?}: expected shared, slave, private or unbindable"),
            ));
        }
    };
    Ok(Some(flag))
}

/// A path that is listed twice is covered once.
fn once_each(paths: Option<&[String]>) -> impl Iterator<Item = &String> {
    let mut seen = HashSet::new();
    paths.unwrap_or_default().iter().filter(move |path| seen.insert(path.as_str()))
}

fn names(config: &Config) -> Vec<Operation> {
    let given = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let host = given(&config.document.hostname).map(Operation::Hostname);
    host.into_iter().chain(given(&config.document.domainname).map(Operation::Domainname)).collect()
}

/// When the start is asked for.
fn start(config: &Config, filter: Option<Filter>) -> Vec<Operation> {
    let Some(process) = &config.document.process else { return vec![] };
    let hooks = config.hooks("startContainer");
    let hooks = (!hooks.is_empty()).then_some(Operation::StartContainerHooks { hooks });
    hooks.into_iter().chain([Operation::Exec(process::program(process, filter))]).collect()
}

/// Attributes of the first process that are set while it still has every privilege.
fn attributes(config: &Config) -> Vec<Operation> {
    let Some(process) = &config.document.process else { return vec![] };
    let mut operations = Vec::new();
    operations.extend(process.oom_score_adj.map(Operation::OomScoreAdj));
    operations.extend(rlimits::operations(process));
    // COMPAT(runc): 022 where nothing is said, whatever the caller's own umask is.
    operations.push(Operation::Umask(process.user.as_ref().and_then(|user| user.umask).unwrap_or(0o022)));
    if process.no_new_privileges.unwrap_or(false) {
        operations.push(Operation::NoNewPrivileges);
    }
    operations.extend(scheduling::operations(process));
    operations.extend(personality::operation(config));
    operations.extend(memory_policy::operation(config));
    operations
}

/// The OCI state, open at its end: the helper adds status and pid, which depend on where a hook runs.
fn state_prefix(config: &Config, options: &Options) -> Result<String, SpecError> {
    let text = serde_json::to_string(&serde_json::json!({
        "ociVersion": config.oci_version(),
        "id": options.id,
        "bundle": options.bundle,
        "annotations": config.annotations(),
    }));
    let text = text.map_err(|error| SpecError::invalid("annotations", error.to_string()))?;
    Ok(text.strip_suffix('}').unwrap_or(&text).to_owned())
}
