//! `snapshot.json`: the description of a snapshot, and the digests that detect damage.

use serde::{Deserialize, Serialize};

use crate::{Error, Kind, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub version: u32,
    pub chain_id: String,
    pub diff_id: String,
    /// chainID of the snapshot below; absent at the bottom.
    pub parent: Option<String>,
    pub entries: u64,
    pub bytes: u64,
    /// Digest of the tree without file contents.
    pub tree: String,
    /// Digest of the files' checksums, in order.
    pub contents: String,
    /// Unpacked without root privileges: every file belongs to the caller.
    pub rootless: bool,
    /// The mapping of the image's ids to the user's subordinate ids. Then the snapshot is the whole image in one layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<serde_json::Value>,
    /// Number of things that could not be done as the layer asks.
    pub skipped: u64,
}

impl Record {
    pub const VERSION: u32 = 2;

    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map(|text| text + "\n")
            .map_err(|error| Error::new(Kind::System, format!("snapshot.json: {error}")))
    }

    /// `None` if it is not a record of this version.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|record: &Self| record.version == Self::VERSION)
    }
}
