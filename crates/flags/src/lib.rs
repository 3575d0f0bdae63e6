//! Flags of the kernel as types, in one table each: what a plan says and what a system call gets are the same values.
//! In JSON a set of flags is the list of its names, in the protocol of the helper its number.
#![forbid(unsafe_code)]

mod mount;
mod namespace;
mod set;

pub use mount::{MountAttributes, MountFlags};
pub use namespace::Namespaces;
