//! The store for JavaScript: importing layers and maintaining snapshots.

use std::os::fd::AsFd;
use std::path::Path;

use caisson_layer::store::{self, Durability, Health, Mapped, Store};
use caisson_layer::unpack::{self, Merged, Report};
use caisson_layer::{Error, Kind, Limits, Stop};
use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::layer::{
    LayerJob, UnpackOutcome, UnpackRequest, on_thread, open_root, unpack_outcome, unpack_request,
};
use crate::owners::{self, IdMaps};

#[napi(object)]
pub struct ImportRequest {
    /// Layers, limits and policies; `target` is the store.
    pub unpack: UnpackRequest,
    /// One per layer.
    pub chain_ids: Vec<String>,
    /// Whether new snapshots are synced to disk before they get their names.
    pub sync: bool,
    /// Number of layers unpacked in parallel.
    pub workers: u32,
    /// Set for the whole image as one snapshot with the owners of `unpack.id_maps`.
    pub mapped: Option<MappedSnapshot>,
}

#[napi(object)]
pub struct MappedSnapshot {
    /// ChainID, `+`, and a key of the mapping.
    pub id: String,
    /// JSON for the record.
    pub mapping: String,
}

/// One outcome per layer, null if the snapshot existed; or only `failure`.
#[napi(object)]
pub struct ImportOutcome {
    pub failure: Option<NativeError>,
    pub layers: Vec<Option<UnpackOutcome>>,
}

/// The result of `verify`: `sound`, `missing`, or `damaged` with the reason.
#[napi(object)]
pub struct SnapshotHealth {
    pub failure: Option<NativeError>,
    pub health: String,
    pub reason: Option<String>,
}

#[napi]
impl LayerJob {
    /// Creates the missing snapshots.
    #[napi(ts_return_type = "Promise<ImportOutcome>", catch_unwind)]
    pub fn import<'env>(&self, env: &'env Env, request: ImportRequest) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let imported = match request.mapped {
                Some(_) => import_mapped(request, limits, &stop).map(|report| vec![report]),
                None => import_request(request, limits)
                    .and_then(|request| store::import(&request, &stop))
                    .map(|layers| layers.into_iter().map(|layer| layer.report).collect())
                    .map_err(NativeError::from),
            };
            match imported {
                Ok(reports) => ImportOutcome {
                    failure: None,
                    layers: reports
                        .into_iter()
                        .map(|report| report.map(|report| unpack_outcome(Ok(report))))
                        .collect(),
                },
                Err(failure) => ImportOutcome { failure: Some(failure), layers: Vec::new() },
            }
        })
    }

    #[napi(ts_return_type = "Promise<SnapshotHealth>", catch_unwind)]
    pub fn verify_snapshot<'env>(
        &self,
        env: &'env Env,
        store: String,
        chain_id: String,
        contents: bool,
    ) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        on_thread(env, move || {
            let (health, reason, failure) = match store::verify(Path::new(&store), &chain_id, contents, &stop)
            {
                Ok(Health::Sound(_)) => ("sound", None, None),
                Ok(Health::Missing) => ("missing", None, None),
                Ok(Health::Damaged(reason)) => ("damaged", Some(reason), None),
                Err(error) => ("", None, Some(error.into())),
            };
            SnapshotHealth { failure, health: health.to_owned(), reason }
        })
    }

    /// Copies a stack of layers (directories, top first) merged to `target`, with owners mapped by `id_maps`. Resolves
    /// with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn flatten<'env>(
        &self,
        env: &'env Env,
        layers: Vec<String>,
        target: String,
        id_maps: Option<IdMaps>,
    ) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        on_thread(env, move || {
            let copy = || -> Result<(), NativeError> {
                let owners = id_maps.map(owners::open).transpose()?;
                let roots = layers.iter().map(|root| open_root(root)).collect::<Result<Vec<_>, _>>()?;
                let stack = Merged::new(roots.iter().map(AsFd::as_fd).collect());
                Ok(unpack::flatten(&stack, Path::new(&target), owners.as_deref(), &stop)?)
            };
            copy().err()
        })
    }

    /// Removes what dead importers have left in a store, including files of owners in `id_maps`. Resolves with the
    /// failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn sweep_store<'env>(
        &self,
        env: &'env Env,
        store: String,
        id_maps: Option<IdMaps>,
    ) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let sweep = || -> Result<usize, NativeError> {
                let owners = id_maps.map(owners::open).transpose()?;
                Ok(Store::open(Path::new(&store))?.sweep(owners.as_deref())?)
            };
            sweep().err()
        })
    }
}

fn import_mapped(
    mut request: ImportRequest,
    limits: Limits,
    stop: &Stop,
) -> Result<Option<Report>, NativeError> {
    let refused = |what: String| NativeError::from(Error::new(Kind::Option, what));
    let (Some(MappedSnapshot { id, mapping }), Some(maps)) =
        (request.mapped.take(), request.unpack.id_maps.take())
    else {
        return Err(refused("a snapshot with owners needs id maps".to_owned()));
    };
    let mapping = serde_json::from_str(&mapping).map_err(|error| refused(format!("mapping: {error}")))?;
    let owners = owners::open(maps)?;
    let mapped = Mapped { id, mapping, owners: owners.as_ref() };
    Ok(store::import_mapped(&import_request(request, limits)?, &mapped, stop)?)
}

fn import_request(request: ImportRequest, limits: Limits) -> Result<store::Request, Error> {
    let unpack::Request { layers, target, limits, policy } = unpack_request(request.unpack, limits)?;
    if layers.len() != request.chain_ids.len() {
        return Err(Error::new(Kind::Option, "there must be one chainID for each layer"));
    }
    let layers = layers.into_iter().zip(request.chain_ids);
    Ok(store::Request {
        store: target,
        layers: layers.map(|(blob, chain_id)| store::Layer { blob, chain_id }).collect(),
        limits,
        policy,
        durability: if request.sync { Durability::Syncfs } else { Durability::None },
        workers: request.workers as usize,
    })
}
