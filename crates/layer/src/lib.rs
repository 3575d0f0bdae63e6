//! Image layers: reading tar, decompressing, verifying and unpacking in one pass, and writing layers.
//!
//! All input is untrusted. The tree being written is hostile too: an earlier entry may have put a link anywhere. So
//! every path goes through descriptors below the root (see [`unpack`]), nothing is trusted because its digest will be
//! checked later, and every resource has a limit.
#![forbid(unsafe_code)]

pub mod archive;
pub mod blob;
mod chunk;
pub mod compress;
pub mod error;
mod gzip;
pub mod host;
pub mod inflate;
mod layout;
pub mod limits;
pub mod lock;
mod new_file;
mod openat2;
pub mod passwd;
pub mod stop;
pub mod store;
pub mod tar;
mod temporary;
pub mod unpack;
mod verify;
pub mod view;
pub mod write;

pub use chunk::Source;
pub use error::{Error, Kind, Result};
pub use layout::{Collected, LayoutDirectory};
pub use limits::Limits;
pub use new_file::{NewFile, place_file};
pub use rustix::io::Errno;
pub use stop::Stop;
