//! The path of a container's cgroup in each hierarchy. Pure: nothing is created here.

use std::path::{Component, Path, PathBuf};

use crate::{Error, Host, Mode, Result};

/// The container to place.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub id: &'a str,
    /// `linux.cgroupsPath`.
    pub cgroups_path: Option<&'a str>,
    /// The caller may lack permission to change cgroups: without limits or a path in the configuration, the container
    /// gets no cgroup.
    pub rootless: bool,
}

/// The container's directory in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub directory_name: String,
    pub controllers: Vec<String>,
    pub unified: bool,
    pub mount_point: PathBuf,
    /// Has the limits; counted, frozen, killed and removed with everything below it.
    pub directory: PathBuf,
    /// A child of it, the root of the container's cgroup namespace; if `None`, the processes are in `directory` itself.
    pub leaf: Option<PathBuf>,
}

impl Place {
    #[cfg(feature = "resources")]
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }

    /// The directory of the container's processes.
    pub fn processes(&self) -> &Path {
        self.leaf.as_deref().unwrap_or(&self.directory)
    }
}

/// The child for the processes. COMPAT(crun): the same name.
#[cfg(feature = "resources")]
const LEAF: &str = "container";

/// Version 1 controllers whose limits in a parent apply to its children. The others are not hierarchical
/// (`blkio.throttle`, `net_cls`, `net_prio`), cannot be changed in a user namespace (`devices`), or limit nothing.
#[cfg(feature = "resources")]
const HIERARCHICAL: [&str; 6] = ["cpu", "cpuset", "memory", "pids", "hugetlb", "rdma"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub mode: Mode,
    pub places: Vec<Place>,
    /// The configuration has a path, so the container needs a cgroup.
    pub explicit: bool,
    pub rootless: bool,
    /// The user of the host that the container's cgroup of version 2 is delegated to, if it is not the caller.
    pub owner: Option<u32>,
}

impl Host {
    /// The directories of a container. An absolute `cgroupsPath` starts at the mount points. A relative one, or by
    /// default the id, starts at the caller's own cgroup (version 2: at its parent, because the caller's own contains
    /// processes and so cannot enable controllers for children), as in runc.
    pub fn place(&self, request: &Request<'_>) -> Result<Placement> {
        let wanted = request.cgroups_path.filter(|path| !path.is_empty());
        let path = wanted.unwrap_or(request.id);
        if Path::new(path).components().any(|part| part == Component::ParentDir) {
            return Err(Error::new(format!("cgroupsPath {path:?} must not contain \"..\"")));
        }
        // The caller's own cgroup, or the root: limits would apply to every process in it, and delete would remove it.
        if !Path::new(path).components().any(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::new(format!("cgroupsPath {path:?} does not name a cgroup below the top")));
        }
        let places = self.hierarchies.iter().map(|hierarchy| {
            let base = match (path.starts_with('/'), self.mode) {
                (true, _) => Path::new("/"),
                (false, Mode::V2) => Path::new(&hierarchy.own_path).parent().unwrap_or(Path::new("/")),
                (false, _) => Path::new(&hierarchy.own_path),
            };
            let inner = base.join(path.trim_start_matches('/'));
            Place {
                directory_name: hierarchy.directory_name.clone(),
                controllers: hierarchy.controllers.clone(),
                unified: hierarchy.unified,
                mount_point: hierarchy.mount_point.clone(),
                directory: hierarchy.mount_point.join(inner.strip_prefix("/").unwrap_or(&inner)),
                leaf: None,
            }
        });
        Ok(Placement {
            mode: self.mode,
            places: places.collect(),
            explicit: wanted.is_some(),
            rootless: request.rootless,
            owner: None,
        })
    }
}

impl Placement {
    /// Protects the limits against a program that may own the files of its cgroup: without a user namespace, or with
    /// one that maps the caller.
    ///
    /// SECURITY: such a program can create a user, a mount and a cgroup namespace, and mount the hierarchies writable.
    /// The root of that mount is its own cgroup, so that cgroup is a child of the one with the limits. nsdelegate alone
    /// is not enough: the program moves into a nested cgroup, which becomes the root of its next namespace, and writes
    /// to the former root through the mount that it has kept.
    #[cfg(feature = "resources")]
    pub fn protect(&mut self, limits: &oci_spec::runtime::LinuxResources) {
        let version_2 = self.mode == Mode::V2;
        for place in &mut self.places {
            let limited = if version_2 {
                crate::wants_limits(limits)
            } else {
                place
                    .controllers
                    .iter()
                    .filter(|controller| HIERARCHICAL.contains(&controller.as_str()))
                    .any(|controller| crate::resources::limits(limits, controller))
            };
            place.leaf = limited.then(|| place.directory.join(LEAF));
        }
    }

