//! Control groups of version 1, version 2 and hybrid hosts behind one interface: [`Placement`] decides where a
//! container goes, [`Cgroup`] operates on it there.
#![forbid(unsafe_code)]

mod cgroup;
#[cfg(feature = "resources")]
mod create;
#[cfg(feature = "resources")]
mod devices;
mod error;
mod files;
mod freeze;
mod host;
#[cfg(feature = "resources")]
mod list;
#[cfg(feature = "resources")]
mod operation;
#[cfg(feature = "resources")]
mod owner;
mod placement;
#[cfg(feature = "resources")]
mod resources;
mod tree;

pub use cgroup::Cgroup;
#[cfg(feature = "resources")]
pub use create::Making;
#[cfg(feature = "resources")]
pub use devices::Rule as DeviceRule;
pub use error::{Error, Result};
pub use freeze::frozen_by;
pub use host::{Hierarchy, Host, Mode};
#[cfg(feature = "resources")]
pub use operation::{Operation, Write};
pub use placement::{Place, Placement, Request};
#[cfg(feature = "resources")]
pub use resources::wants_limits;

/// Closes the device programs (version 2) that are kept open for the next container with the same rules: at most four
/// descriptors per process. For a process that starts no further container.
#[cfg(feature = "resources")]
pub fn forget_device_programs() {
    caisson_sys::bpf::forget_device_programs();
}
