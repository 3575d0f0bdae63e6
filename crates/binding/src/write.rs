//! Writing layers, and reading images without unpacking them: more operations of [`LayerJob`].

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::IntoRawFd;
use std::path::Path;

use caisson_code::Phase;
use caisson_layer::compress;
use caisson_layer::view::Change;
use caisson_layer::write::{self as writing, Flatten, Report};
use caisson_layer::{Error, Kind, Limits};
use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::layer::{LayerBlob, LayerJob, blob, on_thread};
use crate::write_request::{
    LayerBase, LayerOutput, TreeOptions, WriteLayerRequest, base, blobs, layer_request, settings, tree,
};

#[napi(object)]
pub struct PathChange {
    /// Relative to the root, without a leading or trailing slash.
    pub path: String,
    /// `added`, `changed` or `removed`.
    pub change: String,
    /// What changed: `content`, `mode`, …
    pub what: Vec<String>,
}

/// The result, or only `failure`. Without `digest` nothing was written.
#[napi(object)]
pub struct WriteOutcome {
    pub failure: Option<NativeError>,
    pub digest: Option<String>,
    pub size: f64,
    pub diff_id: Option<String>,
    /// Bytes before compression.
    pub length: f64,
    pub entries: f64,
    pub warnings: Vec<String>,
    pub changes: Vec<PathChange>,
}

#[napi(object)]
pub struct FlattenRequest {
    pub layers: Vec<LayerBlob>,
    /// Number of bottom layers that are kept.
    pub keep: Option<u32>,
    pub path: Option<String>,
    pub epoch: Option<f64>,
}

#[napi(object)]
pub struct CompareRequest {
    pub before: LayerBase,
    pub after: LayerBase,
    pub tree: Option<TreeOptions>,
}

#[napi(object)]
pub struct PipeEnds {
    pub read: i32,
    pub write: i32,
}

impl WriteOutcome {
    fn of(result: Result<Report, Error>) -> Self {
        let (failure, done) = match result {
            Ok(done) => (None, done),
            Err(error) => {
                let failure = NativeError::from(error).phase(Phase::Write);
                (Some(failure), Report::default())
            }
        };
        let Report { sealed, entries, warnings, changes } = done;
        Self {
            failure,
            size: sealed.as_ref().map_or(0.0, |sealed| sealed.size as f64),
            length: sealed.as_ref().map_or(0.0, |sealed| sealed.length as f64),
            diff_id: sealed.as_ref().map(|sealed| sealed.diff_id.clone()),
            digest: sealed.map(|sealed| sealed.digest),
            entries: entries as f64,
            warnings,
            changes: changes.into_iter().map(PathChange::from).collect(),
        }
    }
}

impl From<(Vec<u8>, Change)> for PathChange {
    fn from((path, change): (Vec<u8>, Change)) -> Self {
        let (change, what) = match change {
            Change::Added => ("added", Vec::new()),
            Change::Removed => ("removed", Vec::new()),
            Change::Changed(what) => ("changed", what.into_iter().map(str::to_owned).collect()),
        };
        Self { path: String::from_utf8_lossy(&path).into_owned(), change: change.to_owned(), what }
    }
}

fn flatten_request(request: FlattenRequest, limits: Limits) -> Result<Flatten, Error> {
    let path = request.path.unwrap_or_default();
    Ok(Flatten {
        layers: blobs(request.layers)?,
        keep: request.keep.map_or(0, |keep| keep as usize),
        path: path.trim_matches('/').as_bytes().to_vec(),
        epoch: request.epoch.map(|seconds| seconds as i64),
        limits,
    })
}

/// Our own duplicate of a descriptor of the caller, buffered.
fn output(fd: i32) -> Result<BufWriter<File>, Error> {
    let copy = caisson_sys::descriptor::duplicate(fd)
        .map_err(|error| Error::new(Kind::System, error.to_string()))?;
    Ok(BufWriter::with_capacity(256 << 10, File::from(copy)))
}

/// Runs `write` and flushes its output.
fn written<T>(
    out: Result<BufWriter<File>, Error>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut out = out?;
    let value = write(&mut out)?;
    out.flush().map_err(|error| compress::output_error("write", &error))?;
    Ok(value)
}

