//! Plans by hand: what runc's default configuration asks for.

use caisson_flags::{MountAttributes, MountFlags, Namespaces};
use caisson_plan::{
    Capabilities, Device, DeviceKind, DeviceOrigin, Hook, Mount, Operation, Plan, Program, Terminal, User,
};

use super::Bundle;

pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE.
pub const DEFAULT_CAPABILITIES: u64 = 1 << 29 | 1 << 5 | 1 << 10;

pub fn filesystem(inside: &str, fstype: &str, flags: MountFlags, data: &str) -> Mount {
    Mount {
        index: 0,
        inside: inside.to_owned(),
        fstype: fstype.to_owned(),
        source: fstype.to_owned(),
        bind: None,
        flags,
        cleared: MountFlags::empty(),
        recursive_set: MountAttributes::empty(),
        recursive_clear: MountAttributes::empty(),
        propagation: vec![],
        data: data.to_owned(),
        tmpcopyup: false,
        id_map: None,
        copy_symlink: false,
        source_nofollow: false,
        destination_nofollow: false,
        host_bind: None,
    }
}

pub fn bind(source: &str, inside: &str, flags: MountFlags) -> Mount {
    Mount { source: source.to_owned(), bind: Some(true), ..filesystem(inside, "", flags, "") }
}

pub fn default_mounts() -> Vec<Mount> {
    let strict = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    let mut mounts = vec![
        filesystem("/proc", "proc", MountFlags::empty(), ""),
        filesystem("/dev", "tmpfs", MountFlags::NOSUID | MountFlags::STRICTATIME, "mode=755,size=65536k"),
        filesystem(
            "/dev/pts",
            "devpts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            "newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        filesystem("/dev/shm", "tmpfs", strict, "mode=1777,size=65536k"),
        filesystem("/dev/mqueue", "mqueue", strict, ""),
        filesystem("/sys", "sysfs", strict | MountFlags::RDONLY, ""),
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
        origin: DeviceOrigin::New,
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
    let links = links.map(|(inside, target)| Operation::Symlink {
        inside: inside.to_owned(),
        target: target.to_owned(),
        replace: true,
    });
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

/// The program and who runs it, of which a plan has operations.
pub struct Process {
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    pub setgroups: bool,
    pub capabilities: Capabilities,
    pub terminal: Option<Terminal>,
    pub home_from_passwd: bool,
    pub preserve_fds: u32,
}

impl Process {
    fn below_root(&self) -> Vec<Operation> {
        let directory = Operation::MakeWorkingDirectory { inside: self.cwd.clone() };
        self.terminal.map(Operation::Console).into_iter().chain([directory, Operation::SealMounts]).collect()
    }

    fn become_user(&self) -> Vec<Operation> {
        let Self { uid, gid, setgroups, .. } = *self;
        let additional_gids = self.additional_gids.clone();
        let enter = |last| Operation::EnterDirectory { inside: self.cwd.clone(), last };
        let mut operations = vec![Operation::NewSession, Operation::Streams { uid }];
        operations.extend(self.home_from_passwd.then_some(Operation::Home { uid }));
        operations.extend([
            enter(false),
            Operation::BoundingSet(self.capabilities.bounding),
            Operation::User(User { uid, gid, additional_gids, setgroups }),
            Operation::Capabilities(self.capabilities),
            enter(true),
            Operation::CloseDescriptors,
            Operation::FindProgram { name: String::new(), path: None },
        ]);
        operations
    }
}

/// Another program for a plan.
pub fn set_program(plan: &mut Plan, args: &[String], env: &[String]) {
    for operation in plan.setup.iter_mut().chain(&mut plan.start) {
        match operation {
            Operation::FindProgram { name, path } => {
                args.first().map(String::as_str).unwrap_or_default().clone_into(name);
                *path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).map(str::to_owned);
            }
            Operation::Exec(program) => {
                (program.args, program.env) = (args.to_vec(), env.to_vec());
            }
            _ => {}
        }
    }
}

/// The same with other arguments.
pub fn set_args(plan: &mut Plan, args: &[&str]) {
    let env = plan.program().unwrap().env.clone();
    set_program(plan, &args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), &env);
}

pub fn set_start_hooks(plan: &mut Plan, hooks: Vec<Hook>) {
    plan.start.insert(0, Operation::StartContainerHooks { hooks });
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
            until_exec: 0,
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
            Operation::Propagation { flags: MountFlags::SLAVE | MountFlags::REC },
            Operation::OpenRoot { host_path: bundle.root_text() },
        ];
        setup.extend(self.mounts.into_iter().map(Operation::Mount));
        setup.extend(self.before_pivot);
        setup.push(Operation::PivotRoot { pivot: self.pivot });
        let process = self.process.as_ref();
        setup.extend(process.map_or_else(|| vec![Operation::SealMounts], Process::below_root));
        setup.extend(self.after_pivot);
        setup.extend(process.map_or_else(|| vec![Operation::CloseDescriptors], Process::become_user));
        let program = process.map(|process| (process.args.clone(), process.env.clone()));
        let exec = program.clone().map(|(args, env)| Operation::Exec(Program { args, env, filter: None }));
        let mut plan = Plan {
            id: "test".to_owned(),
            clone_flags: Namespaces::MOUNT
                | Namespaces::PID
                | Namespaces::NETWORK
                | Namespaces::IPC
                | Namespaces::UTS,
            join: vec![],
            clone_after_join: Namespaces::empty(),
            user_namespace: None,
            joined_mappings: None,
            time_namespace: None,
            net_devices: vec![],
            waits_for_runtime_hooks: false,
            early: vec![],
            setup,
            start: exec.into_iter().collect(),
            preserve_fds: process.map_or(0, |process| process.preserve_fds),
            state_prefix: r#"{"ociVersion":"1.3.0","id":"test","bundle":"/b""#.to_owned(),
            warnings: vec![],
            kill_on_parent_death: false,
        };
        if let Some((args, env)) = program {
            set_program(&mut plan, &args, &env);
        }
        plan
    }
}

/// What runc's default configuration asks for, with these arguments.
pub fn default_plan(bundle: &Bundle, args: &[&str]) -> Plan {
    Parts::new(args).plan(bundle)
}
