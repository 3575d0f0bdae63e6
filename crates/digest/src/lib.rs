//! Digests: streaming hashes in the text form of the image specification (`sha256:…`), and the hashing of whole files
//! on native threads, several algorithms in one pass, with progress and a way to stop.
#![forbid(unsafe_code)]

pub mod algorithm;
pub mod error;
pub mod hasher;

pub use algorithm::Algorithm;
pub use error::{Error, Result};
pub use hasher::Hasher;
