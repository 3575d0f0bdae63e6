//! Containers of a state root, read and signalled on libuv's thread pool: a directory may be large or on a slow disk,
//! and a cgroup of version 1 is frozen before it is killed.

use std::path::{Path, PathBuf};

use caisson_code::{Code, Phase};
use caisson_engine::{self as engine, Failure};
use napi::bindgen_prelude::{AsyncTask, Either, Env, Result, Task};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::request::ImageOrigin;

/// A container as described by its state directory.
#[napi(object)]
pub struct ContainerRecord {
    pub id: String,
    /// `creating`, `created`, `running`, `paused`, `stopped`, or `damaged` (with `problem`).
    pub status: String,
    pub problem: Option<NativeError>,
    /// Absent if nothing was written yet, or the state is damaged.
    pub state: Option<ContainerDocument>,
    /// Directory that was created for this container only.
    pub directory: Option<String>,
}

/// The content of `state.json`; the status is derived.
#[napi(object)]
pub struct ContainerDocument {
    pub oci_version: String,
    pub bundle: String,
    pub rootfs: String,
    /// A JSON object: its parse is faster than one call per member, which would hold up the event loop.
    pub annotations: String,
    pub created: String,
    pub owner: String,
    /// Everything but the start has been done.
    pub ready: bool,
    pub owner_pid: i32,
    pub pid: Option<i32>,
    pub overlay: Option<ContainerOverlay>,
    pub image: Option<ImageOrigin>,
}

#[napi(object)]
pub struct ContainerOverlay {
    pub store: String,
    /// Directory below `store`.
    pub container: String,
    pub tmpfs: bool,
}

impl From<engine::ContainerRecord> for ContainerRecord {
    fn from(record: engine::ContainerRecord) -> Self {
        let state = record.state.map(|state| ContainerDocument {
            oci_version: state.oci_version,
            bundle: state.bundle,
            rootfs: state.rootfs,
            annotations: serde_json::json!(state.annotations).to_string(),
            created: state.created,
            owner: state.owner,
            ready: state.status == engine::Progress::Ready,
            owner_pid: state.owner_pid,
            pid: state.pid,
            overlay: state.overlay.map(|overlay| ContainerOverlay {
                store: overlay.store,
                container: overlay.container,
                tmpfs: overlay.tmpfs,
            }),
            image: state.image.map(|image| ImageOrigin {
                transport: image.transport,
                path: image.path,
                media_type: image.media_type,
                digest: image.digest,
                size: image.size as f64,
            }),
        });
        Self {
            id: record.id,
            status: record.status.name().to_owned(),
            problem: record.problem.map(Into::into),
            state,
            directory: record.directory,
        }
    }
}

pub struct Read {
    root: PathBuf,
    id: String,
}

impl Task for Read {
    type Output = engine::Result<ContainerRecord>;
    type JsValue = Either<ContainerRecord, NativeError>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(engine::record(&self.root, &self.id).map(Into::into))
    }

    fn resolve(&mut self, _: Env, record: Self::Output) -> Result<Self::JsValue> {
        Ok(match record {
            Ok(record) => Either::A(record),
            Err(failure) => Either::B(failure.into()),
        })
    }
}

pub struct List {
    root: PathBuf,
}

impl Task for List {
    type Output = engine::Result<Vec<ContainerRecord>>;
    type JsValue = Either<Vec<ContainerRecord>, NativeError>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(engine::records(&self.root).map(|records| records.into_iter().map(Into::into).collect()))
    }

    fn resolve(&mut self, _: Env, records: Self::Output) -> Result<Self::JsValue> {
        Ok(match records {
            Ok(records) => Either::A(records),
            Err(failure) => Either::B(failure.into()),
        })
    }
}

pub struct Configuration {
    root: PathBuf,
    id: String,
}

impl Task for Configuration {
    type Output = engine::Result<String>;
    type JsValue = Either<String, NativeError>;

    fn compute(&mut self) -> Result<Self::Output> {
        let text = engine::configuration(&self.root, &self.id).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| {
                Failure::new(Code::StateDamaged, Phase::Resolve, "damaged configuration: not UTF-8")
            })
        });
        Ok(text)
    }

    fn resolve(&mut self, _: Env, text: Self::Output) -> Result<Self::JsValue> {
        Ok(match text {
            Ok(text) => Either::A(text),
            Err(failure) => Either::B(failure.into()),
        })
    }
}

pub struct Reclaim {
    root: PathBuf,
    id: String,
}

impl Task for Reclaim {
    type Output = engine::Result<bool>;
    type JsValue = Either<bool, NativeError>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(engine::reclaim(&self.root, &self.id))
    }

    fn resolve(&mut self, _: Env, reclaimed: Self::Output) -> Result<Self::JsValue> {
        Ok(match reclaimed {
            Ok(reclaimed) => Either::A(reclaimed),
            Err(failure) => Either::B(failure.into()),
        })
    }
}

pub struct Signal {
    root: PathBuf,
    id: String,
    number: i32,
    all: bool,
}

impl Task for Signal {
    type Output = engine::Result<()>;
    type JsValue = Option<NativeError>;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(engine::signal(&self.root, &self.id, self.number, self.all))
    }

    fn resolve(&mut self, _: Env, sent: Self::Output) -> Result<Self::JsValue> {
        Ok(sent.err().map(Into::into))
    }
}

/// Creates a missing state root, checks that no other user can write to it, and removes leftovers of killed processes
/// in the background. Returns the failure, if any.
#[napi(catch_unwind)]
pub fn prepare_state_root(root: String) -> Option<NativeError> {
    engine::prepare_root(Path::new(&root)).err().map(Into::into)
}

/// Removes a container that a killed process has left; `false` if its owner is alive, or nothing needs to be removed.
#[napi(ts_return_type = "Promise<boolean | NativeError>", catch_unwind)]
pub fn reclaim_container(root: String, id: String) -> AsyncTask<Reclaim> {
    AsyncTask::new(Reclaim { root: PathBuf::from(root), id })
}

/// Reads a container of a state root.
#[napi(ts_return_type = "Promise<ContainerRecord | NativeError>", catch_unwind)]
pub fn read_container(root: String, id: String) -> AsyncTask<Read> {
    AsyncTask::new(Read { root: PathBuf::from(root), id })
}

/// All containers of a state root, sorted by id; empty if the root does not exist.
#[napi(ts_return_type = "Promise<ContainerRecord[] | NativeError>", catch_unwind)]
pub fn list_containers(root: String) -> AsyncTask<List> {
    AsyncTask::new(List { root: PathBuf::from(root) })
}

/// The private copy of a container's configuration.
#[napi(ts_return_type = "Promise<string | NativeError>", catch_unwind)]
pub fn read_container_config(root: String, id: String) -> AsyncTask<Configuration> {
    AsyncTask::new(Configuration { root: PathBuf::from(root), id })
}

/// Signals the first process, or (`all`) every process of the container. The failure, if any.
#[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
pub fn signal_container(root: String, id: String, signal: i32, all: bool) -> AsyncTask<Signal> {
    AsyncTask::new(Signal { root: PathBuf::from(root), id, number: signal, all })
}
