//! Whole plans, written down: a change of what is done, or of its order, shows here. `UPDATE_GOLDEN=1 cargo test -p
//! caisson-plan` writes them anew.

mod support;

use std::path::PathBuf;

use caisson_plan::{Host, Plan, Rights, plan};
use serde_json::{Value, json};
use support::{changed, default_config, host, hybrid, options, parse};

fn check(name: &str, config: &Value, host: &Host) {
    let plan: Plan = plan(&parse(config).unwrap(), &options(), host).unwrap();
    let text = serde_json::to_string_pretty(&plan).unwrap() + "\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(text == golden, "{name} is planned otherwise than {} says:\n{text}", path.display());
}

#[test]
fn the_default_on_version_2() {
    check("default", &default_config(), &host());
}

#[test]
fn the_default_on_a_hybrid_host() {
    check("hybrid", &default_config(), &hybrid());
}

#[test]
fn an_ordinary_user() {
    let mapping = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    let config = changed(&[
        ("linux.namespaces[6]", json!({"type": "user"})),
        ("linux.uidMappings", mapping.clone()),
        ("linux.gidMappings", mapping),
        ("linux.resources", Value::Null),
        (
            "mounts[5]",
            json!({"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]}),
        ),
    ]);
    check(
        "rootless",
        &config,
        &Host { euid: 1000, egid: 1000, rights: Rights { sets_groups: true, ..Rights::default() }, ..host() },
    );
}

#[test]
fn everything_at_once() {
    let config = changed(&[
        ("linux.namespaces[0].path", json!("/proc/42/ns/pid")),
        ("linux.namespaces[6]", json!({"type": "time"})),
        ("linux.timeOffsets", json!({"boottime": {"secs": -5, "nanosecs": 7}})),
        (
            "linux.devices",
            json!([{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}]),
        ),
        ("linux.sysctl", json!({"net.ipv4.ip_forward": "1", "kernel.msgmax": "65536"})),
        ("linux.rootfsPropagation", json!("rshared")),
        ("linux.personality", json!({"domain": "LINUX32"})),
        (
            "linux.memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0-1, 4", "flags": ["MPOL_F_STATIC_NODES"]}),
        ),
        (
            "process.scheduler",
            json!({
                "policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"],
                "runtime": 10_000_000, "deadline": 30_000_000, "period": 30_000_000
            }),
        ),
        ("linux.netDevices", json!({"veth7": {"name": "eth%d"}, "eth1": {}})),
        ("process.ioPriority", json!({"class": "IOPRIO_CLASS_RT", "priority": 3})),
        ("process.execCPUAffinity", json!({"initial": "7"})),
        ("process.user", json!({"uid": 7, "gid": 8, "umask": 63, "additionalGids": [9, 10]})),
        ("process.terminal", json!(true)),
        ("process.consoleSize", json!({"height": 24, "width": 80})),
        ("process.oomScoreAdj", json!(500)),
        (
            "hooks",
            json!({
                "createRuntime": [{"path": "/h1"}],
                "createContainer": [{"path": "/h2", "args": ["h2"], "timeout": 2}],
                "startContainer": [{"path": "/h3", "env": ["A=1"]}]
            }),
        ),
        (
            "mounts[7]",
            json!({
                "destination": "/data", "source": "volume", "options": ["rbind", "rro", "rslave", "nosuid"]
            }),
        ),
        ("annotations", json!({"org.example": "x\"y"})),
    ]);
    check("everything", &config, &hybrid());
}

/// The filter reads as a program; the numbers of calls are those of this architecture.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_filter() {
    let config = changed(&[(
        "linux.seccomp",
        json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "listenerPath": "/run/agent.sock",
            "listenerMetadata": "a \"b\"",
            "syscalls": [
                {"names": ["execve", "exit_group", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
                {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
            ]
        }),
    )]);
    check("filter", &config, &host());
}
