//! What is refused before anything happens: the place, and words that say what is allowed.

mod support;

use caisson_plan::{Config, Host, Rights};
use serde_json::{Value, json};
use support::{changed, default_config, host, options, parse, planned};

fn refused(changes: &[(&str, Value)]) -> caisson_plan::SpecError {
    match planned(&changed(changes)) {
        Ok(_) => panic!("{changes:?} is accepted"),
        Err(error) => error,
    }
}

/// The path that is named, words of the message, and what was changed.
type Case = (&'static str, &'static str, Vec<(&'static str, Value)>);

fn scheduler(value: Value) -> (&'static str, Value) {
    ("process.scheduler", value)
}

#[test]
fn an_ordinary_user_does_not_join_a_pid_namespace_from_a_new_user_namespace() {
    let namespaces = json!([{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "user"}, {"type": "mount"}]);
    let config = parse(&changed(&[("linux.namespaces", namespaces), ("hostname", Value::Null)])).unwrap();
    let ordinary = Host { rights: Rights::default(), ..host() };
    let refusal = caisson_plan::plan(&config, &options(), &ordinary).unwrap_err();
    assert_eq!(refusal.issues[0].path, "linux.namespaces");
    assert!(refusal.issues[0].message.contains("only root can join a pid namespace"), "{refusal:?}");
    caisson_plan::plan(&config, &options(), &host()).unwrap();
}

#[test]
fn rules_that_types_cannot_express() {
    let many: Vec<_> = (0..341).map(|id| json!({"containerID": id, "hostID": id, "size": 1})).collect();
    let user = ("linux.namespaces[6]", json!({"type": "user"}));
    let mapping = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    let cases: Vec<Case> = vec![
        ("ociVersion", "2.0.0", vec![("ociVersion", json!("2.0.0"))]),
        ("ociVersion", "SemVer", vec![("ociVersion", json!("latest"))]),
        ("root", "required", vec![("root", Value::Null)]),
        ("root.path", "empty", vec![("root.path", json!(""))]),
        ("root.path", "NUL", vec![("root.path", json!("a\0b"))]),
        ("process.args", "empty", vec![("process.args", json!([]))]),
        ("process.args", "empty", vec![("process.args", Value::Null)]),
        ("process.args[0]", "empty", vec![("process.args", json!([""]))]),
        ("process.args[1]", "NUL", vec![("process.args", json!(["a", "b\0"]))]),
        ("process.env[0]", "NUL", vec![("process.env", json!(["A=\0"]))]),
        ("process.cwd", "absolute", vec![("process.cwd", json!("tmp"))]),
        ("process.oomScoreAdj", "1000", vec![("process.oomScoreAdj", json!(1001))]),
        ("process.user.umask", "decimal", vec![("process.user.umask", json!(755))]),
        (
            "process.consoleSize",
            "65535",
            vec![
                ("process.terminal", json!(true)),
                ("process.consoleSize", json!({"height": 70000, "width": 1})),
            ],
        ),
        ("process.user.uid", "4294967294", vec![("process.user.uid", json!(u32::MAX))]),
        ("process.user.gid", "4294967294", vec![("process.user.gid", json!(u32::MAX))]),
        (
            "process.user.additionalGids[1]",
            "4294967294",
            vec![("process.user.additionalGids", json!([1, u32::MAX]))],
        ),
        (
            "linux.devices[0].uid",
            "4294967294",
            vec![("linux.devices", json!([{"path": "/dev/x", "type": "p", "uid": u32::MAX}]))],
        ),
        (
            "linux.uidMappings[0]",
            "last id",
            vec![
                user.clone(),
                ("linux.uidMappings", json!([{"containerID": u32::MAX, "hostID": 0, "size": 1}])),
                ("linux.gidMappings", mapping.clone()),
            ],
        ),
        ("linux.seccomp", "missing field `defaultAction`", vec![("linux.seccomp", json!({}))]),
        ("process.scheduler.policy", "missing", vec![("process.scheduler", json!({}))]),
        (
            "process.scheduler.policy",
            "expected one of SCHED_OTHER",
            vec![scheduler(json!({"policy": "SCHED_EXT"}))],
        ),
        (
            "process.scheduler.flags[0]",
            "expected one of SCHED_FLAG_RESET",
            vec![scheduler(json!({"policy": "SCHED_RR", "priority": 1, "flags": ["RESET_ON_FORK"]}))],
        ),
        (
            "process.scheduler.nice",
            "from -20 to 19",
            vec![scheduler(json!({"policy": "SCHED_OTHER", "nice": 20}))],
        ),
        (
            "process.scheduler.nice",
            "not for SCHED_IDLE",
            vec![scheduler(json!({"policy": "SCHED_IDLE", "nice": 1}))],
        ),
        ("process.scheduler.priority", "from 1 to 99", vec![scheduler(json!({"policy": "SCHED_FIFO"}))]),
        (
            "process.scheduler.priority",
            "not for SCHED_BATCH",
            vec![scheduler(json!({"policy": "SCHED_BATCH", "priority": 1}))],
        ),
        (
            "process.scheduler.period",
            "not for SCHED_RR",
            vec![scheduler(json!({"policy": "SCHED_RR", "priority": 1, "period": 1}))],
        ),
        (
            "process.scheduler.runtime",
            "1024",
            vec![scheduler(json!({"policy": "SCHED_DEADLINE", "deadline": 2048}))],
        ),
        (
            "process.scheduler.deadline",
            "9223372036854775807",
            vec![scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1u64 << 63}))],
        ),
        (
            "process.scheduler.runtime",
            "at most the deadline 2000",
            vec![scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000}))],
        ),
        (
            "process.scheduler.deadline",
            "at most the period 1500",
            vec![scheduler(
                json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000, "period": 1500}),
            )],
        ),
        (
            "process.scheduler.flags",
            "startContainer hooks",
            vec![
                scheduler(json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000})),
                ("hooks", json!({"startContainer": [{"path": "/h"}]})),
            ],
        ),
        ("process.ioPriority.class", "missing", vec![("process.ioPriority", json!({"priority": 1}))]),
        (
            "process.ioPriority.class",
            "expected one of IOPRIO_CLASS_RT",
            vec![("process.ioPriority", json!({"class": "IOPRIO_CLASS_NONE"}))],
        ),
        (
            "process.ioPriority.priority",
            "from 0 to 7",
            vec![("process.ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 8}))],
        ),
        (
            "process.execCPUAffinity.final",
            "0-3,7",
            vec![("process.execCPUAffinity", json!({"initial": "", "final": "0-"}))],
        ),
        ("linux.memoryPolicy.mode", "missing", vec![("linux.memoryPolicy", json!({}))]),
        (
            "linux.memoryPolicy.mode",
            "expected one of MPOL_DEFAULT",
            vec![("linux.memoryPolicy", json!({"mode": "MPOL_BEST"}))],
        ),
        (
            "linux.memoryPolicy.nodes",
            "at least one",
            vec![("linux.memoryPolicy", json!({"mode": "MPOL_BIND"}))],
        ),
        (
            "linux.memoryPolicy.nodes",
            "takes none",
            vec![("linux.memoryPolicy", json!({"mode": "MPOL_LOCAL", "nodes": "0"}))],
        ),
        (
            "linux.memoryPolicy.nodes",
            "0-3,7",
            vec![("linux.memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "x"}))],
        ),
        (
            "linux.memoryPolicy.flags[1]",
            "expected one of MPOL_F",
            vec![(
                "linux.memoryPolicy",
                json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "x"]}),
            )],
        ),
        (
            "linux.memoryPolicy.flags",
            "excludes",
            vec![(
                "linux.memoryPolicy",
                json!({
                    "mode": "MPOL_BIND", "nodes": "0",
                    "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]
                }),
            )],
        ),
        ("linux.intelRdt.closID", "invalid", vec![("linux.intelRdt", json!({"closID": "a/b"}))]),
        ("linux.intelRdt.closID", "invalid", vec![("linux.intelRdt", json!({"closID": "mon_groups"}))]),
        (
            "linux.intelRdt.l3CacheSchema",
            "one line",
            vec![("linux.intelRdt", json!({"l3CacheSchema": "L3:0=f\nMB:0=1"}))],
        ),
        ("linux.intelRdt.memBwSchema", "MB:", vec![("linux.intelRdt", json!({"memBwSchema": "L3:0=f"}))]),
        (
            "linux.intelRdt.schemata[1]",
            "one line",
            vec![("linux.intelRdt", json!({"schemata": ["L3:0=f", "a\nb"]}))],
        ),
        ("linux.netDevices.eth 0", "without /", vec![("linux.netDevices", json!({"eth 0": {}}))]),
        ("linux.netDevices.eth%d", "without /", vec![("linux.netDevices", json!({"eth%d": {}}))]),
        (
            "linux.netDevices.eth0.name",
            "15 bytes",
            vec![("linux.netDevices", json!({"eth0": {"name": "sixteen-bytes-xx"}}))],
        ),
        (
            "linux.netDevices.eth0.name",
            "one %d",
            vec![("linux.netDevices", json!({"eth0": {"name": "e%d%d"}}))],
        ),
        (
            "linux.netDevices.eth1.name",
            "duplicate",
            vec![("linux.netDevices", json!({"eth0": {}, "eth1": {"name": "eth0"}}))],
        ),
        (
            "linux.netDevices",
            "without a NET namespace",
            vec![("linux.netDevices", json!({"eth0": {}})), ("linux.namespaces[1]", json!({"type": "user"}))],
        ),
        ("linux.personality.domain", "missing", vec![("linux.personality", json!({}))]),
        ("linux.personality.domain", "LINUX, LINUX32", vec![("linux.personality", json!({"domain": "BSD"}))]),
        (
            "linux.personality.flags",
            "no flags",
            vec![("linux.personality", json!({"domain": "LINUX", "flags": ["x"]}))],
        ),
        ("linux.namespaces[6]", "duplicate", vec![("linux.namespaces[6]", json!({"type": "ipc"}))]),
        ("linux.namespaces[0].type", "expected one of", vec![("linux.namespaces[0].type", json!("xyz"))]),
        ("linux.namespaces[1].path", "absolute", vec![("linux.namespaces[1].path", json!("proc/1/ns/net"))]),
        ("root.readonly", "mount", vec![("linux.namespaces[4]", json!({"type": "time"}))]),
        ("hostname", "UTS namespace", vec![("linux.namespaces[3]", json!({"type": "time"}))]),
        ("hostname", "64", vec![("hostname", json!("h".repeat(65)))]),
        ("domainname", "64", vec![("domainname", json!("h".repeat(65)))]),
        ("linux.uidMappings", "user", vec![("linux.uidMappings", mapping.clone())]),
        ("linux", "together", vec![user.clone(), ("linux.uidMappings", mapping.clone())]),
        (
            "linux.uidMappings",
            "340",
            vec![user.clone(), ("linux.uidMappings", json!(many)), ("linux.gidMappings", mapping.clone())],
        ),
        (
            "linux.uidMappings[0].size",
            "0",
            vec![
                user.clone(),
                ("linux.uidMappings", json!([{"containerID": 0, "hostID": 0, "size": 0}])),
                ("linux.gidMappings", mapping.clone()),
            ],
        ),
        (
            "linux.gidMappings[0]",
            "last id",
            vec![
                user.clone(),
                ("linux.uidMappings", mapping.clone()),
                ("linux.gidMappings", json!([{"containerID": 0, "hostID": 4_294_967_295u32, "size": 2}])),
            ],
        ),
        (
            "process.user.uid",
            "not mapped",
            vec![
                user.clone(),
                ("linux.uidMappings", mapping.clone()),
                ("linux.gidMappings", mapping.clone()),
                ("process.user.uid", json!(5)),
            ],
        ),
        (
            "process.user.additionalGids[0]",
            "not mapped",
            vec![
                user,
                ("linux.uidMappings", mapping.clone()),
                ("linux.gidMappings", mapping),
                ("process.user.additionalGids", json!([5])),
            ],
        ),
        ("linux.timeOffsets", "time", vec![("linux.timeOffsets", json!({"boottime": {"secs": 1}}))]),
        ("mounts[0].destination", "path", vec![("mounts[0].destination", json!(""))]),
        ("mounts[0].destination", "root", vec![("mounts[0].destination", json!("/./"))]),
        ("mounts[0].destination", "root itself", vec![("mounts[0].destination", json!("/a/../.."))]),
        ("mounts[0].type", "bind", vec![("mounts[0].type", Value::Null)]),
        ("mounts[0].source", "bind", vec![("mounts[0]", json!({"destination": "/x", "options": ["rbind"]}))]),
        ("mounts[0].options", "tmpfs", vec![("mounts[0].options", json!(["tmpcopyup"]))]),
        ("linux.devices[0].path", "absolute", vec![("linux.devices", json!([{"path": "x", "type": "p"}]))]),
        ("linux.devices[0].path", "..", vec![("linux.devices", json!([{"path": "/dev/../x", "type": "p"}]))]),
        (
            "linux.devices[0].type",
            "expected",
            vec![("linux.devices", json!([{"path": "/dev/x", "type": "q"}]))],
        ),
        (
            "linux.devices[0].major",
            "number",
            vec![("linux.devices", json!([{"path": "/dev/x", "type": "c", "minor": 1}]))],
        ),
        (
            "linux.devices[0].minor",
            "number",
            vec![("linux.devices", json!([{"path": "/dev/x", "type": "b", "major": 1, "minor": -1}]))],
        ),
        (
            "linux.devices[0].fileMode",
            "decimal",
            vec![("linux.devices", json!([{"path": "/dev/x", "type": "p", "fileMode": 666_666}]))],
        ),
        ("hooks.poststop[0].path", "absolute", vec![("hooks", json!({"poststop": [{"path": "true"}]}))]),
        (
            "hooks.prestart[0].timeout",
            "above 0",
            vec![("hooks", json!({"prestart": [{"path": "/h", "timeout": 0}]}))],
        ),
        ("annotations", "empty", vec![("annotations", json!({"": "x"}))]),
        ("linux.rootfsPropagation", "expected", vec![("linux.rootfsPropagation", json!("public"))]),
        ("linux.personality.domain", "expected", vec![("linux.personality", json!({"domain": "BSD"}))]),
    ];
    for (path, words, changes) in cases {
        let error = refused(&changes);
        assert!(!error.unsupported, "{path}: {error}");
        let issue = error.issues.iter().find(|issue| issue.path == path);
        let issue = issue.unwrap_or_else(|| panic!("{path} is not named: {error}"));
        assert!(issue.message.contains(words), "{path}: {:?} without {words:?}", issue.message);
    }
}

