//! Errors of digests.

use crate::Algorithm;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("digest algorithm {0:?} is not supported")]
    Unsupported(String),
    #[error("{digest:?} is not a valid digest: {algorithm} is written in {} of the characters 0-9 a-f", algorithm.size() * 2)]
    Invalid { digest: String, algorithm: Algorithm },
}