#[napi]
impl LayerJob {
    /// Writes one layer from its steps.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn write<'env>(&self, env: &'env Env, request: WriteLayerRequest) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        let request = layer_request(request, self.limits); // here, because it holds JavaScript buffers
        on_thread(env, move || WriteOutcome::of(request.and_then(|request| writing::write(&request, &stop))))
    }

    /// Writes a layer or an archive again in another compression.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn transcode<'env>(
        &self,
        env: &'env Env,
        layer: LayerBlob,
        to: LayerOutput,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let work = || {
                let settings = settings(&to)?;
                let path = Path::new(&to.path);
                writing::transcode(&blob(layer)?, path, &settings, &limits, &stop)
            };
            WriteOutcome::of(work().map(|sealed| Report { sealed: Some(sealed), ..Report::default() }))
        })
    }

    /// Writes the merged root file system of layers as one layer.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn merge_layers<'env>(
        &self,
        env: &'env Env,
        request: FlattenRequest,
        to: LayerOutput,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let work = || {
                let request = flatten_request(request, limits)?;
                compress::write_file(Path::new(&to.path), &settings(&to)?, &stop, |out| {
                    writing::flatten(&request, out, &stop)
                })
            };
            WriteOutcome::of(work().map(|(entries, sealed)| Report {
                sealed: Some(sealed),
                entries,
                ..Report::default()
            }))
        })
    }

    /// Writes it as a plain archive to a descriptor, which stays open.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn export<'env>(
        &self,
        env: &'env Env,
        request: FlattenRequest,
        fd: i32,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        let out = output(fd);
        on_thread(env, move || {
            let done = written(out, |out| writing::flatten(&flatten_request(request, limits)?, out, &stop));
            WriteOutcome::of(done.map(|entries| Report { entries, ..Report::default() }))
        })
    }

    /// Packs a directory as a plain layer to a descriptor, which stays open.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn pack<'env>(
        &self,
        env: &'env Env,
        source: String,
        options: Option<TreeOptions>,
        fd: i32,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        let out = output(fd);
        on_thread(env, move || {
            let (scan, _) = tree(options, (None, None), limits);
            WriteOutcome::of(written(out, |out| writing::pack(Path::new(&source), &scan, out, &stop)))
        })
    }

    /// Writes the content of one file of an image to a descriptor, which stays open.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn pick<'env>(
        &self,
        env: &'env Env,
        layers: Vec<LayerBlob>,
        path: String,
        fd: i32,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        let out = output(fd);
        on_thread(env, move || {
            let done =
                written(out, |out| writing::pick(&blobs(layers)?, path.as_bytes(), out, &limits, &stop));
            WriteOutcome::of(done.map(|_| Report { entries: 1, ..Report::default() }))
        })
    }

    /// Compares two root file systems.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn compare<'env>(&self, env: &'env Env, request: CompareRequest) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let work = || {
                let (scan, comparison) = tree(request.tree, (None, None), limits);
                writing::compare(&base(request.before)?, &base(request.after)?, &scan, &comparison, &stop)
            };
            WriteOutcome::of(work().map(|changes| Report { changes, ..Report::default() }))
        })
    }

    /// Writes a manifest of a directory.
    #[napi(ts_return_type = "Promise<WriteOutcome>", catch_unwind)]
    pub fn snapshot<'env>(
        &self,
        env: &'env Env,
        source: String,
        to: String,
        options: Option<TreeOptions>,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let (scan, _) = tree(options, (None, None), limits);
            let done = writing::snapshot(Path::new(&source), Path::new(&to), &scan, &stop);
            WriteOutcome::of(done.map(|entries| Report { entries, ..Report::default() }))
        })
    }
}

/// A close-on-exec pipe; both ends belong to the caller.
#[napi(catch_unwind)]
pub fn open_pipe() -> napi::Result<PipeEnds> {
    let (read, write) =
        caisson_sys::descriptor::pipe().map_err(|error| napi::Error::from_reason(error.to_string()))?;
    Ok(PipeEnds { read: read.into_raw_fd(), write: write.into_raw_fd() })
}