#[test]
fn without_mappings_the_program_is_root() {
    let user = ("linux.namespaces[6]", json!({"type": "user"}));
    assert!(planned(&changed(std::slice::from_ref(&user))).is_ok());
    for (path, value) in [("uid", json!(1000)), ("gid", json!(5)), ("additionalGids", json!([5]))] {
        let path = format!("process.user.{path}");
        let error = planned(&changed(&[user.clone(), (path.as_str(), value)])).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{path}: must be 0 in a user namespace")), "{error}");
    }
}

#[test]
fn wrong_types_are_named_by_their_path() {
    for (path, value) in [
        ("ociVersion", json!(1)),
        ("process.args", json!("sh")),
        ("process.args[0]", json!(1)),
        ("process.user.uid", json!(-1)),
        ("process.user.uid", json!(4_294_967_296u64)),
        ("process.user.gid", json!("0")),
        ("mounts[3].options", json!("ro")),
        ("mounts[3].destination", Value::Null),
        ("linux.namespaces", json!({})),
        ("linux.sysctl", json!({"a.b": 1})),
        ("linux.resources.memory.limit", json!("64M")),
        ("linux.resources.pids.limit", json!(1.5)),
        ("hooks", json!({"prestart": {}})),
        ("annotations", json!({"a": 1})),
        ("root", json!("rootfs")),
    ] {
        let error = refused(&[(path, value)]);
        assert!(error.issues.iter().all(|issue| issue.path.starts_with(path)), "{path}: {error}");
        assert!(!error.issues[0].path.is_empty(), "{path}: {error}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let error = refused(&[
        ("process.cwd", json!("x")),
        ("process.args", json!([])),
        ("mounts[0].destination", json!("")),
        ("hostname", json!("h".repeat(100))),
    ]);
    assert_eq!(error.issues.len(), 4, "{error}");
}

