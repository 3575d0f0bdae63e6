//! Control groups, versions 1, 2 and the hybrid of both, behind one face: where a container goes ([`Placement`]), and
//! what is done with it there ([`Cgroup`]).
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
mod operation;
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
/// descriptors per process. For when there will be no next one.
#[cfg(feature = "resources")]
pub fn forget_device_programs() {
    caisson_sys::bpf::forget_device_programs();
}
