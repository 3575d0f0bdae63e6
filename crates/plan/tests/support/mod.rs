//! runc's default configuration, a host to plan for, and ways to change the one for the other.
#![allow(dead_code)] // each test program uses a part

use caisson_plan::{
    CgroupMode, CgroupView, Config, Host, HostHierarchy, Options, Plan, Rights, SeccompFlags, SpecError, plan,
};
use serde_json::{Value, json};

pub fn default_config() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.3.0",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities, "effective": capabilities, "permitted": capabilities
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "caisson",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                {"type": "cgroup"}
            ],
            "maskedPaths": ["/proc/acpi", "/proc/kcore"],
            "readonlyPaths": ["/proc/bus", "/proc/sys"]
        }
    })
}

pub fn host() -> Host {
    let directory = "/sys/fs/cgroup/box".to_owned();
    Host {
        rights: Rights::ALL,
        kernel_capabilities: (1 << 41) - 1,
        seccomp_flags: Some(SeccompFlags::from_bits(0x3f)),
        cgroup: CgroupView {
            mode: CgroupMode::V2,
            hierarchies: vec![HostHierarchy {
                directory: directory.clone(),
                unified: true,
                ..Default::default()
            }],
            procs_files: vec![],
        },
        ..Host::default()
    }
}

pub fn hybrid() -> Host {
    let hierarchy = |name: &str, data: &str, unified: bool| HostHierarchy {
        directory_name: name.into(),
        data: data.into(),
        unified,
        directory: format!("/sys/fs/cgroup/{name}/box"),
    };
    let hierarchies = vec![
        hierarchy("cpu,cpuacct", "cpu,cpuacct", false),
        hierarchy("systemd", "none,name=systemd", false),
        hierarchy("unified", "", true),
    ];
    let procs_files = hierarchies.iter().map(|h| format!("{}/cgroup.procs", h.directory)).collect();
    Host { cgroup: CgroupView { mode: CgroupMode::Hybrid, hierarchies, procs_files }, ..host() }
}

pub fn options() -> Options {
    Options {
        id: "box".into(),
        bundle: "/bundle".into(),
        pivot: true,
        new_keyring: true,
        attached: true,
        ..Options::default()
    }
}

pub fn parse(config: &Value) -> Result<Config, SpecError> {
    Config::parse(config.to_string().as_bytes())
}

pub fn planned(config: &Value) -> Result<Plan, SpecError> {
    plan(&parse(config)?, &options(), &host())
}

/// Sets `process.user.uid` or `mounts[7].type`; what is missing on the way is made, also the next element of a list.
pub fn set(config: &mut Value, path: &str, value: Value) {
    let dotted = path.replace('[', ".").replace(']', "");
    let mut place = config;
    for part in dotted.split('.') {
        place = match (part.parse::<usize>(), place) {
            (Ok(index), Value::Array(list)) => {
                if index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            (_, place) => &mut place[part],
        };
    }
    *place = value;
}

/// The default with some paths set.
pub fn changed(changes: &[(&str, Value)]) -> Value {
    let mut config = default_config();
    for (path, value) in changes {
        set(&mut config, path, value.clone());
    }
    config
}
