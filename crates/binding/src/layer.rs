//! Layers for JavaScript: one native thread per operation, a promise for its result, and a `LayerJob` for cancellation
//! and progress.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caisson_code::Phase;
use caisson_layer::blob::Blob;
use caisson_layer::inflate::Compression;
use caisson_layer::unpack::{self, Fallback, Merged, Policy, Report};
use caisson_layer::{Error, Kind, Limits, Stop, host, passwd};
use napi::bindgen_prelude::{Env, Object, ToNapiValue};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::owners::{self, IdMaps};

impl From<Error> for NativeError {
    fn from(error: Error) -> Self {
        Self {
            errno: error.errno_name(),
            syscall: error.call.map(str::to_owned),
            path: error.path,
            hint: error.hint.map(Cow::into_owned),
            ..Self::new(error.kind.code(), error.message).phase(Phase::Unpack)
        }
    }
}

#[napi(object)]
pub struct LayerBlob {
    pub path: String,
    /// Offset in the file; default 0.
    pub offset: Option<f64>,
    pub digest: Option<String>,
    pub size: Option<f64>,
    pub diff_id: Option<String>,
    /// `none`, `gzip` or `zstd`, as in the media type.
    pub compression: Option<String>,
}

/// Limits on what an operation may read; an absent one has its default.
#[napi(object)]
pub struct LayerLimits {
    pub bytes: Option<f64>,
    pub entries: Option<f64>,
    pub depth: Option<f64>,
    pub header_bytes: Option<f64>,
    pub ratio: Option<f64>,
}

#[napi(object)]
pub struct UnpackRequest {
    pub layers: Vec<LayerBlob>,
    pub target: String,
    /// Each is `error`, `skip` or `placeholder`.
    pub devices: String,
    pub owners: String,
    pub xattrs: String,
    pub rootless: bool,
    pub keep_dirlinks: Option<bool>,
    pub id_maps: Option<IdMaps>,
}

#[napi(object)]
pub struct SkippedEntry {
    pub path: String,
    pub what: String,
    pub detail: String,
}

/// The result, or only `failure`.
#[napi(object)]
pub struct UnpackOutcome {
    pub failure: Option<NativeError>,
    pub entries: f64,
    pub bytes: f64,
    pub compressed: f64,
    pub diff_ids: Vec<String>,
    pub skipped: Vec<SkippedEntry>,
    pub skipped_count: f64,
    /// Files with a set-user-id or set-group-id bit.
    pub set_ids: f64,
    pub warnings: Vec<String>,
}

#[napi(object)]
pub struct HostFile {
    /// Path in the image, without a leading slash.
    pub place: String,
    pub file: String,
}

#[napi(object)]
pub struct HostFilesOutcome {
    pub failure: Option<NativeError>,
    pub files: Vec<HostFile>,
}

#[napi(object)]
pub struct UserLookup {
    pub failure: Option<NativeError>,
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    pub home: Option<String>,
}

#[napi(object)]
pub struct LayerProgress {
    /// Compressed bytes read.
    pub read: f64,
    pub entries: f64,
}

/// One operation on layers on a native thread: it blocks neither the event loop nor its thread pool.
#[napi]
pub struct LayerJob {
    pub(crate) stop: Stop,
    pub(crate) limits: Limits,
}

#[napi]
impl LayerJob {
    #[napi(constructor, catch_unwind)]
    pub fn new(limits: Option<LayerLimits>) -> Self {
        Self { stop: Stop::default(), limits: limits.map_or_else(Limits::default, Limits::from) }
    }

    /// Cancels the operation, which ends soon with `ERR_ABORTED` and leaves nothing behind.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.stop.stop();
    }

    #[napi(catch_unwind)]
    pub fn progress(&self) -> LayerProgress {
        let (read, entries) = self.stop.progress();
        LayerProgress { read: read as f64, entries: entries as f64 }
    }

    #[napi(ts_return_type = "Promise<UnpackOutcome>", catch_unwind)]
    pub fn unpack<'env>(&self, env: &'env Env, request: UnpackRequest) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let mut request = request;
            let owners = match request.id_maps.take().map(owners::open).transpose() {
                Ok(owners) => owners,
                Err(failure) => {
                    return UnpackOutcome { failure: Some(failure), ..unpack_outcome(Ok(Report::default())) };
                }
            };
            let report = unpack_request(request, limits)
                .and_then(|request| unpack::unpack_for(&request, owners.as_deref(), &stop));
            unpack_outcome(report)
        })
    }

    /// Programs of this host with the libraries that they need, sorted by `place`.
    #[napi(ts_return_type = "Promise<HostFilesOutcome>", catch_unwind)]
    pub fn host_files<'env>(
        &self,
        env: &'env Env,
        programs: Vec<String>,
        search: Vec<String>,
    ) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let search: Vec<PathBuf> = search.into_iter().map(PathBuf::from).collect();
            let (failure, files) = match host::files(&programs, &search) {
                Ok(files) => (None, files),
                Err(error) => (Some(error.into()), BTreeSet::new()),
            };
            let shown = |host::HostFile { place, file }| HostFile {
                place,
                file: file.to_string_lossy().into_owned(),
            };
            HostFilesOutcome { failure, files: files.into_iter().map(shown).collect() }
        })
    }

    /// Removes a directory with its content; links are not followed. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn remove<'env>(
        &self,
        env: &'env Env,
        path: String,
        id_maps: Option<IdMaps>,
    ) -> napi::Result<Object<'env>> {
        on_thread(env, move || {
            let owners = match id_maps.map(owners::open).transpose() {
                Ok(owners) => owners,
                Err(failure) => return Some(failure),
            };
            let removed = unpack::remove_directory_of(Path::new(&path), owners.as_deref());
            removed.err().map(NativeError::from)
        })
    }
}