#[test]
fn text_that_is_no_configuration() {
    for text in [
        "",
        "null",
        "[]",
        "{",
        "\"x\"",
        "{}",
        "{\"ociVersion\": \"1.3.0\"}",
        "\u{feff}{}",
        "{\"a\":1,\"a\":2}",
    ] {
        assert!(Config::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Config::parse(&[0xff, 0xfe]).is_err());
    let deep = "[".repeat(100_000);
    assert!(Config::parse(deep.as_bytes()).is_err());
}

#[test]
fn versions_with_suffixes_and_newer_minors_are_taken() {
    for version in ["1.0", "1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.3.0+dev", "1.99.0"] {
        assert!(parse(&changed(&[("ociVersion", json!(version))])).is_ok(), "{version}");
    }
    assert!(parse(&default_config()).is_ok());
}

/// What is required and absent would be taken for 0 by the types, and 0 is a limit.
#[test]
fn resources_are_complete_and_fit_together() {
    let cases: Vec<(&str, &str, Value)> = vec![
        ("linux.resources.devices[0].allow", "missing", json!({"devices": [{"access": "r"}]})),
        (
            "linux.resources.devices[0].type",
            "expected",
            json!({"devices": [{"allow": true, "access": "r", "type": "u"}]}),
        ),
        (
            "linux.resources.devices[0].access",
            "letters of",
            json!({"devices": [{"allow": true, "access": "x"}]}),
        ),
        ("linux.resources.memory.swappiness", "100", json!({"memory": {"swappiness": 101}})),
        ("linux.resources.cpu.burst", "above", json!({"cpu": {"quota": 5, "burst": 6}})),
        (
            "linux.resources.hugepageLimits[0].limit",
            "missing",
            json!({"hugepageLimits": [{"pageSize": "2MB"}]}),
        ),
        (
            "linux.resources.hugepageLimits[0].pageSize",
            "2MB",
            json!({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}),
        ),
        (
            "linux.resources.blockIO.weightDevice[0]",
            "weight",
            json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}),
        ),
        (
            "linux.resources.blockIO.throttleReadBpsDevice[0].rate",
            "missing",
            json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0}]}}),
        ),
        ("linux.resources.rdma.mlx5", "hcaHandles", json!({"rdma": {"mlx5": {}}})),
        ("linux.resources.unified[\"../x\"]", "memory.high", json!({"unified": {"../x": "1"}})),
        ("linux.resources.unified[\"memory\"]", "memory.high", json!({"unified": {"memory": "1"}})),
        ("linux.resources.devices[0].access", "missing", json!({"devices": [{"allow": true, "type": "c"}]})),
        (
            "linux.resources.devices[0].access",
            "missing",
            json!({"devices": [{"allow": false, "access": ""}]}),
        ),
        (
            "linux.resources.devices[0].minor",
            "device number",
            json!({"devices": [{"allow": true, "access": "r", "minor": -2}]}),
        ),
        (
            "linux.resources.hugepageLimits[0].limit",
            "negative",
            json!({"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}),
        ),
        ("linux.resources.memory.swap", "-1 for no limit", json!({"memory": {"limit": 5, "swap": -2}})),
        (
            "linux.resources.network.priorities[0].name",
            "without spaces",
            json!({"network": {"priorities": [{"name": "eth0 7", "priority": 5}]}}),
        ),
        ("linux.resources.network", "object", json!({"network": [7]})),
        ("linux.resources.rdma.mlx5", "object", json!({"rdma": {"mlx5": [3, 4]}})),
    ];
    for (path, words, resources) in cases {
        let error = refused(&[("linux.resources", resources)]);
        let issue = error.issues.iter().find(|issue| issue.path == path);
        let issue = issue.unwrap_or_else(|| panic!("{path} is not named: {error}"));
        assert!(issue.message.contains(words), "{path}: {:?} without {words:?}", issue.message);
    }
}

