//! config.json as far as it is executed here. Names are the specification's; unknown properties are ignored, as it
//! demands.

use std::collections::BTreeMap;

use caisson_seccomp::Profile;
use oci_spec::runtime::LinuxResources;
use serde::Deserialize;

use crate::object::Object;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    pub oci_version: String,
    pub root: Option<Root>,
    pub mounts: Option<Vec<Mount>>,
    pub process: Option<Process>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub hooks: Option<Hooks>,
    pub annotations: Option<BTreeMap<String, String>>,
    pub linux: Option<Linux>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Root {
    pub path: String,
    pub readonly: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    pub destination: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub source: Option<String>,
    pub options: Option<Vec<String>>,
    pub uid_mappings: Option<Vec<IdMapping>>,
    pub gid_mappings: Option<Vec<IdMapping>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    pub terminal: Option<bool>,
    pub console_size: Option<ConsoleSize>,
    pub user: Option<User>,
    pub args: Option<Vec<String>>,
    pub env: Option<Vec<String>>,
    pub cwd: String,
    pub capabilities: Option<Capabilities>,
    pub rlimits: Option<Vec<Rlimit>>,
    pub no_new_privileges: Option<bool>,
    pub apparmor_profile: Option<String>,
    pub selinux_label: Option<String>,
    pub oom_score_adj: Option<i32>,
    pub io_priority: Option<Object<IoPriority>>,
    pub scheduler: Option<Object<Scheduler>>,
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<Object<ExecCpuAffinity>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Scheduler {
    pub policy: Option<String>,
    pub nice: Option<i32>,
    pub priority: Option<i32>,
    pub flags: Option<Vec<String>>,
    pub runtime: Option<u64>,
    pub deadline: Option<u64>,
    pub period: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct IoPriority {
    pub class: Option<String>,
    pub priority: Option<i32>,
}

/// CPUs in list format.
#[derive(Debug, Clone, Deserialize)]
pub struct ExecCpuAffinity {
    pub initial: Option<String>,
    #[serde(rename = "final")]
    pub last: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ConsoleSize {
    #[serde(default)]
    pub height: u64,
    #[serde(default)]
    pub width: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    pub umask: Option<u32>,
    pub additional_gids: Option<Vec<u32>>,
}

/// Names as text: one that this build does not know is a warning, not an error.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Capabilities {
    pub bounding: Option<Vec<String>>,
    pub effective: Option<Vec<String>>,
    pub inheritable: Option<Vec<String>>,
    pub permitted: Option<Vec<String>>,
    pub ambient: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Rlimit {
    #[serde(rename = "type")]
    pub kind: String,
    pub soft: u64,
    pub hard: u64,
}

/// Declares the lists of `hooks` in the order in which they run: a member, its name in config.json.
macro_rules! hooks {
    ($($member:ident $name:literal)*) => {
        /// Other lists are ignored, as all unknown properties are.
        #[derive(Debug, Clone, Deserialize)]
        pub struct Hooks {
            $(#[serde(rename = $name)] pub $member: Option<Vec<Hook>>,)*
        }

        /// The lists of `hooks`, in the order in which they run.
        pub const HOOKS: &[&str] = &[$($name),*];

        impl Hooks {
            /// One list by its name; an unknown one is empty.
            pub fn list(&self, name: &str) -> &[Hook] {
                let list = match name {
                    $($name => &self.$member,)*
                    _ => &None,
                };
                list.as_deref().unwrap_or_default()
            }
        }
    };
}

hooks! {
    prestart "prestart"
    create_runtime "createRuntime"
    create_container "createContainer"
    start_container "startContainer"
    poststart "poststart"
    poststop "poststop"
}

#[derive(Debug, Clone, Deserialize)]
pub struct Hook {
    pub path: String,
    pub args: Option<Vec<String>>,
    pub env: Option<Vec<String>>,
    pub timeout: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Linux {
    pub namespaces: Option<Vec<Namespace>>,
    pub uid_mappings: Option<Vec<IdMapping>>,
    pub gid_mappings: Option<Vec<IdMapping>>,
    pub time_offsets: Option<BTreeMap<String, TimeOffset>>,
    pub devices: Option<Vec<Device>>,
    pub cgroups_path: Option<String>,
    pub resources: Option<LinuxResources>,
    pub rootfs_propagation: Option<String>,
    pub masked_paths: Option<Vec<String>>,
    pub readonly_paths: Option<Vec<String>>,
    pub mount_label: Option<String>,
    pub sysctl: Option<BTreeMap<String, String>>,
    pub personality: Option<Object<Personality>>,
    pub seccomp: Option<Profile>,
    pub intel_rdt: Option<Object<IntelRdt>>,
    pub memory_policy: Option<Object<MemoryPolicy>>,
    pub net_devices: Option<BTreeMap<String, Object<NetDevice>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IntelRdt {
    #[serde(rename = "closID")]
    pub clos_id: Option<String>,
    pub l3_cache_schema: Option<String>,
    pub mem_bw_schema: Option<String>,
    pub schemata: Option<Vec<String>>,
    pub enable_monitoring: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct NetDevice {
    pub name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Namespace {
    #[serde(rename = "type")]
    pub kind: String,
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    #[serde(rename = "containerID")]
    pub container_id: u32,
    #[serde(rename = "hostID")]
    pub host_id: u32,
    pub size: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct TimeOffset {
    pub secs: Option<i64>,
    pub nanosecs: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    #[serde(rename = "type")]
    pub kind: String,
    pub path: String,
    pub major: Option<i64>,
    pub minor: Option<i64>,
    pub file_mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Personality {
    pub domain: Option<String>,
    pub flags: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct MemoryPolicy {
    pub mode: Option<String>,
    /// In list format.
    pub nodes: Option<String>,
    pub flags: Option<Vec<String>>,
}
