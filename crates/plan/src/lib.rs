//! config.json → an ordered list of plain operations. No input or output, no system calls: what is decided here can be
//! printed (`caisson plan`), asserted on without privilege, and cached. `caisson-init` executes the list as it stands.
#![forbid(unsafe_code)]

mod capabilities;
mod cgroups_path;
mod compose;
mod config;
mod devices;
mod disassembly;
pub mod document;
mod exec_affinity;
mod exec_problem;
mod features;
mod filter;
mod host;
mod id_map;
mod intel_rdt;
mod issue;
mod json;
mod labels;
mod memory_policy;
mod mount_options;
mod mounts;
mod named;
mod namespaces;
mod net_devices;
mod object;
mod operation;
mod personality;
mod process;
pub mod protocol;
mod resources;
mod rlimits;
mod scheduling;
mod seccomp;
mod sysctl;
mod unsupported;
mod validate;

pub use caisson_flags::{
    IdList, IoPriorityClass, MemoryPolicy, MountAttributes, MountFlags, NamespaceKind, Namespaces,
    PersonalityDomain, Scheduler, SeccompFlags,
};
pub use capabilities::show as show_capabilities;
pub use compose::plan;
pub use config::Config;
pub use document::HOOKS;
pub use exec_affinity::ExecCpuAffinity;
pub use exec_problem::exec_problem;
pub use features::features;
pub use filter::{Filter, Instructions, Listener};
pub use host::{CgroupMode, CgroupView, Host, HostHierarchy, MissingModule, Options, OverlayOptions, Rights};
pub use issue::{Issue, SpecError};
pub use mount_options::names as mount_option_names;
pub use mounts::destination as mount_destination;
pub use operation::*;
pub use sysctl::namespace_of as namespace_of_sysctl;
