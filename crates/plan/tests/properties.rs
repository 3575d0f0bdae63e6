//! Every property of config.json that Linux knows (runtime-spec 1.3, config.md and config-linux.md) is used, refused by
//! its name, or said to have no effect. None is ignored in silence.

mod support;

use caisson_plan::IdList;
use serde_json::{Value, json};
use support::{changed, default_config, parse, planned};

/// What a change of a property must lead to.
enum Expected {
    /// Another plan.
    Planned,
    /// Another list of limits for the cgroup.
    Limited,
    /// A refusal that names the path.
    Refused,
    /// A warning that names the path.
    Warned,
    /// Read by the engine, from the configuration itself.
    Read(fn(&caisson_plan::Config) -> bool),
}

use Expected::{Limited, Planned, Read, Refused, Warned};

/// The property that is set; what else it needs; what is expected.
type Case = (&'static str, Value, &'static [(&'static str, &'static str)], Expected);

/// A bind mount with mapped owners.
const MAPPED: &[(&str, &str)] = &[(
    "mounts[1]",
    r#"{"destination": "/data", "source": "/srv", "options": ["bind"],
        "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}],
        "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}"#,
)];

const USER: &[(&str, &str)] = &[
    ("linux.namespaces[6]", r#"{"type": "user"}"#),
    ("linux.uidMappings", r#"[{"containerID": 0, "hostID": 100000, "size": 65536}]"#),
    ("linux.gidMappings", r#"[{"containerID": 0, "hostID": 100000, "size": 65536}]"#),
];
const TIME: &[(&str, &str)] = &[("linux.namespaces[6]", r#"{"type": "time"}"#)];
const TERMINAL: &[(&str, &str)] = &[("process.terminal", "true")];

fn cases() -> Vec<Case> {
    let list = |names: &[&str]| json!(names);
    vec![
        ("ociVersion", json!("1.0.2"), &[], Planned),
        ("root.path", json!("/elsewhere"), &[], Planned),
        ("root.readonly", json!(false), &[], Planned),
        ("mounts[1].destination", json!("/other"), &[], Planned),
        ("mounts[1].type", json!("ramfs"), &[], Planned),
        ("mounts[1].source", json!("another"), &[], Planned),
        ("mounts[1].options", list(&["ro"]), &[], Planned),
        ("mounts[1].uidMappings[0].hostID", json!(7), MAPPED, Planned),
        ("mounts[1].gidMappings[0].size", json!(7), MAPPED, Planned),
        ("process.terminal", json!(true), &[], Planned),
        (
            "process.consoleSize.height",
            json!(33),
            &[("process.terminal", "true"), ("process.consoleSize", r#"{"width": 9, "height": 1}"#)],
            Planned,
        ),
        (
            "process.consoleSize.width",
            json!(33),
            &[("process.terminal", "true"), ("process.consoleSize", r#"{"width": 9, "height": 1}"#)],
            Planned,
        ),
        ("process.cwd", json!("/tmp"), &[], Planned),
        ("process.env", list(&["A=1"]), &[], Planned),
        ("process.args", list(&["ls"]), &[], Planned),
        ("process.user.uid", json!(7), &[], Planned),
        ("process.user.gid", json!(7), &[], Planned),
        ("process.user.umask", json!(63), &[], Planned),
        ("process.user.additionalGids", json!([7]), &[], Planned),
        ("process.rlimits[0].type", json!("RLIMIT_CORE"), &[], Planned),
        ("process.rlimits[0].soft", json!(7), &[], Planned),
        ("process.rlimits[0].hard", json!(2048), &[], Planned),
        (
            "process.capabilities.bounding",
            list(&["CAP_KILL", "CAP_CHOWN"]),
            &[("process.capabilities.effective", "[]"), ("process.capabilities.permitted", "[]")],
            Planned,
        ),
        ("process.capabilities.effective", list(&["CAP_KILL"]), &[], Planned),
        (
            "process.capabilities.permitted",
            list(&["CAP_KILL"]),
            &[("process.capabilities.effective", "[]")],
            Planned,
        ),
        ("process.capabilities.inheritable", list(&["CAP_KILL"]), &[], Planned),
        (
            "process.capabilities.ambient",
            list(&["CAP_KILL"]),
            &[("process.capabilities.inheritable", r#"["CAP_KILL"]"#)],
            Planned,
        ),
        ("process.noNewPrivileges", json!(false), &[], Planned),
        ("process.oomScoreAdj", json!(100), &[], Planned),
        ("process.apparmorProfile", json!("profile"), &[], Refused),
        ("process.selinuxLabel", json!("label"), &[], Refused),
        ("process.scheduler", json!({"policy": "SCHED_BATCH"}), &[], Planned),
        (
            "process.scheduler.policy",
            json!("SCHED_ISO"),
            &[("process.scheduler", r#"{"policy": "SCHED_OTHER"}"#)],
            Refused,
        ),
        ("process.ioPriority", json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0}), &[], Planned),
        (
            "process.execCPUAffinity",
            json!({"initial": "0", "final": "1-2"}),
            &[],
            Read(|config| {
                let affinity = config.exec_cpu_affinity();
                let mask = |list: Option<IdList>| list.map(|list| list.mask());
                (mask(affinity.initial), mask(affinity.last)) == (Some(vec![1]), Some(vec![6]))
            }),
        ),
        ("hostname", json!("other"), &[], Planned),
        ("domainname", json!("other"), &[], Planned),
        ("annotations", json!({"a": "b"}), &[], Planned),
        ("linux.namespaces[1].path", json!("/proc/1/ns/net"), &[], Planned),
        ("linux.namespaces[5].type", json!("time"), &[], Planned),
        ("linux.uidMappings[0].hostID", json!(7), USER, Planned),
        ("linux.uidMappings[0].size", json!(7), USER, Planned),
        ("linux.gidMappings[0].hostID", json!(7), USER, Planned),
        ("linux.timeOffsets", json!({"boottime": {"secs": 5}}), TIME, Planned),
        ("linux.timeOffsets", json!({"monotonic": {"nanosecs": 5}}), TIME, Planned),
        ("linux.devices", json!([{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]), &[], Planned),
        ("linux.cgroupsPath", json!("/x"), &[], Read(|config| config.cgroups_path() == Some("/x"))),
        ("linux.rootfsPropagation", json!("private"), &[], Planned),
        ("linux.maskedPaths", list(&["/x"]), &[], Planned),
        ("linux.readonlyPaths", list(&["/x"]), &[], Planned),
        ("linux.sysctl", json!({"kernel.msgmax": "1"}), &[], Planned),
        ("linux.personality", json!({"domain": "LINUX32"}), &[], Planned),
        ("linux.mountLabel", json!("label"), &[], Refused),
        ("linux.seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}), &[], Planned),
        ("linux.intelRdt", json!({"closID": "x"}), &[], Refused), // the host of these tests has no resctrl,
        ("linux.memoryPolicy", json!({"mode": "MPOL_DEFAULT"}), &[], Planned),
        ("linux.netDevices", json!({"eth0": {}}), &[], Planned),
        (
            "linux.resources.devices",
            json!([{"allow": true, "type": "c", "major": 9, "minor": 9, "access": "r"}]),
            &[],
            Limited,
        ),
        ("linux.resources.memory.limit", json!(1), &[], Limited),
        ("linux.resources.memory.reservation", json!(1), &[], Limited),
        ("linux.resources.memory.swap", json!(1), &[], Limited),
        ("linux.resources.memory.kernel", json!(1), &[], Warned),
        ("linux.resources.memory.kernelTCP", json!(1), &[], Warned),
        ("linux.resources.memory.swappiness", json!(1), &[], Limited),
        ("linux.resources.memory.disableOOMKiller", json!(true), &[], Limited),
        ("linux.resources.memory.useHierarchy", json!(false), &[], Warned),
        ("linux.resources.memory.checkBeforeUpdate", json!(true), &[], Limited),
        ("linux.resources.cpu.shares", json!(1), &[], Limited),
        ("linux.resources.cpu.quota", json!(1), &[], Limited),
        ("linux.resources.cpu.burst", json!(1), &[], Limited),
        ("linux.resources.cpu.period", json!(1), &[], Limited),
        ("linux.resources.cpu.realtimeRuntime", json!(1), &[], Limited),
        ("linux.resources.cpu.realtimePeriod", json!(1), &[], Limited),
        ("linux.resources.cpu.cpus", json!("0"), &[], Limited),
        ("linux.resources.cpu.mems", json!("0"), &[], Limited),
        ("linux.resources.cpu.idle", json!(1), &[], Limited),
        ("linux.resources.pids.limit", json!(1), &[], Limited),
        ("linux.resources.blockIO.weight", json!(10), &[], Limited),
        ("linux.resources.blockIO.leafWeight", json!(10), &[], Limited),
        (
            "linux.resources.blockIO.weightDevice",
            json!([{"major": 8, "minor": 0, "weight": 10}]),
            &[],
            Limited,
        ),
        (
            "linux.resources.blockIO.throttleReadBpsDevice",
            json!([{"major": 8, "minor": 0, "rate": 1}]),
            &[],
            Limited,
        ),
        (
            "linux.resources.blockIO.throttleWriteBpsDevice",
            json!([{"major": 8, "minor": 0, "rate": 1}]),
            &[],
            Limited,
        ),
        (
            "linux.resources.blockIO.throttleReadIOPSDevice",
            json!([{"major": 8, "minor": 0, "rate": 1}]),
            &[],
            Limited,
        ),
        (
            "linux.resources.blockIO.throttleWriteIOPSDevice",
            json!([{"major": 8, "minor": 0, "rate": 1}]),
            &[],
            Limited,
        ),
        ("linux.resources.hugepageLimits", json!([{"pageSize": "2MB", "limit": 1}]), &[], Limited),
        ("linux.resources.network.classID", json!(1), &[], Limited),
        ("linux.resources.network.priorities", json!([{"name": "lo", "priority": 1}]), &[], Limited),
        ("linux.resources.rdma", json!({"mlx5_1": {"hcaHandles": 1}}), &[], Limited),
        ("linux.resources.unified", json!({"memory.high": "1"}), &[], Limited),
        ("process.user.uid", json!(7), TERMINAL, Planned),
    ]
}

#[test]
fn every_property_is_used_or_refused_or_said_to_have_no_effect() {
    for (path, value, needs, expected) in cases() {
        let needs: Vec<_> =
            needs.iter().map(|(path, text)| (*path, serde_json::from_str(text).unwrap())).collect();
        let before = changed(&needs);
        let mut after = before.clone();
        support::set(&mut after, path, value);
        let before = parse(&before).unwrap_or_else(|error| panic!("{path}: before: {error}"));
        let result = planned(&after);
        match expected {
            Refused => {
                let error = result.expect_err(path);
                assert!(error.unsupported, "{path}: {error}");
                let named = |issue: &caisson_plan::Issue| path.starts_with(&issue.path);
                assert!(error.issues.iter().all(named), "{path}: {error}");
            }
            Planned => {
                let plan = result.unwrap_or_else(|error| panic!("{path}: {error}"));
                let same =
                    caisson_plan::plan(&before, &support::options(), &support::host()).unwrap() == plan;
                assert!(!same, "{path} changes nothing");
            }
            Warned => {
                let warnings = result.unwrap_or_else(|error| panic!("{path}: {error}")).warnings;
                assert!(warnings.iter().any(|warning| warning.contains(path)), "{path}: {warnings:?}");
            }
            Limited => {
                let config = parse(&after).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert_ne!(config.resources(), before.resources(), "{path} changes nothing");
            }
            Read(is_read) => assert!(is_read(&parse(&after).unwrap()), "{path}"),
        }
    }
}

#[test]
fn every_kind_of_hook_and_every_property_of_one_is_used() {
    // prestart, createRuntime, poststart and poststop run outside and are read from the configuration.
    for list in caisson_plan::HOOKS.iter().copied() {
        let hook = json!({"path": "/bin/h", "args": ["h", "1"], "env": ["A=1"], "timeout": 3});
        let config = parse(&changed(&[("hooks", json!({ list: [hook] }))])).unwrap();
        let hooks = config.hooks(list);
        let [found] = hooks.as_slice() else { panic!("{list}") };
        assert_eq!((found.list.as_str(), found.index, found.path.as_str()), (list, 0, "/bin/h"));
        assert_eq!(found.args, ["h", "1"]);
        assert_eq!(found.env.as_deref(), Some(&["A=1".to_owned()][..]));
        assert_eq!(found.timeout, Some(3));
    }
    for list in ["createContainer", "startContainer"] {
        for (property, value) in
            [("path", json!("/x")), ("args", json!(["x"])), ("env", json!(["X=1"])), ("timeout", json!(9))]
        {
            let mut hook = json!({"path": "/bin/h"});
            let before = planned(&changed(&[("hooks", json!({ list: [hook.clone()] }))])).unwrap();
            hook[property] = value;
            let after = planned(&changed(&[("hooks", json!({ list: [hook] }))])).unwrap();
            assert_ne!(before, after, "hooks.{list}[0].{property}");
        }
    }
}

/// Sections of other platforms, unknown properties, and what belongs to exec alone.
#[test]
fn what_does_not_concern_us_is_ignored_as_the_specification_demands() {
    let before = planned(&default_config()).unwrap();
    for (path, value) in [
        ("windows", json!({"layerFolders": ["c:\\x"]})),
        ("solaris", json!({"milestone": "x"})),
        ("vm", json!({"kernel": {"path": "/x"}})),
        ("zos", json!({})),
        ("freebsd", json!({})),
        ("process.user.username", json!("containeradmin")),
        ("process.commandLine", json!("c:\\x.exe")),
        ("process.execCPUAffinity", json!({"initial": "0"})),
        ("org.example.unknown", json!({"x": 1})),
        ("linux.unknown", json!([1])),
        ("mounts[0].unknown", json!(true)),
    ] {
        assert_eq!(planned(&changed(&[(path, value)])).unwrap(), before, "{path}");
    }
}

#[test]
fn empty_values_ask_for_nothing() {
    let before = planned(&default_config()).unwrap();
    for (path, value) in [
        ("linux.seccomp", Value::Null),
        ("linux.netDevices", json!({})),
        ("linux.devices", json!([])),
        ("linux.sysctl", json!({})),
        ("linux.uidMappings", json!([])),
        ("linux.cgroupsPath", json!("")),
        ("linux.rootfsPropagation", json!("")),
        ("domainname", json!("")),
        ("hooks", json!({})),
        ("hooks", json!({"poststart": null})),
        ("annotations", Value::Null),
        ("process.apparmorProfile", json!("")),
        ("process.scheduler", Value::Null),
        ("process.execCPUAffinity", json!({"initial": "", "final": null})),
        ("linux.personality", Value::Null),
        ("process.user.additionalGids", json!([])),
    ] {
        assert_eq!(planned(&changed(&[(path, value)])).unwrap(), before, "{path}");
    }
}
