//! Tests on the kernel's cgroups, below `/caisson-test-PID` in every hierarchy. They need root; on a host with pure
//! version 2 use `scripts/cgroup2-vm`.

#![allow(clippy::print_stdout)] // the reason of a skipped test

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use caisson_cgroup::{Cgroup, Host, Mode, Operation, Placement, Request};
use oci_spec::runtime::LinuxResources;

/// A subtree per test, removed when it goes out of scope; `None` if cgroups cannot be created.
struct Subtree {
    host: Host,
    path: String,
}

impl Subtree {
    fn new(test: &str) -> Option<Self> {
        let host = Host::detect().unwrap();
        let path = format!("/caisson-test-{}-{test}", std::process::id());
        let subtree = Self { host, path };
        if subtree.host.mode == Mode::None {
            println!("SKIPPED: no cgroup file system is mounted");
            return None;
        }
        if !subtree.place("x").is_permitted() {
            println!("SKIPPED: needs the right to make cgroups (root)");
            return None;
        }
        Some(subtree)
    }

    fn place(&self, name: &str) -> Placement {
        let path = format!("{}/{name}", self.path);
        self.host.place(&Request { id: name, cgroups_path: Some(&path), rootless: false }).unwrap()
    }

    fn create(&self, name: &str, resources: &str) -> Result<Cgroup, caisson_cgroup::Error> {
        let resources: LinuxResources = serde_json::from_str(resources).unwrap();
        self.place(name).create(Some(&resources))
    }

    /// The container's file in the hierarchy that has it.
    fn file(&self, name: &str, file: &str) -> Option<String> {
        let read = |directory: &PathBuf| fs::read_to_string(directory.join(file)).ok();
        self.place(name).directories().iter().find_map(read).map(|text| text.trim().to_owned())
    }

    fn version_2(&self) -> bool {
        self.host.mode == Mode::V2
    }

    fn nothing_is_left(&self) -> bool {
        self.host.hierarchies.iter().all(|h| !h.mount_point.join(self.path.trim_start_matches('/')).exists())
    }
}

impl Drop for Subtree {
    fn drop(&mut self) {
        let directories: Vec<_> = self
            .host
            .hierarchies
            .iter()
            .map(|h| h.mount_point.join(self.path.trim_start_matches('/')).display().to_string())
            .collect();
        let cgroup = Cgroup::open(self.host.mode.name(), &directories);
        cgroup.kill_all().unwrap();
        cgroup.remove().unwrap();
    }
}

/// A process in the cgroup, optionally with another in a nested cgroup.
fn inhabit(directories: &[PathBuf], script: &str) -> Child {
    let joins: String =
        directories.iter().map(|d| format!("echo $$ > {}/cgroup.procs || exit 9; ", d.display())).collect();
    Command::new("/bin/sh").args(["-c", &format!("{joins} {script}")]).spawn().unwrap()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}

#[test]
fn made_in_every_hierarchy_and_removed_with_its_parents() {
    let Some(subtree) = Subtree::new("made") else { return };
    let cgroup = subtree.create("deep/er", "{}").unwrap();
    assert_eq!(cgroup.directories().len(), subtree.host.hierarchies.len());
    assert!(cgroup.directories().iter().all(|directory| directory.is_dir()));
    cgroup.remove().unwrap();
    assert!(subtree.nothing_is_left());
    cgroup.remove().unwrap();
}

#[test]
fn limits_are_what_the_kernel_says() {
    let Some(subtree) = Subtree::new("limits") else { return };
    let resources = r#"{
        "memory": {"limit": 67108864, "reservation": 33554432, "swap": 100663296},
        "cpu": {"shares": 512, "quota": 20000, "period": 50000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 17}
    }"#;
    subtree.create("c", resources).unwrap();
    let expected: &[(&str, &str)] = if subtree.version_2() {
        &[
            ("memory.max", "67108864"),
            ("memory.low", "33554432"),
            ("memory.swap.max", "33554432"),
            ("cpu.weight", "59"),
            ("cpu.max", "20000 50000"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
            ("pids.max", "17"),
        ]
    } else {
        &[
            ("memory.limit_in_bytes", "67108864"),
            ("memory.soft_limit_in_bytes", "33554432"),
            ("memory.memsw.limit_in_bytes", "100663296"),
            ("cpu.shares", "512"),
            ("cpu.cfs_quota_us", "20000"),
            ("cpu.cfs_period_us", "50000"),
            ("cpuset.cpus", "0"),
            ("cpuset.mems", "0"),
            ("pids.max", "17"),
        ]
    };
    for (file, value) in expected {
        assert_eq!(subtree.file("c", file).as_deref(), Some(*value), "{file}");
    }
}