/// Resolves `spec` (the `User` of an image) in the passwd and group files below `roots`: layers, top first, or one root
/// file system. Links are resolved inside it.
#[napi(catch_unwind)]
pub fn look_up_user(roots: Vec<String>, spec: String) -> UserLookup {
    let look_up = || {
        let roots = roots.iter().map(|root| open_root(root)).collect::<Result<Vec<_>, _>>()?;
        passwd::look_up(&Merged::new(roots.iter().map(AsFd::as_fd).collect()), &spec)
    };
    match look_up() {
        Ok(user) => UserLookup {
            failure: None,
            uid: user.uid,
            gid: user.gid,
            additional_gids: user.additional_gids,
            home: user.home,
        },
        Err(error) => UserLookup {
            failure: Some(error.into()),
            uid: 0,
            gid: 0,
            additional_gids: Vec::new(),
            home: None,
        },
    }
}

pub(crate) fn open_root(path: &str) -> Result<std::fs::File, Error> {
    std::fs::File::open(path).map_err(|error| {
        let errno = error.raw_os_error().map_or("unknown error".to_owned(), caisson_sys::errno_name);
        Error::new(Kind::System, format!("open({path:?}): {errno}")).on(path)
    })
}

/// How far a layer job lowers its priority for the event loop. Measured: a lower value delays the event loop by several
/// milliseconds now and then.
const NICER: i32 = 5;
/// Other threads request about 3 ms.
const SLICE: Duration = Duration::from_millis(20);

/// Runs `work` on a new thread and resolves the promise with its result.
pub(crate) fn on_thread<'env, T>(
    env: &'env Env,
    work: impl FnOnce() -> T + Send + 'static,
) -> napi::Result<Object<'env>>
where
    T: ToNapiValue + Send + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    let spawned = std::thread::Builder::new().name("caisson-layer".to_owned()).spawn(move || {
        // Continuous work yields to the event loop, which has little to do at a time. Without permission the event loop
        // is only slower.
        let _ = caisson_sys::scheduling::step_back(NICER, SLICE);
        let value = work();
        deferred.resolve(move |_| Ok(value));
    });
    spawned.map_err(|error| napi::Error::from_reason(format!("no thread for the layer: {error}")))?;
    Ok(promise)
}

pub fn compression(name: &str) -> Result<Compression, Error> {
    match name {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        "none" => Ok(Compression::None),
        other => Err(Error::new(Kind::Option, format!("compression {other:?} is unknown"))),
    }
}

pub fn blob(layer: LayerBlob) -> Result<Blob, Error> {
    Ok(Blob {
        path: PathBuf::from(layer.path),
        offset: layer.offset.map_or(0, |offset| offset as u64),
        digest: layer.digest,
        size: layer.size.map(|size| size as u64),
        diff_id: layer.diff_id,
        compression: layer.compression.as_deref().map(compression).transpose()?,
    })
}

impl From<LayerLimits> for Limits {
    fn from(given: LayerLimits) -> Self {
        let default = Self::default();
        let limit = |value: Option<f64>, default: u64| value.map_or(default, |value| value as u64);
        Self {
            bytes: limit(given.bytes, default.bytes),
            entries: limit(given.entries, default.entries),
            depth: limit(given.depth, default.depth as u64) as usize,
            header_bytes: limit(given.header_bytes, default.header_bytes),
            ratio: limit(given.ratio, default.ratio),
        }
    }
}

pub(crate) fn unpack_request(request: UnpackRequest, limits: Limits) -> Result<unpack::Request, Error> {
    let layers = request.layers.into_iter().map(blob);
    Ok(unpack::Request {
        layers: layers.collect::<Result<_, Error>>()?,
        target: PathBuf::from(request.target),
        limits,
        policy: Policy {
            devices: fallback(&request.devices)?,
            owners: fallback(&request.owners)?,
            xattrs: fallback(&request.xattrs)?,
            rootless: request.rootless,
            keep_dirlinks: request.keep_dirlinks.unwrap_or(false),
        },
    })
}

pub(crate) fn fallback(name: &str) -> Result<Fallback, Error> {
    match name {
        "error" => Ok(Fallback::Error),
        "skip" => Ok(Fallback::Skip),
        "placeholder" => Ok(Fallback::Placeholder),
        other => Err(Error::new(
            Kind::Option,
            format!("policy {other:?} is unknown; use error, skip or placeholder"),
        )),
    }
}

pub(crate) fn unpack_outcome(report: Result<Report, Error>) -> UnpackOutcome {
    let (report, failure) = match report {
        Ok(report) => (report, None),
        Err(error) => (Report::default(), Some(error.into())),
    };
    let skipped = report.skipped.into_iter();
    UnpackOutcome {
        failure,
        entries: report.entries as f64,
        bytes: report.bytes as f64,
        compressed: report.compressed as f64,
        diff_ids: report.diff_ids,
        skipped: skipped
            .map(|skipped| SkippedEntry {
                path: skipped.path,
                what: skipped.what.to_owned(),
                detail: skipped.detail,
            })
            .collect(),
        skipped_count: report.skipped_count as f64,
        set_ids: report.set_ids as f64,
        warnings: report.warnings,
    }
}
