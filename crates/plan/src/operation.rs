//! The plan as data. Everything here crosses from the addon to `caisson-init` in one memfd, encoded by postcard.
//!
//! Order of execution in the helper:
//! 1. [`Plan::early`] right after exec, still with the caller's ids: cgroup placement, cgroup namespace.
//! 2. namespaces joined by path, a second clone where one is needed, then (with a new user namespace) wait for the
//!    parent's [`Command::Proceed`](crate::protocol::Command), and switch to the mapped root.
//! 3. with [`Plan::waits_for_runtime_hooks`]: report `NamespacesReady`, wait for `Proceed`.
//! 4. [`Plan::setup`] one by one, up to the look-up of the program; a failure names its operation. Report `Created`.
//! 5. wait on the start socket, then [`Plan::start`] one by one: hooks, exec.
//!
//! Paths: `host` paths are in the runtime's mount namespace; `inside` paths are resolved below the container's root by
//! descriptor (`RESOLVE_IN_ROOT`), before and after pivot_root alike.

use caisson_flags::{
    IoPriorityClass, MemoryPolicy, MountAttributes, MountFlags, NamespaceKind, Namespaces, PersonalityDomain,
    Scheduler,
};
use serde::{Deserialize, Serialize};

use crate::filter::{Filter, Listener};

/// All that one container needs between clone and exec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub id: String,
    /// Created by the first clone: never cgroup and time, no pid when a pid namespace is joined.
    pub clone_flags: Namespaces,
    /// Namespaces joined by path, in the configuration's order.
    pub join: Vec<JoinNamespace>,
    /// Left for a second clone or unshare after joining; none when nothing is joined.
    pub clone_after_join: Namespaces,
    /// Mappings for a new user namespace; the parent writes them (or newuidmap does) before `Proceed`.
    pub user_namespace: Option<UserNamespace>,
    /// Mappings that a joined user namespace must have: the configuration repeats them.
    pub joined_mappings: Option<UserNamespace>,
    /// Offsets for a new time namespace; `Some` (possibly zero offsets) means "unshare NEWTIME".
    pub time_namespace: Option<TimeOffsets>,
    /// Moved by the runtime into the container's network namespace, before its hooks.
    pub net_devices: Vec<NetDevice>,
    /// Network devices, prestart or createRuntime hooks exist: stop after the namespaces are ready.
    pub waits_for_runtime_hooks: bool,
    pub early: Vec<Operation>,
    pub setup: Vec<Operation>,
    /// Empty: the configuration has no process; create succeeds, start fails.
    pub start: Vec<Operation>,
    /// Descriptors 3 … 3+n-1 stay open in the program (`--preserve-fds`).
    pub preserve_fds: u32,
    /// The OCI state object as JSON text without its closing brace and without `status` and `pid`; the helper
    /// completes it for hooks.
    pub state_prefix: String,
    /// Problems that do not stop the container (an unknown capability, an unsupported but harmless key).
    pub warnings: Vec<String>,
    /// Signal on the death of the spawning thread (attached containers): SIGKILL or nothing.
    pub kill_on_parent_death: bool,
}

impl Plan {
    /// What an agent gets beside the listener of a filter, JSON. `pid`: of the first process, as the caller sees it.
    /// COMPAT(runc): the status is `creating`, up to the first system call that is filtered.
    pub fn container_process_state(&self, listener: &Listener, pid: i32) -> String {
        format!("{},\"pid\":{pid},\"state\":{}}}", listener.message_prefix, self.state("creating", pid))
    }