    /// Gives the cgroup that the container sees as its own to a user of the host (cgroup version 2).
    #[cfg(feature = "resources")]
    pub fn delegate_to(&mut self, owner: u32) {
        self.owner = Some(owner);
    }

    pub fn directories(&self) -> Vec<PathBuf> {
        self.places.iter().map(|place| place.directory.clone()).collect()
    }

    /// Whether the caller may create these directories (for an unprivileged user: delegated cgroups).
    pub fn is_permitted(&self) -> bool {
        self.places.iter().all(|place| {
            let existing = place.directory.ancestors().skip(1).find(|directory| directory.exists());
            existing.is_some_and(|directory| {
                rustix::fs::accessat(
                    rustix::fs::CWD,
                    directory,
                    rustix::fs::Access::WRITE_OK,
                    rustix::fs::AtFlags::EACCESS,
                )
                .is_ok()
            })
        })
    }

    /// The files that the helper writes `0` to. In the version 2 hierarchy the container is cloned into its cgroup
    /// (CLONE_INTO_CGROUP).
    ///
    /// `tasks`, not `cgroup.procs`: the helper has one thread, so both move the whole process, but a thread that moves
    /// itself does not need the lock on the threads of all processes. The first process to take that lock waits for an
    /// RCU grace period, some ten milliseconds.
    pub fn procs_files(&self) -> Vec<PathBuf> {
        self.places
            .iter()
            .filter(|place| !place.unified)
            .map(|place| place.processes().join("tasks"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hierarchy;

    fn host(mode: Mode, own_path: &str) -> Host {
        let unified = mode == Mode::V2;
        let hierarchy = Hierarchy {
            directory_name: "memory".into(),
            mount_point: "/sys/fs/cgroup/memory".into(),
            data: "memory".into(),
            controllers: vec!["memory".into()],
            unified,
            own_path: own_path.into(),
        };
        Host { mode, hierarchies: vec![hierarchy] }
    }

    fn directory(mode: Mode, own_path: &str, cgroups_path: Option<&str>) -> String {
        let request = Request { id: "web", cgroups_path, rootless: false };
        host(mode, own_path).place(&request).unwrap().places[0].directory.display().to_string()
    }

    #[test]
    fn absolute_from_the_mount_relative_from_our_own_place() {
        assert_eq!(directory(Mode::V1, "/own", Some("/a/b")), "/sys/fs/cgroup/memory/a/b");
        assert_eq!(directory(Mode::V1, "/own", Some("a")), "/sys/fs/cgroup/memory/own/a");
        assert_eq!(directory(Mode::V1, "/own", None), "/sys/fs/cgroup/memory/own/web");
        assert_eq!(directory(Mode::V1, "/", Some("")), "/sys/fs/cgroup/memory/web");
        assert_eq!(directory(Mode::V2, "/user.slice/app", None), "/sys/fs/cgroup/memory/user.slice/web");
        assert_eq!(directory(Mode::V2, "/", None), "/sys/fs/cgroup/memory/web");
    }

    #[test]
    fn only_version_1_is_joined_by_writing() {
        let request = Request { id: "web", cgroups_path: None, rootless: false };
        let files = |mode| host(mode, "/").place(&request).unwrap().procs_files();
        assert_eq!(files(Mode::V1), [Path::new("/sys/fs/cgroup/memory/web/tasks")]);
        assert!(files(Mode::V2).is_empty());
    }

    #[test]
    fn no_way_up_and_not_where_others_are() {
        for path in ["/a/../../b", "..", "/", ".", "//", "./"] {
            let request = Request { id: "web", cgroups_path: Some(path), rootless: false };
            let refusal = host(Mode::V1, "/own").place(&request).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("cgroupsPath {path:?}")), "{refusal}");
        }
    }
}