#[test]
fn the_list_is_what_is_done() {
    let Some(subtree) = Subtree::new("list") else { return };
    let resources: LinuxResources = serde_json::from_str(
        r#"{"memory": {"limit": 67108864, "swap": 100663296}, "cpu": {"quota": 20000, "cpus": "0"}, "pids": {"limit": 17}}"#,
    )
    .unwrap();
    let mut placement = subtree.place("c");
    placement.protect(&resources);
    let operations = placement.operations(Some(&resources)).unwrap();
    assert!(subtree.nothing_is_left());
    placement.create(Some(&resources)).unwrap();
    let mut written = 0;
    for operation in &operations {
        let writes = match operation {
            Operation::MakeParent { directory }
            | Operation::MakeDirectory { directory }
            | Operation::EnableControllers { directory } => {
                assert!(directory.is_dir());
                continue;
            }
            Operation::Write(write) if write.optional => continue,
            Operation::Write(write) => vec![write],
            Operation::WriteInAnyOrder(writes) => writes.iter().collect(),
            _ => continue,
        };
        for write in writes {
            let text = fs::read_to_string(write.directory.join(&write.file)).unwrap();
            assert_eq!(text.trim(), write.value, "{}", write.file);
            written += 1;
        }
    }
    // In the container's directory and its child.
    assert_eq!(written, 10);
}

#[test]
fn protected_limits_are_on_the_parent_and_shown_to_its_child() {
    let Some(subtree) = Subtree::new("leaf") else { return };
    let resources: LinuxResources = serde_json::from_str(
        r#"{"memory": {"limit": 67108864}, "cpu": {"shares": 512, "cpus": "0"}, "pids": {"limit": 17}}"#,
    )
    .unwrap();
    let mut placement = subtree.place("c");
    placement.protect(&resources);
    for round in 0..2 {
        let cgroup = placement.create(Some(&resources)).unwrap();
        let files: &[_] = if subtree.version_2() {
            &[("memory.max", "67108864"), ("cpu.weight", "59"), ("cpuset.cpus", "0"), ("pids.max", "17")]
        } else {
            &[
                ("memory.limit_in_bytes", "67108864"),
                ("cpu.shares", "512"),
                ("cpuset.cpus", "0"),
                ("pids.max", "17"),
            ]
        };
        for (file, value) in files {
            for name in ["c", "c/container"] {
                assert_eq!(subtree.file(name, file).as_deref(), Some(*value), "{name}/{file}, round {round}");
            }
        }
        let mut child = {
            let inside: Vec<_> =
                placement.places.iter().map(|place| place.processes().to_path_buf()).collect();
            inhabit(&inside, "exec sleep 1000")
        };
        until("the process is counted", || cgroup.processes().unwrap().len() == 1);
        until("everywhere", || {
            placement
                .places
                .iter()
                .all(|p| !fs::read_to_string(p.processes().join("cgroup.procs")).unwrap().is_empty())
        });
        let refusal = placement.create(Some(&resources)).unwrap_err().to_string();
        assert!(refusal.contains("container's cgroup is not empty: 1 process(es) found"), "{refusal}");
        cgroup.kill_all().unwrap();
        child.wait().unwrap();
    }
    subtree.place("c").create(None).unwrap().remove().unwrap();
    assert!(!subtree.place("c").directories().iter().any(|directory| directory.exists()));
}

