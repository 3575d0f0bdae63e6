//! `snapshot.json`: what a snapshot is, and the digest by which damage shows.

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
    /// Of the tree without the content of its files.
    pub tree: String,
    /// Of the checksums of its files, in order.
    pub contents: String,
    /// Unpacked without the rights of root: every file belongs to the caller.
    pub rootless: bool,
    /// Ids of the host that stand for those of the image, for an ordinary user; then this is the whole image in one layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<serde_json::Value>,
    /// How many things could not be done as the layer asks.
    pub skipped: u64,
}

impl Record {
    pub const VERSION: u32 = 2;

    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map(|text| text + "\n")
            .map_err(|error| Error::new(Kind::System, format!("snapshot.json: {error}")))
    }

    /// `None` for what is no record of this version.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|record: &Self| record.version == Self::VERSION)
    }
}