#[test]
fn an_absent_pids_limit_is_none() {
    let config = parse(&changed(&[("linux.resources", json!({"pids": {}}))])).unwrap();
    assert!(config.resources().unwrap().pids().is_none());
    let config = parse(&changed(&[("linux.resources", json!({"pids": {"limit": 0}}))])).unwrap();
    assert!(config.resources().unwrap().pids().is_some(), "0 is a limit");
}

/// What engines write and the peers take.
#[test]
fn what_the_peers_accept_is_accepted() {
    let user = json!({"type": "user", "path": "/proc/1/ns/user"});
    let mapping = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
    let cases: Vec<Vec<(&str, Value)>> = vec![
        vec![("process.consoleSize", json!({}))],
        vec![(
            "mounts[0]",
            json!({"destination": "/x", "source": "/", "options": ["bind", "ro", "mode=755"]}),
        )],
        vec![("linux.resources.devices", json!([{"allow": true, "access": "rwa"}]))],
        vec![
            ("linux.namespaces[6]", user),
            ("linux.uidMappings", mapping.clone()),
            ("linux.gidMappings", mapping),
        ],
    ];
    for changes in cases {
        planned(&changed(&changes)).unwrap_or_else(|error| panic!("{changes:?}: {error}"));
    }
    let twice = json!(["/proc/acpi", "/proc/kcore", "/proc/acpi"]);
    let plan = planned(&changed(&[("linux.maskedPaths", twice)])).unwrap();
    let masks =
        plan.setup.iter().filter(|operation| matches!(operation, caisson_plan::Operation::MaskPath { .. }));
    assert_eq!(masks.count(), 2);
    let config =
        parse(&changed(&[("linux.resources.devices", json!([{"allow": true, "access": "a"}]))])).unwrap();
    let rules = config.resources().unwrap().devices().clone().unwrap();
    assert_eq!(rules[0].access().as_deref(), Some("rwm"));
}