    /// The OCI state for hooks that run in the container's namespaces, JSON.
    pub fn state(&self, status: &str, pid: i32) -> String {
        let separator = if self.state_prefix.trim_end().ends_with('{') { "" } else { "," };
        format!("{}{separator}\"status\":\"{status}\",\"pid\":{pid}}}", self.state_prefix)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinNamespace {
    pub kind: NamespaceKind,
    /// Host path, e.g. `/proc/123/ns/net`; its type is verified with NS_GET_NSTYPE.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNamespace {
    pub uid_mappings: Vec<IdMapping>,
    pub gid_mappings: Vec<IdMapping>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMapping {
    pub container_id: u32,
    pub host_id: u32,
    pub size: u32,
}

/// A device of the runtime's network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetDevice {
    /// Its name there.
    pub outside: String,
    /// Its name in the container: also a template such as `eth%d`, of which the kernel makes a free one.
    pub inside: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TimeOffsets {
    /// Seconds and nanoseconds; `None` leaves the clock alone.
    pub monotonic: Option<(i64, u32)>,
    pub boottime: Option<(i64, u32)>,
}

/// One step. Each variant is one idea that a kernel developer would recognise; the helper adds no policy of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Write `0` to this `cgroup.procs` (v1 and hybrid; on v2 CLONE_INTO_CGROUP did it).
    JoinCgroup {
        host_procs_file: String,
    },
    /// `sched_setaffinity` to every CPU that the cgroup allows: the caller's own affinity is not the container's.
    ResetCpuAffinity,
    /// Write `0`, which is the writer, to `tasks` of a resctrl group.
    JoinResctrl {
        host_tasks_file: String,
    },
    /// `unshare(CLONE_NEWCGROUP)`, after placement.
    UnshareCgroup,
    /// SELinux label of keys and keyrings made from here on; empty: the default one.
    KeyLabel(String),
    /// `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`: a new one, without a name.
    NewSessionKeyring,
    /// Bring `lo` up.
    LoopbackUp,
    /// Recursively change the propagation of `/` in the new mount namespace (MS_SLAVE or MS_PRIVATE as the plan says).
    Propagation {
        flags: MountFlags,
    },
    /// SELinux context of file systems made from here on, but of those that the kernel labels itself.
    MountLabel(String),
    /// Open the root file system, bind it onto itself, keep its descriptor for every later `inside` path.
    /// SECURITY: a symlink in the last component is refused.
    OpenRoot {
        host_path: String,
    },
    /// Mount layers with a writable one on top; its root is the container's. Takes the place of `OpenRoot`.
    MountOverlay(Overlay),
    /// Any mount of config.json but cgroup.
    Mount(Mount),
    /// cgroup v1 view: a tmpfs with one mount (or bind, without cgroup namespace) per hierarchy and links for merged
    /// controllers.
    MountCgroupV1 {
        index: u32,
        inside: String,
        flags: MountFlags,
        hierarchies: Vec<CgroupHierarchy>,
        cgroup_namespace: bool,
        /// Source path relabelled as the peers do.
        readonly: bool,
    },
    /// cgroup v2 view; falls back to a bind of `host_bind` on EPERM or EBUSY.
    MountCgroupV2 {
        index: u32,
        inside: String,
        flags: MountFlags,
        host_bind: String,
    },
    /// mknod with fd verification, or a bind where a user namespace forbids mknod.
    Device(Device),
    /// A link in `/dev` (`fd`, `stdin`, `core`, …).
    Symlink {
        inside: String,
        target: String,
        /// What the image put there goes.
        replace: bool,
    },
    /// createContainer hooks, in the container's namespaces, before pivot_root; paths in the runtime's mount namespace.
    CreateContainerHooks {
        hooks: Vec<Hook>,
    },
    /// `pivot_root(".", ".")` and lazy unmount of the old root, or MS_MOVE + chroot without pivot.
    PivotRoot {
        pivot: bool,
    },
    /// `linux.rootfsPropagation` on the new `/`.
    RootPropagation {
        flags: MountFlags,
    },
    /// Remount a mount point read-only, keeping its other flags (`/` for `root.readonly`).
    RemountReadonly {
        inside: String,
    },
    Hostname(String),
    Domainname(String),
    /// `key` with slashes, below /proc/sys, through the private procfs.
    Sysctl {
        key: String,
        value: String,
    },
    ReadonlyPath {
        inside: String,
    },
    MaskPath {
        inside: String,
    },
    /// Set before the user switch; `soft` and `hard` use u64::MAX for RLIM_INFINITY. `resource` is the RLIMIT_* number.
    Rlimit {
        resource: u32,
        name: String,
        soft: u64,
        hard: u64,
    },
    /// Through the private procfs, only when the configuration sets it.
    OomScoreAdj(i32),
    /// `sched_setattr(2)`, once the cgroup, which may forbid it, is joined.
    Scheduler(Scheduler),
    /// `ioprio_set(2)`; 0 is first, 7 last.
    IoPriority {
        class: IoPriorityClass,
        priority: u32,
    },
    /// `personality(2)`.
    Personality(PersonalityDomain),
    /// `set_mempolicy(2)`.
    MemoryPolicy(MemoryPolicy),
    /// AppArmor profile of what is executed from here on.
    AppArmorProfile(String),
    /// SELinux label of what is executed from here on.
    ExecLabel(String),
    /// Of hooks from here on, and of the program.
    Umask(u32),
    NoNewPrivileges,
    /// A pty in the container's devpts; its master goes out with the `Console` report.
    Console(Terminal),
    /// COMPAT(runc): a working directory that the image lacks is made.
    MakeWorkingDirectory {
        inside: String,
    },
    /// Mounts that were written to until now become read-only.
    SealMounts,
    /// `setsid(2)`.
    NewSession,
    /// Standard streams: the console's slave as the controlling terminal, or the given ones, handed over to the user.
    Streams {
        uid: u32,
    },
    /// HOME is not set: it comes from the container's /etc/passwd.
    Home {
        uid: u32,
    },
    /// Entered twice: as root, where a directory that only the user may enter is left for later, and as the user,
    /// where it must be entered and lie in the root.
    EnterDirectory {
        inside: String,
        last: bool,
    },
    /// Capability mask (bit n = CAP number n): everything else leaves the bounding set.
    BoundingSet(u64),
    /// `setgroups(2)`, `setresgid(2)`, `setresuid(2)`; capabilities stay.
    User(User),
    /// The four other sets.
    Capabilities(Capabilities),
    /// SECURITY: nothing but streams, preserved descriptors and our sockets is open from here on. What comes next is
    /// looked up in the image by the kernel itself.
    CloseDescriptors,
    /// Which file `args[0]` is, as execvp(3) looks it up.
    FindProgram {
        name: String,
        /// PATH; `None`: not set.
        path: Option<String>,
    },
    /// In the container, with the program's environment where they have none of their own. Not filtered.
    StartContainerHooks {
        hooks: Vec<Hook>,
    },
    /// `execve(2)` of the program that was found.
    Exec(Program),
}

impl Plan {
    /// Whether the first process may need what only the caller may reach or make: a
    /// [`HostRequest`](crate::protocol::HostRequest).
    pub fn asks(&self) -> bool {
        self.user_namespace.is_some()
            || self.join.iter().any(|join| join.kind == NamespaceKind::User)
            || self.setup.iter().any(|operation| match operation {
                Operation::Mount(mount) => mount.id_map.is_some(),
                _ => false,
            })
    }

    /// Whether what it mounts stays in the caller's mount namespace: the container has none of its own.
    pub fn mounts_outlive_it(&self) -> bool {
        let joined = self.join.iter().any(|join| join.kind == NamespaceKind::Mount);
        let own = joined || (self.clone_flags | self.clone_after_join).contains(Namespaces::MOUNT);
        !own && self.setup.iter().any(|operation| {
            matches!(
                operation,
                Operation::Mount(_) | Operation::MountCgroupV1 { .. } | Operation::MountCgroupV2 { .. }
            )
        })
    }

    /// The program that the container becomes.
    pub fn program(&self) -> Option<&Program> {
        self.start.iter().find_map(|operation| match operation {
            Operation::Exec(program) => Some(program),
            _ => None,
        })
    }

    /// Set where system calls of the program are notified.
    pub fn listener(&self) -> Option<&Listener> {
        self.program()?.filter.as_ref()?.listener.as_ref()
    }
}

/// The root file system of an image: its layers, and what the container writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Host directory that holds all the others; opened with the caller's ids.
    pub store: String,
    /// Directories of layers below `store`, the top one first.
    pub lower: Vec<String>,
    /// Directory below `store` for `upper` and `work`; `None`: a tmpfs.
    pub writable: Option<String>,
    /// Bytes that the tmpfs may hold; `None`: half of the memory, the kernel's default.
    pub tmpfs_size: Option<u64>,
    /// Host directory that is mounted on, in the container's mount namespace only.
    pub host_path: String,
    /// Nothing is written through to the disk for the sake of a crash.
    pub volatile: bool,
    /// Overlay's own attributes are `user.overlay.*`: in a user namespace the others cannot be set.
    pub user_xattr: bool,
    /// The owners of `store` are mapped into the container's user namespace.
    pub idmapped: bool,
}

/// A mount of config.json with its options decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Index in `mounts`, for error messages (`mounts[3]`).
    pub index: u32,
    pub inside: String,
    /// File system type; empty for binds.
    pub fstype: String,
    /// Source as given; for binds an absolute host path.
    pub source: String,
    /// `None`: not a bind. `Some(true)`: rbind.
    pub bind: Option<bool>,
    /// To set; without BIND, REC and propagation.
    pub flags: MountFlags,
    /// Flags the options asked to clear (`rw`, `suid`, `dev`, `exec`, …): a locked one is an error then.
    pub cleared: MountFlags,
    /// To set recursively (`rro`, `rnosuid`, …) and to clear.
    pub recursive_set: MountAttributes,
    pub recursive_clear: MountAttributes,
    /// Propagation changes in order: PRIVATE, SLAVE, SHARED, UNBINDABLE, with REC where recursive.
    pub propagation: Vec<MountFlags>,
    /// Comma-separated data for the file system.
    pub data: String,
    /// Copy what the image has at the mount point into the new tmpfs.
    pub tmpcopyup: bool,
    /// Of a bind: how the owners of its files are mapped.
    pub id_map: Option<IdMap>,
    /// Of a bind: a link that is the source is made again instead of being followed.
    pub copy_symlink: bool,
    /// Of a bind: a link in the last component of the source, or of `inside`, is meant itself.
    pub source_nofollow: bool,
    pub destination_nofollow: bool,
    /// Host path that is bound instead, with all below read-only, where the kernel refuses a new file system (EPERM).
    pub host_bind: Option<String>,
}

