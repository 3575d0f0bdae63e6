//! A parsed and validated config.json.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;

use crate::document::{self, Document, Linux};
use crate::issue::SpecError;
use crate::{
    ExecCpuAffinity, Hook, NamespaceKind, exec_affinity, json, mounts, resources, unsupported, validate,
};

/// Straight from the text where nothing is wrong with it; otherwise once more, for what is wrong and where.
fn document(bytes: &[u8]) -> Result<Document, SpecError> {
    if json::is_unique(bytes)
        && let Ok(document) = serde_json::from_slice(bytes)
    {
        return Ok(document);
    }
    serde_path_to_error::deserialize(json::parse(bytes)?).map_err(|error| {
        let path = error.path().to_string();
        SpecError::invalid(if path == "." { String::new() } else { path }, error.into_inner().to_string())
    })
}

#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) document: Document,
    pub(crate) linux: Linux,
}

impl Config {
    /// # Errors Text that is not JSON, a wrong type (at its path), every broken rule of the specification (all of
    /// them), or, with `unsupported` set, properties that are not implemented yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, SpecError> {
        let mut document = document(bytes)?;
        let mut linux = document.linux.take().unwrap_or_default();
        let resources =
            linux.resources.as_mut().map_or(Ok(()), |resources| resources::check(bytes, resources));
        let config = Self { document, linux };
        SpecError::both(validate::check(&config), resources)?;
        unsupported::check(&config)?;
        Ok(config)
    }

    pub fn oci_version(&self) -> &str {
        &self.document.oci_version
    }

    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.document.annotations.clone().unwrap_or_default()
    }

    /// One list of `hooks` by its name, ready to run.
    pub fn hooks(&self, list: &str) -> Vec<Hook> {
        let hook = |(index, hook): (usize, &document::Hook)| Hook {
            list: list.to_owned(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
            path: hook.path.clone(),
            args: hook.args.clone().unwrap_or_default(),
            env: hook.env.clone(),
            timeout: hook.timeout.and_then(|timeout| u32::try_from(timeout).ok()),
        };
        self.hook_list(list).iter().enumerate().map(hook).collect()
    }

    pub(crate) fn hook_list(&self, list: &str) -> &[document::Hook] {
        self.document.hooks.as_ref().map_or(&[], |hooks| hooks.list(list))
    }

    pub fn terminal(&self) -> bool {
        self.document.process.as_ref().and_then(|process| process.terminal).unwrap_or(false)
    }

    pub fn exec_cpu_affinity(&self) -> ExecCpuAffinity {
        self.document.process.as_ref().map(exec_affinity::of).unwrap_or_default()
    }

    pub fn intel_rdt(&self) -> Option<&document::IntelRdt> {
        self.linux.intel_rdt.as_deref()
    }

    pub fn resources(&self) -> Option<&LinuxResources> {
        self.linux.resources.as_ref()
    }

    pub fn cgroups_path(&self) -> Option<&str> {
        self.linux.cgroups_path.as_deref()
    }

    /// Absolute: `root.path` counts from the bundle.
    pub fn root_path(&self, bundle: &Path) -> PathBuf {
        let path = bundle.join(self.document.root.as_ref().map_or("", |root| root.path.as_str()));
        // `rootfs/` and `rootfs` are the same directory, but only the second one can be seen to be a symbolic link.
        path.components().collect()
    }

    pub fn has_pid_namespace(&self) -> bool {
        self.namespace(NamespaceKind::Pid).is_some()
    }

    /// Whether a user of the host may be one in the container: there is no user namespace, it maps that user, or it is
    /// joined and its maps are not known here.
    pub fn maps_user(&self, uid: u32) -> bool {
        !self.creates(NamespaceKind::User)
            || self
                .linux
                .uid_mappings
                .iter()
                .flatten()
                .any(|map| uid.checked_sub(map.host_id).is_some_and(|offset| offset < map.size))
    }

    /// The user of the host who owns the container's cgroup of version 2: the one of the program, if the container has
    /// a cgroup namespace of its own and its cgroups mounted writable (config-linux.md, "Cgroup ownership"). `None`
    /// also in a joined user namespace, whose maps are not known here.
    pub fn cgroup_owner(&self) -> Option<u32> {
        let mut mounts = self.document.mounts.iter().flatten();
        if !self.creates(NamespaceKind::Cgroup) || !mounts.any(mounts::is_writable_cgroup) {
            return None;
        }
        let user = self.document.process.as_ref().and_then(|process| process.user.as_ref());
        let uid = user.map_or(0, |user| user.uid);
        if self.namespace(NamespaceKind::User).is_none() {
            return Some(uid);
        }
        self.linux.uid_mappings.iter().flatten().filter(|_| self.creates(NamespaceKind::User)).find_map(
            |map| {
                let offset = uid.checked_sub(map.container_id).filter(|offset| *offset < map.size)?;
                map.host_id.checked_add(offset)
            },
        )
    }

    pub(crate) fn namespace(&self, kind: NamespaceKind) -> Option<&crate::document::Namespace> {
        self.linux.namespaces.iter().flatten().find(|namespace| namespace.kind == kind.name())
    }

    /// A namespace that is made, not joined.
    pub(crate) fn creates(&self, kind: NamespaceKind) -> bool {
        self.namespace(kind).is_some_and(|namespace| namespace.path.as_deref().unwrap_or_default().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_cgroup_is_the_programs_user_where_it_may_write() {
        let owner = |mount: &str, namespaces: &str, maps: &str| {
            let maps = format!(r#""uidMappings": [{maps}], "gidMappings": [{maps}]"#);
            let text = format!(
                r#"{{"ociVersion": "1.3.0", "root": {{"path": "r"}},
                "process": {{"cwd": "/", "args": ["a"], "user": {{"uid": 5, "gid": 0}}}}, "mounts": [{mount}],
                "linux": {{"namespaces": [{{"type": "mount"}}{namespaces}], {maps}}}}}"#
            );
            Config::parse(text.as_bytes()).unwrap().cgroup_owner()
        };
        let mount = |destination: &str, options: &str| {
            format!(
                r#"{{"destination": "{destination}", "type": "cgroup", "source": "cgroup", "options": [{options}]}}"#
            )
        };
        let (writable, cgroup) = (mount("/sys/fs/cgroup/", r#""nosuid""#), r#", {"type": "cgroup"}"#);
        let user = r#", {"type": "cgroup"}, {"type": "user"}"#;
        let map = r#"{"containerID": 0, "hostID": 1000, "size": 10}"#;
        assert_eq!(owner(&writable, cgroup, ""), Some(5));
        assert_eq!(owner(&writable, user, map), Some(1005));
        assert_eq!(owner(&writable, "", ""), None, "the host's cgroup namespace");
        let joined = r#", {"type": "cgroup", "path": "/proc/1/ns/cgroup"}"#;
        assert_eq!(owner(&writable, joined, ""), None);
        for mount in ["", &mount("/sys/fs/cgroup", r#""ro""#), &mount("/mnt", "")] {
            assert_eq!(owner(mount, cgroup, ""), None, "{mount}");
        }
        let other = writable.replace("\"source\": \"cgroup\"", "\"source\": \"x\"");
        assert_eq!(owner(&other, cgroup, ""), None);
    }

    #[test]
    fn a_user_is_mapped_where_nothing_keeps_it_out() {
        let config = |linux: &str| {
            let text = format!(
                r#"{{"ociVersion": "1.3.0", "root": {{"path": "r"}}, "process": {{"cwd": "/", "args": ["a"]}}, "linux": {linux}}}"#
            );
            Config::parse(text.as_bytes()).unwrap()
        };
        let mapped = |uids: &str| {
            let maps = |ids: &str| format!(r#"[{{"containerID": 0, {ids}}}]"#);
            config(&format!(
                r#"{{"namespaces": [{{"type": "user"}}, {{"type": "mount"}}], "uidMappings": {}, "gidMappings": {}}}"#,
                maps(uids),
                maps(uids)
            ))
        };
        assert!(config(r#"{"namespaces": [{"type": "mount"}]}"#).maps_user(0));
        let elsewhere = mapped(r#""hostID": 100000, "size": 65536"#);
        assert_eq!(
            [0, 99_999, 100_000, 165_535, 165_536].map(|uid| elsewhere.maps_user(uid)),
            [false, false, true, true, false]
        );
        assert!(mapped(r#""hostID": 0, "size": 1"#).maps_user(0));
        assert!(
            config(r#"{"namespaces": [{"type": "mount"}, {"type": "user", "path": "/proc/1/ns/user"}]}"#)
                .maps_user(0)
        );
    }
}
