//! Every limit is in the list: changing any property of `linux.resources` changes the list.

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use crate::{Hierarchy, Host, Mode, Operation, Placement, Request};

/// Every property except those that Linux no longer has (`kernel`, `kernelTCP`, `useHierarchy`).
fn everything() -> Value {
    let throttle = |minor: u32| json!([{"major": 8, "minor": minor, "rate": 1000}]);
    json!({
        "devices": [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}],
        "memory": {
            "limit": 1000, "reservation": 500, "swap": 3000, "swappiness": 10, "disableOOMKiller": true,
            "checkBeforeUpdate": true
        },
        "cpu": {
            "shares": 512, "quota": 2000, "burst": 100, "period": 5000, "realtimeRuntime": 10, "realtimePeriod": 20,
            "cpus": "0-1", "mems": "0", "idle": 0
        },
        "pids": {"limit": 17},
        "blockIO": {
            "weight": 100, "leafWeight": 200,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 300, "leafWeight": 400}],
            "throttleReadBpsDevice": throttle(1), "throttleWriteBpsDevice": throttle(2),
            "throttleReadIOPSDevice": throttle(3), "throttleWriteIOPSDevice": throttle(4)
        },
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4_194_304}],
        "network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 5}]},
        "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 4}},
        "unified": {"memory.high": "900", "cgroup.max.depth": "3"}
    })
}

const VERSION_1_ONLY: [&str; 7] = [
    "/memory/swappiness",
    "/memory/disableOOMKiller",
    "/cpu/realtimeRuntime",
    "/cpu/realtimePeriod",
    "/blockIO/leafWeight",
    "/blockIO/weightDevice/0/leafWeight",
    "/network",
];
const VERSION_2_ONLY: [&str; 1] = ["/unified"];

fn placement(mode: Mode) -> Placement {
    let hierarchy = |names: &[&str]| Hierarchy {
        directory_name: names[0].into(),
        mount_point: format!("/sys/fs/cgroup/{}", names[0]).into(),
        data: names[0].into(),
        controllers: names.iter().map(|name| (*name).to_owned()).collect(),
        unified: mode == Mode::V2,
        own_path: "/".into(),
    };
    let hierarchies = if mode == Mode::V2 {
        vec![hierarchy(&["memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma"])]
    } else {
        let controllers =
            ["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio", "devices"];
        controllers.map(|name| hierarchy(&[name])).into()
    };
    let request = Request { id: "web", cgroups_path: Some("/box/web"), rootless: false };
    Host { mode, hierarchies }.place(&request).unwrap()
}

fn plan(placement: &Placement, resources: &Value) -> Vec<Operation> {
    let resources: LinuxResources = serde_json::from_value(resources.clone()).unwrap();
    placement.operations(Some(&resources)).unwrap()
}

/// The JSON pointer of every number, string and boolean.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(k, v)| leaves(v, &format!("{at}/{k}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, v)| leaves(v, &format!("{at}/{i}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => json!(number.as_i64().unwrap() * 2 + 1),
        Value::String(text) => match text.as_str() {
            "c" => json!("b"),
            "rw" => json!("m"),
            text => json!(format!("{text}1")),
        },
        other => panic!("{other}"),
    }
}

fn remove(document: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    if let Some(parent) = document.pointer_mut(parent) {
        parent.as_object_mut().unwrap().remove(name);
    }
}

/// In version 1 the kernel itself refuses a limit below the usage.
const NOTHING_TO_DO: [&str; 2] = ["/unified", "/memory/checkBeforeUpdate"];

fn every_property_shows(mode: Mode, absent: &[&str]) {
    let placement = placement(mode);
    let mut whole = everything();
    absent.iter().for_each(|pointer| remove(&mut whole, pointer));
    let before = plan(&placement, &whole);
    let mut pointers = Vec::new();
    leaves(&whole, "", &mut pointers);
    for pointer in &pointers {
        let mut other = whole.clone();
        let value = other.pointer_mut(pointer).unwrap();
        *value = changed(value);
        assert_ne!(plan(&placement, &other), before, "{pointer} is not in the plan, {mode:?}");
    }
}

#[test]
fn every_property_of_the_resources_shows() {
    every_property_shows(Mode::V1, &NOTHING_TO_DO);
    every_property_shows(Mode::V2, &VERSION_1_ONLY);
}

