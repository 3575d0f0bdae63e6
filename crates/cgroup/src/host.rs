//! The cgroup hierarchies that the host has mounted, and the calling process's cgroups in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use caisson_sys::mountinfo::{self, Mounted};

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// No cgroup file system is mounted.
    None,
    V1,
    /// Version 1 controllers, and a version 2 hierarchy without any.
    Hybrid,
    V2,
}

impl Mode {
    /// `none`, `v1`, `hybrid`, `v2`; as in state.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::V1 => "v1",
            Self::Hybrid => "hybrid",
            Self::V2 => "v2",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Last part of the mount point: `cpu,cpuacct`, `systemd`, `unified`.
    pub directory_name: String,
    pub mount_point: PathBuf,
    /// Mount data for mounting this hierarchy again: `cpu,cpuacct`, `none,name=systemd`; empty for version 2.
    pub data: String,
    /// `cpu`, `cpuacct`, `name=systemd`; for version 2 the content of `cgroup.controllers`.
    pub controllers: Vec<String>,
    pub unified: bool,
    /// Cgroup of the calling process relative to the mount point, always with a leading slash.
    pub own_path: String,
}

impl Hierarchy {
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub mode: Mode,
    pub hierarchies: Vec<Hierarchy>,
}

impl Host {
    /// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. Nothing is cached here.
    pub fn detect() -> Result<Self> {
        Self::of_process("self")
    }

    /// Our mounts, and the cgroups of the process with that name in procfs.
    pub(crate) fn of_process(name: &str) -> Result<Self> {
        let read = |path: &str| {
            std::fs::read_to_string(path).map_err(|e| Error::io("cannot read", Path::new(path), &e))
        };
        let mut host = Self::parse(&read("/proc/self/mountinfo")?, &read(&format!("/proc/{name}/cgroup"))?);
        for hierarchy in host.hierarchies.iter_mut().filter(|h| h.unified) {
            let list = crate::files::read(&hierarchy.mount_point, "cgroup.controllers").unwrap_or_default();
            hierarchy.controllers = list.split_ascii_whitespace().map(str::to_owned).collect();
        }
        Ok(host)
    }

    fn parse(mountinfo: &str, own: &str) -> Self {
        let own = own_paths(own);
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for hierarchy in mountinfo::parse(mountinfo).filter_map(|mounted| hierarchy(&mounted, &own)) {
            // A hierarchy can be mounted several times (inside a container's rootfs, for example): the first mount is
            // used.
            if !hierarchies.iter().any(|h| h.data == hierarchy.data && h.unified == hierarchy.unified) {
                hierarchies.push(hierarchy);
            }
        }
        let (v1, v2) = (hierarchies.iter().any(|h| !h.unified), hierarchies.iter().any(|h| h.unified));
        let mode = match (v1, v2) {
            (false, false) => Mode::None,
            (true, false) => Mode::V1,
            (true, true) => Mode::Hybrid,
            (false, true) => Mode::V2,
        };
        Self { mode, hierarchies }
    }
}

/// `4:memory:/a` → `memory` → `/a`; the unified line `0::/a` has an empty name.
fn own_paths(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, names, path) = (fields.next()?, fields.next()?, fields.next()?);
            Some((names.to_owned(), path.to_owned()))
        })
        .collect()
}

/// `None`: another file system.
fn hierarchy(mounted: &Mounted<'_>, own: &HashMap<String, String>) -> Option<Hierarchy> {
    let Mounted { root, point, fstype, options, .. } = mounted;
    let unified = match *fstype {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    let flags = ["rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "release_agent"];
    let names: Vec<&str> = if unified {
        Vec::new()
    } else {
        options.split(',').filter(|o| !flags.contains(&o.split('=').next().unwrap_or(o))).collect()
    };
    let named = names.iter().any(|name| name.starts_with("name="));
    let data = if named { format!("none,{}", names.join(",")) } else { names.join(",") };
    let path = own.iter().find(|(key, _)| same_names(key, &names)).map_or("/", |(_, path)| path.as_str());
    // Inside a container the mount shows only a subtree.
    let own_path = if root == "/" { path } else { below(path, root) };
    let mount_point = PathBuf::from(point);
    Some(Hierarchy {
        directory_name: mount_point.file_name()?.to_str()?.to_owned(),
        mount_point,
        data,
        controllers: names.iter().map(|&name| name.to_owned()).collect(),
        unified,
        own_path: own_path.to_owned(),
    })
}

/// `/a/b` below `/a` is `/b`; a path outside is not visible through this mount.
fn below<'a>(path: &'a str, root: &str) -> &'a str {
    path.strip_prefix(root).filter(|rest| rest.starts_with('/')).unwrap_or("/")
}

fn same_names(key: &str, names: &[&str]) -> bool {
    let key: Vec<_> = key.split(',').filter(|part| !part.is_empty()).collect();
    key.len() == names.len() && key.iter().all(|part| names.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
30 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 25 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 39 0:29 /x /other/cpu rw - cgroup cgroup rw,cpu,cpuacct
";

    #[test]
    fn hybrid_hierarchies_with_own_places() {
        let host = Host::parse(MOUNTS, "3:cpuacct,cpu:/a/b\n1:name=systemd:/s\n0::/u\n");
        assert_eq!(host.mode, Mode::Hybrid);
        let seen: Vec<_> = host
            .hierarchies
            .iter()
            .map(|h| (h.directory_name.as_str(), h.data.as_str(), h.own_path.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("cpu,cpuacct", "cpu,cpuacct", "/a/b"),
                ("systemd", "none,name=systemd", "/s"),
                ("unified", "", "/u")
            ]
        );
    }

    #[test]
    fn pure_version_2_and_nothing() {
        assert_eq!(
            Host::parse("30 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/init.scope\n").mode,
            Mode::V2
        );
        assert_eq!(Host::parse("", "").mode, Mode::None);
    }

    #[test]
    fn a_subtree_mount_shortens_our_own_path() {
        let host = Host::parse(
            "30 25 0:29 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
            "0::/docker/x/inner\n",
        );
        assert_eq!(host.hierarchies[0].own_path, "/inner");
        assert_eq!([below("/docker/x", "/docker/x"), below("/docker/xy", "/docker/x")], ["/", "/"]);
    }
}
