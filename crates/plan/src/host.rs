//! What the plan needs to know of the host and of the caller.

use caisson_flags::SeccompFlags;

#[derive(Debug, Clone, Default)]
pub struct Host {
    pub euid: u32,
    pub egid: u32,
    pub rights: Rights,
    pub cgroup: CgroupView,
    /// One bit per capability the kernel knows.
    pub kernel_capabilities: u64,
    /// Flags that seccomp(2) takes; `None`: there are no filters here.
    pub seccomp_flags: Option<SeccompFlags>,
    /// Active security modules: `apparmor`, `selinux`, ….
    pub security_modules: Vec<String>,
    /// `tasks` files of the container's groups; `None`: resctrl is not mounted, or not asked for.
    pub resctrl_tasks: Option<Vec<String>>,
}

/// What the caller may do; `caisson-rights` finds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// CAP_SYS_ADMIN of the initial user namespace.
    pub administers_host: bool,
    /// mknod(2) of devices.
    pub makes_devices: bool,
    /// Writes any id maps of a new user namespace without newuidmap(1).
    pub maps_ids: bool,
    /// The user namespace of the caller permits setgroups(2).
    pub sets_groups: bool,
    /// Writes the files of a process that is not dumpable.
    pub writes_root_files: bool,
}

impl Rights {
    /// Root of the host.
    pub const ALL: Self = Self {
        administers_host: true,
        makes_devices: true,
        maps_ids: true,
        sets_groups: true,
        writes_root_files: true,
    };
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CgroupMode {
    #[default]
    None,
    V1,
    Hybrid,
    V2,
}

#[derive(Debug, Clone, Default)]
pub struct CgroupView {
    pub mode: CgroupMode,
    pub hierarchies: Vec<HostHierarchy>,
    /// Files the helper writes `0` to.
    pub procs_files: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct HostHierarchy {
    /// `cpu,cpuacct`, `systemd`, `unified`.
    pub directory_name: String,
    /// Mount data; empty for version 2.
    pub data: String,
    pub unified: bool,
    /// The container's directory on the host; where it has none, the caller's own.
    pub directory: String,
}

/// What the caller of create chose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub id: String,
    /// Absolute.
    pub bundle: String,
    pub pivot: bool,
    pub new_keyring: bool,
    pub preserve_fds: u32,
    pub attached: bool,
    pub missing_security_module: MissingModule,
    /// System calls that the profile notifies are answered by the process that makes the container.
    pub answers_system_calls: bool,
    /// The root file system is an overlay, in place of `root.path`.
    pub overlay: Option<OverlayOptions>,
}

/// What becomes of a label whose security module is not active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingModule {
    #[default]
    Refuse,
    /// The container runs without it.
    Warn,
}

/// See [`Overlay`](crate::Overlay), which has the same fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverlayOptions {
    pub store: String,
    pub lower: Vec<String>,
    pub writable: Option<String>,
    pub tmpfs_size: Option<u64>,
    pub host_path: String,
    pub volatile: bool,
}