#[test]
fn what_a_version_lacks_is_refused_before_anything_is_made() {
    for (mode, lacking) in [(Mode::V1, &VERSION_2_ONLY[..]), (Mode::V2, &VERSION_1_ONLY[..])] {
        for pointer in lacking {
            let mut resources = everything();
            for other in VERSION_1_ONLY.iter().chain(&VERSION_2_ONLY).filter(|other| *other != pointer) {
                remove(&mut resources, other);
            }
            let resources: LinuxResources = serde_json::from_value(resources).unwrap();
            let refusal = placement(mode).operations(Some(&resources)).unwrap_err().to_string();
            assert!(refusal.starts_with("linux.resources."), "{refusal}");
        }
    }
}

#[test]
fn the_order_is_directories_limits_and_the_child_with_its_limits() {
    let resources = json!({"pids": {"limit": 17}});
    let limits: LinuxResources = serde_json::from_value(resources.clone()).unwrap();
    let mut placement = placement(Mode::V2);
    placement.protect(&limits);
    let shown = serde_json::to_value(plan(&placement, &resources)).unwrap();
    let (top, parent) = ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/box");
    let (directory, child) = ("/sys/fs/cgroup/memory/box/web", "/sys/fs/cgroup/memory/box/web/container");
    assert_eq!(shown[0], json!({"EnableControllers": {"directory": top}}));
    assert_eq!(shown[1], json!({"MakeParent": {"directory": parent}}));
    assert_eq!(shown[2], json!({"EnableControllers": {"directory": parent}}));
    assert_eq!(shown[3], json!({"MakeDirectory": {"directory": directory}}));
    assert_eq!(shown[4], json!({"MakeDirectory": {"directory": child}}));
    assert_eq!(shown[5], json!({"Write": {"directory": directory, "file": "pids.max", "value": "17"}}));
    assert_eq!(shown[6]["RestrictDevices"]["rules"][0], json!("deny a"));
    assert_eq!(shown[6]["RestrictDevices"]["rules"][3], json!("allow c 1:3 rwm"));
    assert_eq!(shown[7], json!({"EnableControllers": {"directory": directory}}));
    assert_eq!(shown[8], json!({"Write": {"directory": child, "file": "pids.max", "value": "17"}}));
    assert_eq!(shown[9], json!(null));
}

#[test]
fn every_level_of_a_version_1_cpuset_inherits() {
    let resources = json!({"cpu": {"cpus": "0"}});
    let mut placement = placement(Mode::V1);
    placement.protect(&serde_json::from_value(resources.clone()).unwrap());
    let shown = serde_json::to_value(plan(&placement, &resources)).unwrap();
    let cpuset: Vec<_> = shown
        .as_array()
        .unwrap()
        .iter()
        .filter(|operation| operation.to_string().contains("/cpuset/"))
        .map(|operation| {
            let (name, of) = operation.as_object().unwrap().iter().next().unwrap();
            let directory = of["directory"].as_str().unwrap().trim_start_matches("/sys/fs/cgroup/cpuset/");
            format!("{name} {directory}")
        })
        .collect();
    assert_eq!(
        cpuset,
        [
            "MakeParent box",
            "InheritCpuset box",
            "MakeDirectory box/web",
            "InheritCpuset box/web",
            "Write box/web",
            "MakeDirectory box/web/container",
            "InheritCpuset box/web/container",
            "Write box/web/container",
        ]
    );
}

#[test]
fn the_owner_gets_what_the_container_sees_and_only_in_version_2() {
    let resources = json!({"pids": {"limit": 17}});
    for (mode, owned) in [(Mode::V1, None), (Mode::Hybrid, None), (Mode::V2, Some("/container"))] {
        let mut placement = placement(mode);
        placement.protect(&serde_json::from_value(resources.clone()).unwrap());
        placement.delegate_to(1000);
        let directory = owned.map(|child| format!("/sys/fs/cgroup/memory/box/web{child}"));
        let last =
            plan(&placement, &resources).into_iter().rfind(|o| matches!(o, Operation::ChangeOwner { .. }));
        let expected = directory.map(|directory| Operation::ChangeOwner {
            directory: directory.into(),
            owner: 1000,
            if_permitted: false,
        });
        assert_eq!(last, expected, "{mode:?}");
    }
}

