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
    every_property_shows(Mode::V1, &VERSION_2_ONLY);
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
    let (directory, child) = ("/sys/fs/cgroup/memory/box/web", "/sys/fs/cgroup/memory/box/web/container");
    assert_eq!(shown[0], json!({"MakeDirectory": {"directory": directory}}));
    assert_eq!(shown[1], json!({"MakeDirectory": {"directory": child}}));
    assert_eq!(shown[2], json!({"Write": {"directory": directory, "file": "pids.max", "value": "17"}}));
    assert_eq!(shown[3]["RestrictDevices"]["rules"][0], json!("deny a"));
    assert_eq!(shown[3]["RestrictDevices"]["rules"][3], json!("allow c 1:3 rwm"));
    assert_eq!(shown[4], json!({"EnableControllers": {"directory": directory}}));
    assert_eq!(shown[5], json!({"Write": {"directory": child, "file": "pids.max", "value": "17"}}));
    assert_eq!(shown[6], json!(null));
}