#[test]
fn a_failure_takes_the_child_away_from_a_cgroup_that_was_there() {
    let Some(subtree) = Subtree::new("child") else { return };
    let good: LinuxResources =
        serde_json::from_str(r#"{"pids": {"limit": 5}, "cpu": {"cpus": "0"}}"#).unwrap();
    let bad: LinuxResources =
        serde_json::from_str(r#"{"pids": {"limit": 5}, "cpu": {"cpus": "0", "mems": "999"}}"#).unwrap();
    let mut placement = subtree.place("c");
    placement.protect(&good);
    for directory in placement.directories() {
        fs::create_dir_all(directory).unwrap();
    }
    placement.create(Some(&bad)).unwrap_err();
    assert!(placement.places.iter().filter_map(|place| place.leaf.as_ref()).all(|leaf| !leaf.exists()));
    assert!(placement.directories().iter().all(|directory| directory.is_dir()));
    // A cgroup left by an earlier container is not an obstacle.
    placement.create(Some(&good)).unwrap();
    placement.create(Some(&good)).unwrap();
}

#[test]
fn only_limited_hierarchies_have_a_child() {
    let Some(subtree) = Subtree::new("children") else { return };
    let resources: LinuxResources = serde_json::from_str(r#"{"pids": {"limit": 17}}"#).unwrap();
    let mut placement = subtree.place("c");
    placement.protect(&resources);
    let with: Vec<_> = placement.places.iter().filter(|place| place.leaf.is_some()).collect();
    assert_eq!(with.len(), 1);
    assert!(with[0].controllers.iter().any(|controller| controller == "pids"));
    placement.protect(&LinuxResources::default());
    assert!(placement.places.iter().all(|place| place.leaf.is_none()));
}

#[test]
fn a_limit_without_its_controller_is_refused() {
    let Some(subtree) = Subtree::new("missing") else { return };
    let limits = [
        ("hugetlb", r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#),
        ("rdma", r#"{"rdma": {"mlx5_1": {"hcaHandles": 3}}}"#),
        ("net_cls", r#"{"network": {"classID": 1048577}}"#),
        ("pids", r#"{"pids": {"limit": 5}}"#),
    ];
    let has = |controller: &str| subtree.host.hierarchies.iter().any(|h| h.has(controller));
    for (controller, limits) in limits {
        let result = subtree.create("c", limits);
        if has(controller) {
            // Without such a device the kernel refuses the value itself.
            let accepted = result.as_ref().map_or_else(|e| e.to_string().contains("rdma.max"), |_| true);
            assert!(accepted, "{controller}: {result:?}");
        } else {
            let message = result.unwrap_err().to_string();
            let known = message.contains(&format!("{controller:?} is not available"))
                || message.contains("does not exist in cgroup version 2");
            assert!(known, "{message}");
        }
    }
}

#[test]
fn huge_pages_are_limited_on_reservation_and_fault() {
    let Some(subtree) = Subtree::new("huge") else { return };
    if !subtree.host.hierarchies.iter().any(|h| h.has("hugetlb")) {
        return println!("SKIPPED: the hugetlb controller is not mounted here");
    }
    subtree.create("c", r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#).unwrap();
    let unified = subtree.host.hierarchies.iter().any(|h| h.unified && h.has("hugetlb"));
    let suffix = if unified { "max" } else { "limit_in_bytes" };
    for part in ["", "rsvd."] {
        assert_eq!(subtree.file("c", &format!("hugetlb.2MB.{part}{suffix}")).as_deref(), Some("4194304"));
    }
    for size in ["3MB", "../2MB", ""] {
        let resources = format!(r#"{{"hugepageLimits": [{{"pageSize": "{size}", "limit": 0}}]}}"#);
        let error = subtree.create("d", &resources).unwrap_err().to_string();
        assert!(error.starts_with("linux.resources.hugepageLimits: "), "{error}");
    }
}

#[test]
fn disks_are_throttled() {
    let Some(subtree) = Subtree::new("disk") else { return };
    let partitions = fs::read_to_string("/proc/partitions").unwrap();
    let whole = partitions.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>());
    // Partitions do not have a queue.
    let Some(disk) = whole.into_iter().find(|fields| Path::new("/sys/block").join(fields[3]).exists()) else {
        return println!("SKIPPED: there is no disk to throttle");
    };
    let device = format!(r#"[{{"major": {}, "minor": {}, "rate": 1048576}}]"#, disk[0], disk[1]);
    subtree.create("c", &format!(r#"{{"blockIO": {{"throttleReadBpsDevice": {device}}}}}"#)).unwrap();
    let (file, value) = if subtree.version_2() {
        ("io.max", format!("{}:{} rbps=1048576 wbps=max riops=max wiops=max", disk[0], disk[1]))
    } else {
        ("blkio.throttle.read_bps_device", format!("{}:{} 1048576", disk[0], disk[1]))
    };
    assert_eq!(subtree.file("c", file), Some(value));
}

#[test]
fn what_version_2_lacks_is_refused() {
    let Some(subtree) = Subtree::new("lacks") else { return };
    if !subtree.version_2() {
        return println!("SKIPPED: only for cgroup version 2 (scripts/cgroup2-vm)");
    }
    let refused = [
        r#"{"memory": {"swappiness": 10}}"#,
        r#"{"memory": {"disableOOMKiller": true}}"#,
        r#"{"cpu": {"realtimeRuntime": 1000}}"#,
        r#"{"blockIO": {"leafWeight": 100}}"#,
        r#"{"network": {"classID": 1}}"#,
    ];
    for resources in refused {
        let error = subtree.create("c", resources).unwrap_err().to_string();
        assert!(error.contains("cgroup version 2"), "{error}");
        assert!(!subtree.place("c").directories()[0].exists());
    }
}

#[test]
fn unified_names_files_of_version_2() {
    let Some(subtree) = Subtree::new("unified") else { return };
    let resources = r#"{"memory": {"limit": 67108864}, "unified": {"memory.high": "33554432", "memory.max": "50331648"}}"#;
    let result = subtree.create("c", resources);
    if !subtree.version_2() {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("cgroup version 2 alone"), "{error}");
        return;
    }
    result.unwrap();
    assert_eq!(subtree.file("c", "memory.high").as_deref(), Some("33554432"));
    assert_eq!(subtree.file("c", "memory.max").as_deref(), Some("50331648"));
    for (file, reason) in [
        ("../x/memory.max", "invalid file"),
        ("memory", "invalid file"),
        ("nonsense.max", "not available"),
        ("memory.nonsense", "cannot write"),
    ] {
        let error = subtree.create("d", &format!(r#"{{"unified": {{{file:?}: "1"}}}}"#)).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn zero_minus_one_and_absent_differ() {
    let Some(subtree) = Subtree::new("zero") else { return };
    subtree.create("zero", r#"{"pids": {"limit": 0}, "memory": {"limit": 0}, "cpu": {"quota": 0}}"#).unwrap();
    subtree
        .create("unlimited", r#"{"pids": {"limit": -1}, "memory": {"limit": -1}, "cpu": {"quota": -1}}"#)
        .unwrap();
    subtree.create("absent", "{}").unwrap();
    let pids: Vec<_> =
        ["zero", "unlimited", "absent"].map(|name| subtree.file(name, "pids.max").unwrap()).into();
    assert_eq!(pids, ["1", "max", "max"]);
    let file = if subtree.version_2() { "memory.max" } else { "memory.limit_in_bytes" };
    assert_eq!(subtree.file("zero", file), subtree.file("absent", file));
    assert_eq!(subtree.file("unlimited", file), subtree.file("absent", file));
}

/// Each row fits only if its values are written in an order that depends on the row before.
#[test]
fn values_that_depend_on_each_other_replace_earlier_ones() {
    let Some(subtree) = Subtree::new("order") else { return };
    let rows = [
        (20_000, 100_000, 10_000, 67_108_864, 134_217_728),
        (2_000, 10_000, 1_000, 268_435_456, 268_435_456),
        (500_000, 1_000_000, 400_000, 33_554_432, 67_108_864),
        (1_000, 1_000, 0, 134_217_728, 134_217_728),
    ];
    // The kernel compares quota ÷ period with that of the parent.
    let parent = r#"{"cpu": {"quota": 100000, "period": 100000}}"#;
    subtree.create("above", parent).unwrap();
    for (quota, period, burst, limit, swap) in rows.iter().chain(rows.iter().rev()) {
        let resources = format!(
            r#"{{"cpu": {{"quota": {quota}, "period": {period}, "burst": {burst}}},
            "memory": {{"limit": {limit}, "swap": {swap}}}}}"#
        );
        subtree.create("above/c", &resources).unwrap();
        let expected = if subtree.version_2() {
            [
                ("cpu.max", format!("{quota} {period}")),
                ("cpu.max.burst", burst.to_string()),
                ("memory.max", limit.to_string()),
                ("memory.swap.max", (swap - limit).to_string()),
            ]
        } else {
            [
                ("cpu.cfs_quota_us", quota.to_string()),
                ("cpu.cfs_burst_us", burst.to_string()),
                ("memory.limit_in_bytes", limit.to_string()),
                ("memory.memsw.limit_in_bytes", swap.to_string()),
            ]
        };
        for (file, value) in expected {
            assert_eq!(subtree.file("above/c", file), Some(value), "{file} of {resources}");
        }
    }
}

#[test]
fn an_idle_cgroup_becomes_one_with_shares_and_the_reverse() {
    let Some(subtree) = Subtree::new("idle") else { return };
    let file = if subtree.version_2() { ("cpu.weight", "59") } else { ("cpu.shares", "512") };
    for idle in [0, 1, 1, 0] {
        let resources = format!(r#"{{"cpu": {{"shares": 512, "idle": {idle}}}}}"#);
        subtree.create("c", &resources).unwrap();
        if subtree.file("c", "cpu.idle").is_none() {
            return println!("SKIPPED: this kernel has no cpu.idle");
        }
        assert_eq!(subtree.file("c", "cpu.idle"), Some(idle.to_string()));
        assert_eq!(subtree.file("c", file.0).as_deref() == Some(file.1), idle == 0);
    }
}

#[test]
fn containers_that_come_and_go_share_a_parent() {
    let Some(subtree) = Subtree::new("shared") else { return };
    let run = |name: &str| {
        for _ in 0..100 {
            let placement = subtree.place(&format!("both/{name}"));
            let cgroup = placement.create(None).unwrap();
            for directory in cgroup.directories().iter().filter(|d| d.join("cpuset.cpus").exists()) {
                let is_version_1 = directory.join("tasks").exists();
                let cpus = fs::read_to_string(directory.join("cpuset.cpus")).unwrap();
                assert!(!is_version_1 || !cpus.trim().is_empty());
            }
            cgroup.remove().unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run("one"));
        scope.spawn(|| run("two"));
    });
}

#[test]
fn a_delegated_cgroup_belongs_to_its_user_except_for_the_limits() {
    use std::os::unix::fs::MetadataExt;
    let Some(subtree) = Subtree::new("owner") else { return };
    let resources: LinuxResources = serde_json::from_str(r#"{"pids": {"limit": 17}}"#).unwrap();
    let delegated = fs::read_to_string("/sys/kernel/cgroup/delegate").unwrap();
    for protected in [false, true] {
        let mut placement = subtree.place(if protected { "protected" } else { "plain" });
        if protected {
            placement.protect(&resources);
        }
        placement.delegate_to(12345);
        placement.create(Some(&resources)).unwrap();
        for place in &placement.places {
            let owner = |path: &Path| path.metadata().unwrap().uid();
            let expected = if subtree.version_2() { 12345 } else { 0 };
            assert_eq!(owner(place.processes()), expected);
            if protected && place.leaf.is_some() {
                assert_eq!(owner(&place.directory), 0);
            }
            let mut owned: Vec<_> = fs::read_dir(place.processes())
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| owner(&entry.path()) != 0)
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            owned.sort();
            let mut names: Vec<_> =
                delegated.split_whitespace().filter(|file| place.processes().join(file).exists()).collect();
            names.sort_unstable();
            assert_eq!(owned, if subtree.version_2() { names } else { Vec::new() });
        }
    }
}

#[test]
fn a_cgroup_in_a_threaded_subtree_is_refused() {
    let Some(subtree) = Subtree::new("threaded") else { return };
    subtree.create("made", "{}").unwrap();
    let Some(top) = subtree.host.hierarchies.iter().find(|h| h.unified) else {
        return println!("SKIPPED: there is no version 2 hierarchy here");
    };
    let top = top.mount_point.join(subtree.path.trim_start_matches('/'));
    // Domain controllers forbid threaded children.
    for controller in fs::read_to_string(top.join("cgroup.subtree_control")).unwrap().split_whitespace() {
        fs::write(top.join("cgroup.subtree_control"), format!("-{controller}")).unwrap();
    }
    fs::write(top.join("made/cgroup.type"), "threaded").unwrap();
    for name in ["made", "other"] {
        let refusal = match subtree.create(name, "{}") {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{name} was made"),
        };
        assert!(refusal.contains("the cgroup's type is"), "{refusal}");
    }
    assert!(!top.join("other").exists());
}

#[test]
fn a_failure_leaves_nothing_and_names_file_value_and_errno() {
    let Some(subtree) = Subtree::new("undone") else { return };
    let error = subtree.create("c", r#"{"cpu": {"cpus": "9999"}}"#).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("\"9999\"") && message.contains("cpuset.cpus"), "{message}");
    assert!(error.errno().is_some());
    assert!(subtree.nothing_is_left());
}

#[test]
fn a_failure_keeps_what_was_there_before() {
    let Some(subtree) = Subtree::new("kept") else { return };
    let before = &subtree.place("c").directories()[0];
    fs::create_dir_all(before).unwrap();
    subtree.create("c", r#"{"cpu": {"cpus": "9999"}}"#).unwrap_err();
    assert!(before.is_dir());
    assert!(subtree.place("c").directories().iter().filter(|d| *d != before).all(|d| !d.exists()));
}

#[test]
fn a_cgroup_with_processes_is_refused_and_left_alone() {
    let Some(subtree) = Subtree::new("full") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    let mut child = inhabit(cgroup.directories(), "exec sleep 1000");
    until("the process is inside", || !cgroup.processes().unwrap().is_empty());
    until("everywhere", || {
        cgroup.directories().iter().all(|d| !fs::read_to_string(d.join("cgroup.procs")).unwrap().is_empty())
    });
    let error = subtree.create("c", "{}").unwrap_err().to_string();
    assert!(error.contains("container's cgroup is not empty: 1 process(es) found"), "{error}");
    assert!(cgroup.directories().iter().all(|directory| directory.is_dir()));
    cgroup.kill_all().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_frozen_cgroup_is_refused() {
    let Some(subtree) = Subtree::new("frozen") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    if let Err(error) = cgroup.freeze() {
        return println!("SKIPPED: {error}");
    }
    let error = subtree.create("c", "{}").unwrap_err().to_string();
    assert!(error.contains("container's cgroup unexpectedly frozen"), "{error}");
    cgroup.thaw().unwrap();
    assert!(!cgroup.is_frozen());
}

#[test]
fn frozen_and_nested_processes_are_killed() {
    let Some(subtree) = Subtree::new("kill") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    let nested: Vec<_> = cgroup.directories().iter().map(|directory| directory.join("nested")).collect();
    let mut child = {
        for directory in &nested {
            fs::create_dir(directory).unwrap();
            inherit_cpuset(directory);
        }
        inhabit(&nested, "sleep 1000 & sleep 1000 & wait")
    };
    until("three processes", || cgroup.processes().unwrap().len() == 3);
    let inner = Cgroup::open("", &nested.iter().map(|d| d.display().to_string()).collect::<Vec<_>>());
    if inner.freeze().is_ok() {
        assert!(inner.is_frozen());
    }
    cgroup.kill_all().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
    until("all gone", || cgroup.processes().unwrap().is_empty());
    cgroup.remove().unwrap();
    assert!(nested.iter().all(|directory| !directory.exists()));
}

/// Nested cgroups below `directory` with names of 250 bytes; returns the deepest.
fn nest(directory: &Path, depth: usize) -> OwnedFd {
    use rustix::fs::{Mode, OFlags};
    let open = |at: &OwnedFd, name: &str| {
        rustix::fs::openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .unwrap()
    };
    let name = "n".repeat(250);
    let top: OwnedFd = fs::File::open(directory).unwrap().into();
    (0..depth).fold(top, |parent, _| {
        rustix::fs::mkdirat(&parent, &name, Mode::RWXU).unwrap();
        let child = open(&parent, &name);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let copy = |from: &OwnedFd| {
                let path =
                    |at: &OwnedFd| format!("/proc/self/fd/{}/{file}", std::os::fd::AsRawFd::as_raw_fd(at));
                fs::write(path(&child), fs::read_to_string(path(from)).unwrap().trim())
            };
            if directory.join("tasks").exists() && directory.join(file).exists() {
                copy(&parent).unwrap();
            }
        }
        child
    })
}

#[test]
fn cgroups_nested_deeper_than_a_path_is_long_are_killed_and_removed() {
    let Some(subtree) = Subtree::new("deep") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    let deepest: Vec<_> = cgroup.directories().iter().map(|directory| nest(directory, 20)).collect();
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    for directory in &deepest {
        let procs = format!("/proc/self/fd/{}/cgroup.procs", std::os::fd::AsRawFd::as_raw_fd(directory));
        fs::write(procs, child.id().to_string()).unwrap();
    }
    assert_eq!(cgroup.processes().unwrap(), [child.id().cast_signed()]);
    let refusal = subtree.create("c", "{}").unwrap_err().to_string();
    assert!(refusal.contains("container's cgroup is not empty: 1 process(es) found"), "{refusal}");
    cgroup.kill_all().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
    cgroup.remove().unwrap();
    assert!(subtree.nothing_is_left());
}

#[test]
fn a_cgroup_below_a_frozen_one_is_refused_and_the_frozen_one_is_found() {
    let Some(subtree) = Subtree::new("above") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    let mut child = inhabit(cgroup.directories(), "exec sleep 1000");
    until("the process is inside", || {
        cgroup.directories().iter().all(|d| !fs::read_to_string(d.join("cgroup.procs")).unwrap().is_empty())
    });
    assert_eq!(caisson_cgroup::frozen_by(child.id().cast_signed()), None);
    let above =
        subtree.host.hierarchies.iter().map(|h| h.mount_point.join(subtree.path.trim_start_matches('/')));
    let above = Cgroup::open("", &above.map(|directory| directory.display().to_string()).collect::<Vec<_>>());
    if let Err(error) = above.freeze() {
        child.kill().unwrap();
        child.wait().unwrap();
        return println!("SKIPPED: {error}");
    }
    let error = subtree.create("d", "{}").unwrap_err().to_string();
    assert!(error.contains("container's cgroup unexpectedly frozen"), "{error}");
    assert!(subtree.place("d").directories().iter().all(|directory| !directory.exists()));
    if subtree.host.hierarchies.iter().any(|h| h.has("freezer") && !h.unified) {
        let found = caisson_cgroup::frozen_by(child.id().cast_signed()).unwrap();
        assert!(found.ends_with(subtree.path.trim_start_matches('/')), "{}", found.display());
    }
    above.thaw().unwrap();
    cgroup.kill_all().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_in_one_hierarchy_only_is_killed_too() {
    let Some(subtree) = Subtree::new("astray") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    for directory in cgroup.directories() {
        let mut child = inhabit(std::slice::from_ref(directory), "exec sleep 1000");
        until("inside", || !fs::read_to_string(directory.join("cgroup.procs")).unwrap().is_empty());
        cgroup.kill_all().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
    }
}

fn inherit_cpuset(directory: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let parent = directory.parent().unwrap().join(file);
        if let (Ok(text), false) = (fs::read_to_string(parent), directory.join("cgroup.type").exists()) {
            fs::write(directory.join(file), text.trim()).unwrap();
        }
    }
}

#[test]
fn a_process_of_one_thread_joins_as_a_whole() {
    let Some(subtree) = Subtree::new("join") else { return };
    let cgroup = subtree.create("c", "{}").unwrap();
    let files = subtree.place("c").procs_files();
    if files.is_empty() {
        return println!("SKIPPED: nothing is joined by writing on cgroup version 2");
    }
    let joins: String = files.iter().map(|file| format!("echo 0 > {} || exit 9; ", file.display())).collect();
    let mut child =
        Command::new("/bin/sh").args(["-c", &format!("{joins} exec sleep 1000")]).spawn().unwrap();
    let pid = format!("{}\n", child.id());
    for file in &files {
        let procs = file.with_file_name("cgroup.procs");
        until("the process is inside", || fs::read_to_string(&procs).unwrap() == pid);
    }
    cgroup.kill_all().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_out_of_memory_kill_is_counted() {
    let Some(subtree) = Subtree::new("oom") else { return };
    let cgroup = subtree.create("c", r#"{"memory": {"limit": 8388608, "swap": 8388608}}"#).unwrap();
    assert_eq!(cgroup.oom_kill_count(), 0);
    let status = inhabit(cgroup.directories(), "exec tail /dev/zero").wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert!(cgroup.oom_kill_count() > 0);
}

#[test]
fn only_the_devices_of_the_list_can_be_used() {
    let Some(subtree) = Subtree::new("devices") else { return };
    let try_it =
        |cgroup: &Cgroup, command: &str| inhabit(cgroup.directories(), command).wait().unwrap().success();
    let read_kmsg = "exec 2>/dev/null; head -c 0 /dev/kmsg";
    let write_kmsg = "exec 2>/dev/null; : > /dev/kmsg";
    let both = "exec 2>/dev/null; : <> /dev/kmsg";
    let none = subtree.create("none", r#"{"devices": [{"allow": false, "access": "rwm"}]}"#).unwrap();
    assert!(try_it(&none, ": </dev/null && : >/dev/zero && head -c 1 /dev/urandom >/dev/null"));
    if !fs::exists("/dev/kmsg").unwrap() || !Path::new("/dev/kmsg").metadata().is_ok_and(|m| !m.is_file()) {
        return println!("SKIPPED: /dev/kmsg is not here to be refused");
    }
    assert!(!try_it(&none, read_kmsg));
    let empty = subtree.create("empty", "{}").unwrap();
    assert!(!try_it(&empty, read_kmsg));
    let rules = r#"{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]}"#;
    let reading = subtree.create("reading", rules).unwrap();
    assert!(try_it(&reading, read_kmsg));
    assert!(!try_it(&reading, write_kmsg));
    assert!(!try_it(&reading, both));
    let rules = r#"{"devices": [{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "w"}]}"#;
    assert!(try_it(&subtree.create("both", rules).unwrap(), both));
    let rules = r#"{"devices": [{"allow": true, "access": "rwm"}]}"#;
    assert!(try_it(&subtree.create("all", rules).unwrap(), both));
    let rules = r#"{"devices": [{"allow": true, "access": "rwm"}, {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "w"}]}"#;
    let all_but = subtree.create("all-but", rules).unwrap();
    assert!(try_it(&all_but, read_kmsg));
    assert!(!try_it(&all_but, write_kmsg));
    let rules = r#"{"devices": [{"allow": true, "type": "c", "major": 1, "access": "r"}, {"allow": true, "type": "c", "minor": 11, "access": "w"}]}"#;
    assert!(try_it(&subtree.create("halves", rules).unwrap(), both));
    // A cgroup is reused: the same list again, then another one.
    for _ in 0..2 {
        assert!(!try_it(&subtree.create("reading", "{}").unwrap(), read_kmsg));
    }
    let rules = r#"{"devices": [{"allow": true, "access": "rwm"}]}"#;
    assert!(try_it(&subtree.create("reading", rules).unwrap(), both));
}