/// How the owners of an id-mapped mount are mapped: `MOUNT_ATTR_IDMAP` of mount_setattr(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// From ids on disk to ids outside; `None`: as the container's user namespace maps its own.
    pub mappings: Option<UserNamespace>,
    /// With the mounts below: all of them, or none.
    pub recursive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupHierarchy {
    /// Directory name below the mount point, e.g. `cpu,cpuacct` or `systemd`.
    pub directory: String,
    /// Mount data, e.g. `cpu,cpuacct` or `none,name=systemd`.
    pub data: String,
    /// The container's own cgroup directory on the host, bound where there is no cgroup namespace.
    pub host_directory: String,
    /// Extra names linked to `directory` (`cpu`, `cpuacct`).
    pub links: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    Char,
    Block,
    Fifo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub inside: String,
    pub kind: DeviceKind,
    pub major: u32,
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub origin: DeviceOrigin,
}

/// Where a device node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceOrigin {
    /// mknod(2).
    New,
    /// The host's node of the same path, bound: a user namespace forbids mknod.
    Host,
    /// A node that the caller makes, bound; the host's where the caller may not.
    Caller,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Name of its list and its index, for messages: `createContainer`, 0.
    pub list: String,
    pub index: u32,
    pub path: String,
    pub args: Vec<String>,
    /// `None`: what the place where it runs gives to hooks without one.
    pub env: Option<Vec<String>>,
    /// Seconds; `None` = no limit.
    pub timeout: Option<u32>,
}

/// What execve(2) is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub args: Vec<String>,
    pub env: Vec<String>,
    /// Takes force right before.
    pub filter: Option<Filter>,
}

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// `false`: setgroups is denied in this user namespace, and is not called.
    pub setgroups: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
    /// Permitted and effective beyond the configured ones until execve(2), which recomputes both sets. Left out where
    /// the process has no_new_privs.
    pub until_exec: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Columns and rows; `None` leaves the kernel's default.
    pub size: Option<(u16, u16)>,
    /// Bind the pty on /dev/console (whenever there is a /dev of the container's own).
    pub console: bool,
}
