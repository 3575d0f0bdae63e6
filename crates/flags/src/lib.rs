//! Kernel flags as types, one table each, so that a plan and a system call use the same values. In JSON a set of flags
//! is a list of names, in the helper's protocol a number.
#![forbid(unsafe_code)]

mod enumeration;
mod id_list;
mod memory_policy;
mod mount;
mod named;
mod namespace;
mod scheduling;
mod seccomp;
mod set;

pub use id_list::{IdList, InvalidIdList, LAST_ID};
pub use memory_policy::{MemoryPolicy, MemoryPolicyFlags, MemoryPolicyMode};
pub use mount::{MountAttributes, MountFlags};
pub use named::Named;
pub use namespace::{NamespaceKind, Namespaces};
pub use scheduling::{IoPriorityClass, PersonalityDomain, Scheduler, SchedulerFlags, SchedulerPolicy};
pub use seccomp::SeccompFlags;
