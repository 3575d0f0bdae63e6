//! A whole image as one snapshot whose files belong to a user's subordinate ids. The user cannot read such files
//! afterwards, so layers cannot be stacked here: all are unpacked together and change owner at the end.

use super::import::{Durability, Request};
use super::ingest::Ingest;
use super::tree_digest::{Content, tree_digest};
use super::{ChainId, Record, Store};
use crate::unpack::{Owners, Report, Settled, unpack_into};
use crate::{Error, Result, Stop};

/// The owners of the files.
pub struct Mapped<'o> {
    /// ChainID of the image, `+`, and a key of the mapping.
    pub id: String,
    /// Stored in the record.
    pub mapping: serde_json::Value,
    pub owners: &'o dyn Owners,
}

/// Makes the snapshot if it is missing; `None` if it already existed or another process made it.
pub fn import_mapped(request: &Request, mapped: &Mapped<'_>, stop: &Stop) -> Result<Option<Report>> {
    let store = Store::open(&request.store)?;
    let _using = store.share(stop)?;
    let id = ChainId::parse(&mapped.id)?;
    let _lock = store.lock_chain(&id, stop)?;
    if store.snapshot(&id)?.is_some() {
        return Ok(None);
    }
    store.sweep(Some(mapped.owners))?;
    let ingest = Ingest::create(&store, Some(mapped.owners))?;
    let layers: Vec<_> = request.layers.iter().map(|layer| &layer.blob).collect();
    let how = (request.limits, request.policy);
    let Settled { report, checksums } = unpack_into(ingest.tree(), &layers, how, mapped.owners, stop)?;
    let (tree, contents) = tree_digest(ingest.tree(), Content::Known(&checksums), stop)?;
    ingest.write_record(&Record {
        version: Record::VERSION,
        chain_id: mapped.id.clone(),
        diff_id: report.diff_ids.last().cloned().unwrap_or_default(),
        parent: None,
        entries: report.entries,
        bytes: report.bytes,
        tree,
        contents,
        rootless: request.policy.rootless,
        mapping: Some(mapped.mapping.clone()),
        skipped: report.skipped_count,
    })?;
    let is_durable = request.durability == Durability::Syncfs;
    if is_durable {
        rustix::fs::syncfs(&store.root).map_err(|errno| Error::system("syncfs", b"", errno))?;
    }
    ingest.publish(&store, &id)?;
    if is_durable {
        let directory = store.snapshots_of(&id)?;
        rustix::fs::fsync(&directory).map_err(|errno| Error::system("fsync", b"snapshots", errno))?;
    }
    Ok(Some(report))
}
