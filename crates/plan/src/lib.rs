//! config.json → an ordered list of plain operations. No input or output, no system calls: what is decided here can be
//! printed (`caisson plan`), asserted on without privilege, and cached. `caisson-init` executes the list as it stands.
#![forbid(unsafe_code)]

pub mod operation;
pub mod protocol;

pub use operation::*;