/// The values for one file.
fn values(mode: Mode, file: &str, resources: Value) -> Vec<String> {
    let writes = plan(&placement(mode), &resources).into_iter().flat_map(|operation| match operation {
        Operation::Write(write) => vec![write],
        Operation::WriteInAnyOrder(writes) => writes,
        _ => Vec::new(),
    });
    writes
        .flat_map(|write| [(write.file, write.value)].into_iter().chain(write.instead))
        .filter(|(name, _)| name == file)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn zero_unlimited_and_out_of_range() {
    let none: [&str; 0] = [];
    for mode in [Mode::V1, Mode::V2] {
        let pids = |limit: i64| values(mode, "pids.max", json!({"pids": {"limit": limit}}));
        assert_eq!([pids(-5), pids(-1), pids(0), pids(1)], [["max"], ["max"], ["1"], ["1"]]);
    }
    assert_eq!(values(Mode::V1, "cpu.shares", json!({"cpu": {"shares": 0}})), none);
    assert_eq!(values(Mode::V2, "cpu.weight", json!({"cpu": {"shares": 1}})), ["1"]);
    assert_eq!(values(Mode::V2, "cpu.max", json!({"cpu": {"quota": -1}})), ["max 100000"]);
    assert_eq!(values(Mode::V2, "cpu.max", json!({"cpu": {"period": 5000}})), ["max 5000"]);
    for mode in [Mode::V1, Mode::V2] {
        let file = if mode == Mode::V1 { "cpu.shares" } else { "cpu.weight" };
        assert_eq!(
            values(mode, file, json!({"cpu": {"shares": 512, "idle": 1}})),
            none,
            "an idle cgroup has none"
        );
    }
    for shares in [1, 262_145] {
        let limits: LinuxResources = serde_json::from_value(json!({"cpu": {"shares": shares}})).unwrap();
        let refusal = placement(Mode::V1).operations(Some(&limits)).unwrap_err().to_string();
        assert!(refusal.contains("allowed cpu-shares is"), "{refusal}");
    }
    let throttle = json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 0}]}});
    assert_eq!(values(Mode::V2, "io.max", throttle), ["8:0 rbps=max"]);
    let weights = json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 500}]}});
    assert_eq!(values(Mode::V2, "io.bfq.weight", weights.clone()), ["8:0 500"]);
    assert_eq!(values(Mode::V2, "io.weight", weights.clone()), ["8:0 4950"]);
    assert_eq!(values(Mode::V1, "blkio.weight_device", weights), ["8:0 500"]);
}

#[test]
fn unified_may_name_files_that_belong_to_no_controller() {
    assert_eq!(values(Mode::V2, "irq.pressure", json!({"unified": {"irq.pressure": "0"}})), ["0"]);
    for file in [".max", "max", "a/b.max", "misc.max"] {
        let limits: LinuxResources = serde_json::from_value(json!({"unified": {file: "1"}})).unwrap();
        assert!(placement(Mode::V2).operations(Some(&limits)).is_err(), "{file}");
    }
}

/// A host with these hierarchies, each with one controller.
fn host_with(hierarchies: &[(&str, bool)], rootless: bool) -> Placement {
    let hierarchies = hierarchies.iter().map(|(name, unified)| Hierarchy {
        directory_name: (*name).into(),
        mount_point: format!("/sys/fs/cgroup/{name}").into(),
        data: (*name).into(),
        controllers: vec![(*name).to_owned()],
        unified: *unified,
        own_path: "/".into(),
    });
    let host = Host { mode: Mode::Hybrid, hierarchies: hierarchies.collect() };
    host.place(&Request { id: "web", cgroups_path: None, rootless }).unwrap()
}

#[test]
fn devices_are_restricted_by_whatever_hierarchy_can() {
    let directory = |placement: &Placement| {
        placement.operations(None).unwrap().into_iter().find_map(|operation| match operation {
            Operation::RestrictDevices { directory, .. } => Some(directory.display().to_string()),
            _ => None,
        })
    };
    let both = host_with(&[("unified", true), ("devices", false)], false);
    assert_eq!(directory(&both).as_deref(), Some("/sys/fs/cgroup/devices/web"));
    let program = host_with(&[("unified", true), ("memory", false)], false);
    assert_eq!(directory(&program).as_deref(), Some("/sys/fs/cgroup/unified/web"));
    let none = [("memory", false)];
    let refusal = host_with(&none, false).operations(None).unwrap_err().to_string();
    assert!(refusal.contains("no cgroup hierarchy that can restrict devices"), "{refusal}");
    assert_eq!(directory(&host_with(&none, true)), None);
}

#[test]
fn block_io_of_a_hybrid_host_may_be_in_either_version() {
    let limits: LinuxResources = serde_json::from_value(json!({"blockIO": {"weight": 100}})).unwrap();
    for (name, unified, file) in [("io", true, "io.bfq.weight"), ("blkio", false, "blkio.weight")] {
        let list =
            host_with(&[(name, unified), ("devices", false)], false).operations(Some(&limits)).unwrap();
        let found = list.iter().any(|o| matches!(o, Operation::Write(write) if write.file == file));
        assert!(found, "{list:?}");
    }
}
