//! What the container sees of its cgroups on a version 1 or hybrid host.

mod support;

use std::fs;
use std::path::PathBuf;

use caisson_flags::MountFlags;
use caisson_plan::{CgroupHierarchy, Operation};
use support::plans::Parts;
use support::{Bundle, shell};

/// A cgroup of one container in every hierarchy of this host, removed with the value.
struct Hierarchies(Vec<CgroupHierarchy>);

impl Hierarchies {
    fn new(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut found = vec![];
        for line in mounts.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let (point, fstype) = (PathBuf::from(fields[1]), fields[2]);
            let directory = point.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let data = match (fstype, directory.as_str()) {
                ("cgroup", "systemd") => "none,name=systemd".to_owned(),
                ("cgroup", "pids" | "freezer") => directory.clone(),
                _ => continue,
            };
            let own = point.join(format!("caisson-view-{name}-{}", std::process::id()));
            fs::create_dir(&own).ok()?;
            found.push(CgroupHierarchy {
                links: if directory == "pids" { vec!["tasks-of-pids".into()] } else { vec![] },
                host_directory: own.display().to_string(),
                directory,
                data,
            });
        }
        (!found.is_empty()).then_some(Self(found))
    }

    fn view(&self, bundle: &Bundle, namespace: bool, script: &str) -> String {
        let mut parts = Parts::new(&[]);
        let strict = MountFlags::NOSUID
            | MountFlags::NODEV
            | MountFlags::NOEXEC
            | MountFlags::RELATIME
            | MountFlags::RDONLY;
        parts.before_pivot.insert(
            0,
            Operation::MountCgroupV1 {
                index: 6,
                inside: "/sys/fs/cgroup".into(),
                flags: strict,
                hierarchies: self.0.clone(),
                cgroup_namespace: namespace,
                readonly: true,
            },
        );
        let mut plan = parts.plan(bundle);
        for hierarchy in &self.0 {
            let host_procs_file = format!("{}/cgroup.procs", hierarchy.host_directory);
            plan.early.push(Operation::JoinCgroup { host_procs_file });
        }
        if namespace {
            plan.early.push(Operation::UnshareCgroup);
        }
        shell(bundle, &plan, script)
    }
}

impl Drop for Hierarchies {
    fn drop(&mut self) {
        for hierarchy in &self.0 {
            while fs::remove_dir(&hierarchy.host_directory).is_err() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }
}

const SCRIPT: &str =
    "readlink /sys/fs/cgroup/tasks-of-pids; cat /sys/fs/cgroup/*/cgroup.procs; cat /proc/self/mountinfo";

fn check(output: &str, hierarchies: &Hierarchies) {
    let options = |point: &str| {
        let line = output.lines().rfind(|line| line.split(' ').nth(4) == Some(point));
        line.unwrap_or_else(|| panic!("{point}: {output}")).split(' ').nth(5).unwrap()
    };
    assert_eq!(options("/sys/fs/cgroup"), "ro,nosuid,nodev,noexec,relatime", "{output}");
    for hierarchy in &hierarchies.0 {
        assert_eq!(
            options(&format!("/sys/fs/cgroup/{}", hierarchy.directory)),
            "ro,nosuid,nodev,noexec,relatime"
        );
    }
    assert!(output.starts_with("pids\n1\n"), "{output}");
}

#[test]
fn every_hierarchy_is_shown_with_the_containers_own_cgroup() {
    privileged!();
    let Some(hierarchies) = Hierarchies::new("bind") else {
        return support::skip("no cgroup version 1 hierarchy here");
    };
    let bundle = Bundle::new();
    check(&hierarchies.view(&bundle, false, SCRIPT), &hierarchies);
}

#[test]
fn a_cgroup_namespace_mounts_them_anew() {
    privileged!();
    let Some(hierarchies) = Hierarchies::new("namespace") else {
        return support::skip("no cgroup version 1 hierarchy here");
    };
    let bundle = Bundle::new();
    let output = hierarchies.view(&bundle, true, SCRIPT);
    check(&output, &hierarchies);
    assert!(output.contains("- cgroup cgroup rw,pids"), "{output}");
}
