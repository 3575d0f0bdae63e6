//! Plans by hand: what runc's default configuration asks for.

use caisson_plan::{Capabilities, Device, DeviceKind, Mount, Operation, Plan, Process};
use caisson_sys::mount::flag;
use caisson_sys::namespace::{NEW_IPC, NEW_MOUNT, NEW_NETWORK, NEW_PID, NEW_UTS};

use super::Bundle;

pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE.
pub const DEFAULT_CAPABILITIES: u64 = 1 << 29 | 1 << 5 | 1 << 10;

pub fn filesystem(inside: &str, fstype: &str, flags: u64, data: &str) -> Mount {
    Mount {
        index: 0,
        inside: inside.to_owned(),
        fstype: fstype.to_owned(),
        source: fstype.to_owned(),
        bind: None,
        flags,
        cleared: 0,
        recursive_set: 0,
        recursive_clear: 0,
        propagation: vec![],
        data: data.to_owned(),
        tmpcopyup: false,
    }
}

pub fn bind(source: &str, inside: &str, flags: u64) -> Mount {
    Mount { source: source.to_owned(), bind: Some(true), ..filesystem(inside, "", flags, "") }
}

pub fn default_mounts() -> Vec<Mount> {
    let strict = flag::NOSUID | flag::NOEXEC | flag::NODEV;
    let mut mounts = vec![
        filesystem("/proc", "proc", 0, ""),
        filesystem("/dev", "tmpfs", flag::NOSUID | flag::STRICTATIME, "mode=755,size=65536k"),
        filesystem(
            "/dev/pts",
            "devpts",
            flag::NOSUID | flag::NOEXEC,
            "newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        filesystem("/dev/shm", "tmpfs", strict, "mode=1777,size=65536k"),
        filesystem("/dev/mqueue", "mqueue", strict, ""),
        filesystem("/sys", "sysfs", strict | flag::RDONLY, ""),
    ];
    for (index, mount) in (0..).zip(&mut mounts) {
        mount.index = index;
    }
    mounts
}

pub fn device(inside: &str, major: u32, minor: u32) -> Device {
    Device {
        inside: inside.to_owned(),
        kind: DeviceKind::Char,
        major,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
        bind: false,
    }
}

pub fn devices() -> Vec<Operation> {
    let nodes =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    let links = [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
        ("/dev/core", "/proc/kcore"),
        ("/dev/ptmx", "pts/ptmx"),
    ];
    let nodes =
        nodes.map(|(name, major, minor)| Operation::Device(device(&format!("/dev/{name}"), major, minor)));
    let links = links
        .map(|(inside, target)| Operation::Symlink { inside: inside.to_owned(), target: target.to_owned() });
    nodes.into_iter().chain(links).collect()
}

pub fn masks() -> Vec<Operation> {
    let masked = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/sys/firmware",
        "/proc/scsi",
    ];
    let readonly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
    let readonly = readonly.map(|inside| Operation::ReadonlyPath { inside: inside.to_owned() });
    readonly
        .into_iter()
        .chain(masked.map(|inside| Operation::MaskPath { inside: inside.to_owned() }))
        .collect()
}

pub fn process(args: &[&str]) -> Process {
    Process {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![PATH.to_owned(), "TERM=xterm".to_owned()],
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        additional_gids: vec![],
        setgroups: true,
        capabilities: Capabilities {
            bounding: DEFAULT_CAPABILITIES,
            effective: DEFAULT_CAPABILITIES,
            inheritable: 0,
            permitted: DEFAULT_CAPABILITIES,
            ambient: 0,
        },
        terminal: None,
        home_from_passwd: true,
        preserve_fds: 0,
    }
}

/// The parts of a plan, to be changed before they are put together.
pub struct Parts {
    pub mounts: Vec<Mount>,
    pub before_pivot: Vec<Operation>,
    pub pivot: bool,
    pub after_pivot: Vec<Operation>,
    pub process: Option<Process>,
}

impl Parts {
    pub fn new(args: &[&str]) -> Self {
        let mut after_pivot = vec![
            Operation::RemountReadonly { inside: "/".to_owned() },
            Operation::Hostname("runc".to_owned()),
        ];
        after_pivot.extend(masks());
        after_pivot.extend([
            Operation::Rlimit { resource: 7, name: "RLIMIT_NOFILE".to_owned(), soft: 1024, hard: 1024 },
            Operation::Umask(0o022),
            Operation::NoNewPrivileges,
        ]);
        Self {
            mounts: default_mounts(),
            before_pivot: devices(),
            pivot: true,
            after_pivot,
            process: Some(process(args)),
        }
    }

    pub fn plan(self, bundle: &Bundle) -> Plan {
        let mut setup = vec![
            Operation::NewSessionKeyring,
            Operation::LoopbackUp,
            Operation::Propagation { flags: flag::SLAVE | flag::REC },
            Operation::OpenRoot { host_path: bundle.root_text() },
        ];
        setup.extend(self.mounts.into_iter().map(Operation::Mount));
        setup.extend(self.before_pivot);
        setup.push(Operation::PivotRoot { pivot: self.pivot });
        setup.extend(self.after_pivot);
        Plan {
            id: "test".to_owned(),
            clone_flags: NEW_MOUNT | NEW_PID | NEW_NETWORK | NEW_IPC | NEW_UTS,
            join: vec![],
            clone_after_join: 0,
            user_namespace: None,
            joined_mappings: None,
            time_namespace: None,
            waits_for_runtime_hooks: false,
            early: vec![],
            setup,
            process: self.process,
            state_prefix: r#"{"ociVersion":"1.3.0","id":"test","bundle":"/b""#.to_owned(),
            start_container_hooks: vec![],
            warnings: vec![],
            kill_on_parent_death: false,
        }
    }
}

/// What runc's default configuration asks for, with these arguments.
pub fn default_plan(bundle: &Bundle, args: &[&str]) -> Plan {
    Parts::new(args).plan(bundle)
}
