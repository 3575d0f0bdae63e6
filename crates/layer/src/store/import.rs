//! Unpacks the missing layers of an image into snapshots, in parallel, each in one process only.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::ingest::Ingest;
use super::lock::Lock;
use super::tree_digest::{Content, tree_digest};
use super::{ChainId, Record, Store};
use crate::blob::Blob;
use crate::unpack::{Policy, Report, Settled, Unsettled, settle, unpack_alone};
use crate::{Error, Kind, Limits, Result, Stop};

/// What is synced before a snapshot gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: after a power loss a snapshot may be damaged, which `verify` detects.
    None,
    /// One syncfs(2) for all new layers.
    Syncfs,
}

#[derive(Debug, Clone)]
pub struct Layer {
    pub blob: Blob,
    pub chain_id: String,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub store: PathBuf,
    /// Bottom first.
    pub layers: Vec<Layer>,
    pub limits: Limits,
    pub policy: Policy,
    pub durability: Durability,
    /// Layers unpacked at the same time, at least 1.
    pub workers: usize,
}

/// The result for one layer.
#[derive(Debug)]
pub struct Imported {
    pub chain_id: String,
    /// `None` if it already existed or another process made it.
    pub report: Option<Report>,
}

/// A missing layer, locked against other processes.
struct Missing {
    index: usize,
    chain_id: ChainId,
    ingest: Ingest<'static>,
    _lock: Lock,
}

/// Makes the missing snapshots. Either all of them appear or none.
pub fn import(request: &Request, stop: &Stop) -> Result<Vec<Imported>> {
    let store = Store::open(&request.store)?;
    let _using = store.share(stop)?;
    let mut missing = Vec::new();
    for (index, layer) in request.layers.iter().enumerate() {
        let chain_id = ChainId::parse(&layer.chain_id)?;
        if store.snapshot(&chain_id)?.is_some() {
            continue;
        }
        // Every process locks bottom first, so that none can deadlock.
        let lock = store.lock_chain(&chain_id, stop)?;
        if store.snapshot(&chain_id)?.is_some() {
            continue;
        }
        missing.push(Missing { index, chain_id, ingest: Ingest::create(&store, None)?, _lock: lock });
    }
    let mut imported: Vec<_> = request
        .layers
        .iter()
        .map(|layer| Imported { chain_id: layer.chain_id.clone(), report: None })
        .collect();
    if missing.is_empty() {
        return Ok(imported);
    }
    store.sweep(None)?;
    let reports = unpack_all(&store, request, &missing, stop)?;
    check_total(&reports, &request.limits)?;
    if request.durability == Durability::Syncfs {
        rustix::fs::syncfs(&store.root).map_err(|errno| Error::system("syncfs", b"", errno))?;
    }
    for (missing, report) in missing.into_iter().zip(reports) {
        let Missing { index, chain_id, ingest, _lock } = missing;
        ingest.publish(&store, &chain_id)?;
        if request.durability == Durability::Syncfs {
            let directory = store.snapshots_of(&chain_id)?;
            rustix::fs::fsync(&directory).map_err(|errno| Error::system("fsync", b"snapshots", errno))?;
        }
        imported[index].report = Some(report);
    }
    Ok(imported)
}

/// The limits apply to the image, not to each of its layers.
fn check_total(reports: &[Report], limits: &Limits) -> Result<()> {
    Limits::check("entries", reports.iter().map(|report| report.entries).sum(), limits.entries)?;
    Limits::check(
        "bytes",
        reports.iter().fold(0, |sum, report| report.bytes.saturating_add(sum)),
        limits.bytes,
    )
}

type Unpacked = (usize, Result<Unsettled>);

fn unpack_all(store: &Store, request: &Request, missing: &[Missing], stop: &Stop) -> Result<Vec<Report>> {
    let queue: Mutex<VecDeque<usize>> = Mutex::new((0..missing.len()).collect());
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..request.workers.clamp(1, missing.len()) {
            let (sender, queue, failed) = (sender.clone(), &queue, &failed);
            scope.spawn(move || work(request, missing, queue, failed, &sender, stop));
        }
        drop(sender);
        let result = settle_all(store, request, missing, &receiver, stop);
        if result.is_err() {
            failed.store(true, Ordering::Relaxed);
            stop.stop(); // the other layers are not needed any more
        }
        result
    })
}

fn work(
    request: &Request,
    missing: &[Missing],
    queue: &Mutex<VecDeque<usize>>,
    failed: &AtomicBool,
    sender: &Sender<Unpacked>,
    stop: &Stop,
) {
    while !failed.load(Ordering::Relaxed) {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(number) = next else { return };
        let Missing { index, ingest, .. } = &missing[number];
        let blob = &request.layers[*index].blob;
        let result = unpack_alone(blob, ingest.tree(), request.limits, request.policy, stop);
        if sender.send((number, result)).is_err() {
            return; // no receiver is left if another layer has failed
        }
    }
}

/// Completes layers from the bottom up, as they arrive.
fn settle_all(
    store: &Store,
    request: &Request,
    missing: &[Missing],
    unpacked: &Receiver<Unpacked>,
    stop: &Stop,
) -> Result<Vec<Report>> {
    let mut waiting: Vec<Option<Unsettled>> = missing.iter().map(|_| None).collect();
    let mut reports = Vec::new();
    while reports.len() < missing.len() {
        let Ok((number, result)) = unpacked.recv() else {
            return Err(Error::new(Kind::System, "a thread of the unpacker ended unexpectedly"));
        };
        waiting[number] = Some(result?);
        while let Some(unsettled) = waiting.get_mut(reports.len()).and_then(Option::take) {
            reports.push(complete(store, request, missing, reports.len(), unsettled, stop)?);
        }
    }
    Ok(reports)
}

fn complete(
    store: &Store,
    request: &Request,
    missing: &[Missing],
    number: usize,
    unsettled: Unsettled,
    stop: &Stop,
) -> Result<Report> {
    let Missing { index, ingest, .. } = &missing[number];
    let mut below: Vec<OwnedFd> = Vec::new();
    for lower in (0..*index).rev() {
        let fresh = missing[..number].iter().find(|missing| missing.index == lower);
        let tree = match fresh {
            Some(fresh) => fresh
                .ingest
                .tree()
                .try_clone_to_owned()
                .map_err(|error| crate::blob::io_error("fcntl", &request.store, &error))?,
            None => {
                let chain_id = &request.layers[lower].chain_id;
                store.tree(&ChainId::parse(chain_id)?)?.ok_or_else(|| {
                    Error::new(Kind::NotFound, format!("snapshot {chain_id} was removed meanwhile"))
                })?
            }
        };
        below.push(tree);
    }
    let below: Vec<_> = below.iter().map(AsFd::as_fd).collect();
    let Settled { report, checksums } = settle(ingest.tree(), &below, unsettled, &request.limits, stop)?;
    let (tree, contents) = tree_digest(ingest.tree(), Content::Known(&checksums), stop)?;
    let layer = &request.layers[*index];
    ingest.write_record(&Record {
        version: Record::VERSION,
        chain_id: layer.chain_id.clone(),
        diff_id: report.diff_ids.first().cloned().unwrap_or_default(),
        parent: index.checked_sub(1).map(|below| request.layers[below].chain_id.clone()),
        entries: report.entries,
        bytes: report.bytes,
        tree,
        contents,
        rootless: request.policy.rootless,
        mapping: None,
        skipped: report.skipped_count,
    })?;
    Ok(report)
}
