//! Kernel flags as types, one table each, so that a plan and a system call use the same values. In JSON a set of flags
//! is a list of names, in the helper's protocol a number.
#![forbid(unsafe_code)]

mod mount;
mod namespace;
mod seccomp;
mod set;

pub use mount::{MountAttributes, MountFlags};
pub use namespace::{NamespaceKind, Namespaces};
pub use seccomp::SeccompFlags;
