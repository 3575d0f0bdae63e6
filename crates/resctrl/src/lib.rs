//! The resctrl file system, which the specification calls Intel RDT: classes of service for caches and memory
//! bandwidth, and groups that are monitored.
//! (config-linux.md, "IntelRdt"; Linux, Documentation/filesystems/resctrl.rst)
#![forbid(unsafe_code)]

mod error;
mod group;
mod mount;
mod schemata;

pub use error::{Error, Result};
pub use group::{Operation, Placement, Request, remove};
pub use mount::Mount;
