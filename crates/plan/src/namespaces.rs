//! Which namespaces are made by the first clone, which are joined, which come after joining (design D1).

use caisson_flags::{NamespaceKind, Namespaces};

use crate::config::Config;
use crate::document;
use crate::issue::SpecError;
use crate::{Host, IdMapping, JoinNamespace, TimeOffsets, UserNamespace};

pub(crate) struct Split {
    pub clone_flags: Namespaces,
    pub join: Vec<JoinNamespace>,
    pub clone_after_join: Namespaces,
    pub user_namespace: Option<UserNamespace>,
    pub joined_mappings: Option<UserNamespace>,
    pub time_namespace: Option<TimeOffsets>,
}

/// # Errors
/// A pid namespace that is joined from a new user namespace, unless the caller may write files of root.
pub(crate) fn split(config: &Config, host: &Host) -> Result<Split, SpecError> {
    let mut flags = Namespaces::empty();
    let mut join = Vec::new();
    for namespace in config.linux.namespaces.iter().flatten() {
        let Some(kind) = NamespaceKind::named(&namespace.kind) else { continue };
        match namespace.path.as_ref().filter(|path| !path.is_empty()) {
            Some(path) => join.push(JoinNamespace { kind, path: path.clone() }),
            // The cgroup namespace is unshared after placement, the time namespace after its offsets are known.
            None if matches!(kind, NamespaceKind::Cgroup | NamespaceKind::Time) => {}
            None => flags |= kind.flag(),
        }
    }
    let user_namespace = config.creates(NamespaceKind::User).then(|| user_namespace(config, host));
    // SECURITY: CVE-2016-9962 and its kin: an ordinary user writes the id mappings of a process that is dumpable until
    // then, and the processes of the namespace could look into it.
    let joins_pid = join.iter().any(|join: &JoinNamespace| join.kind == NamespaceKind::Pid);
    if user_namespace.is_some() && joins_pid && !host.rights.writes_root_files {
        let reason = "only root can join a pid namespace from a new user namespace: its processes could look into this \
                      one while an ordinary user writes the id mappings";
        return Err(SpecError::invalid("linux.namespaces", reason));
    }
    // COMPAT(containerd, CRI-O): both write the mappings of a user namespace beside its path.
    let joins_user = config.namespace(NamespaceKind::User).is_some() && user_namespace.is_none();
    let joined_mappings = (joins_user
        && config.linux.uid_mappings.as_ref().is_some_and(|list| !list.is_empty()))
    .then(|| self::user_namespace(config, host));
    let time_namespace = config.creates(NamespaceKind::Time).then(|| offsets(config));
    let (clone_flags, clone_after_join) =
        if join.is_empty() { (flags, Namespaces::empty()) } else { (Namespaces::empty(), flags) };
    Ok(Split { clone_flags, join, clone_after_join, user_namespace, joined_mappings, time_namespace })
}

/// COMPAT(crun): without mappings the caller's own ids become root (runc refuses).
fn user_namespace(config: &Config, host: &Host) -> UserNamespace {
    let convert = |list: &Option<Vec<document::IdMapping>>, own: u32| {
        let list: Vec<_> = list.iter().flatten().collect();
        if list.is_empty() {
            return vec![IdMapping { container_id: 0, host_id: own, size: 1 }];
        }
        list.into_iter()
            .map(|m| IdMapping { container_id: m.container_id, host_id: m.host_id, size: m.size })
            .collect()
    };
    UserNamespace {
        uid_mappings: convert(&config.linux.uid_mappings, host.euid),
        gid_mappings: convert(&config.linux.gid_mappings, host.egid),
    }
}

fn offsets(config: &Config) -> TimeOffsets {
    let offset = |clock: &str| {
        let offset = config.linux.time_offsets.as_ref()?.get(clock)?;
        Some((offset.secs.unwrap_or(0), offset.nanosecs.unwrap_or(0)))
    };
    TimeOffsets { monotonic: offset("monotonic"), boottime: offset("boottime") }
}
