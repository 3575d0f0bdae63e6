//! Digests: streaming hashes in the string form of the image specification (`sha256:…`), and hashing of whole files on
//! native threads, several algorithms in one pass, with progress and cancellation.
#![forbid(unsafe_code)]

pub mod algorithm;
pub mod control;
pub mod error;
pub mod file;
pub mod hasher;
pub mod job;
mod lane;
mod overlap;
pub mod pool;
mod sha256;

pub use algorithm::Algorithm;
pub use control::{Control, Progress};
pub use error::{Error, Result};
pub use file::{Digests, Failure, Source};
pub use hasher::Hasher;
