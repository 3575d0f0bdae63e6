//! The state of containers on disk: its location, the names and contents of its files, and who may have written them.
//! Engine and guard read and remove it through this crate; TypeScript asks the engine. See docs/internal/state.md.
#![forbid(unsafe_code)]

#[cfg(feature = "document")]
mod cleanup;
mod directory;
#[cfg(feature = "document")]
mod document;
mod error;
mod id;
#[cfg(feature = "document")]
mod liveness;
mod mounts;
mod owned;
mod root;

#[cfg(feature = "document")]
pub use cleanup::CleanupRecord;
#[cfg(feature = "document")]
pub use directory::CONFIG_LIMIT;
pub use directory::{ROOTFS, START_SOCKET, StateDirectory};
#[cfg(feature = "document")]
pub use document::{CgroupState, ImageOrigin, OverlayState, Progress, StateFile, VERSION};
pub use error::{Error, Kind, Result};
pub use id::{BUNDLES, check_id};
#[cfg(feature = "document")]
pub use liveness::{boot_id, is_alive, open_process};
pub use mounts::HostMounts;
pub use root::StateRoot;
