//! Layout directories for JavaScript: opened once, changed by descriptors.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use caisson_code::Phase;
use caisson_layer::{Collected, Error, Kind, LayoutDirectory, NewFile, Stop};
use napi::bindgen_prelude::{Env, Object, Uint8Array};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::layer::on_thread;

/// A blob to be written, whose file has no name until it is placed, or only `failure`.
#[napi(object)]
pub struct BlobOutcome {
    pub failure: Option<NativeError>,
    /// Identifies it among the blobs and spools of this layout.
    pub id: u32,
    /// A path to the file, or to the directory of a spool, valid in this process until it is placed or removed.
    pub path: String,
}

#[napi(object)]
pub struct CollectOutcome {
    pub failure: Option<NativeError>,
    /// Digests, sorted.
    pub removed: Vec<String>,
    pub bytes: f64,
    pub kept: f64,
}

enum Unfinished {
    Blob(NewFile),
    Spool(Vec<u8>, OwnedFd),
}

#[derive(Default)]
struct State {
    layout: Option<Arc<LayoutDirectory>>,
    unfinished: Vec<(u32, Unfinished)>,
    next: u32,
}

type Shared = Arc<Mutex<State>>;

/// A layout directory, open until `close`.
#[napi]
pub struct LayoutHandle {
    state: Shared,
    stop: Stop,
}

#[napi]
impl LayoutHandle {
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default, reason = "JavaScript has no such trait")]
    pub fn new() -> Self {
        Self { state: Shared::default(), stop: Stop::default() }
    }

    /// Opens the layout, once. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn open<'env>(&self, env: &'env Env, path: String) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || {
            let opened = LayoutDirectory::open(Path::new(&path));
            failure(opened.map(|layout| locked(&state).layout = Some(Arc::new(layout))))
        })
    }

    /// A path to the directory that survives renames, valid in this process while it is open. Empty before.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        locked(&self.state).layout.as_ref().map_or_else(String::new, |layout| layout.handle())
    }

    /// Removes what was not placed.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        *locked(&self.state) = State::default();
    }

    /// Cancels a collection.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Creates the missing directories of a layout. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn prepare<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || failure(layout(&state).and_then(|layout| layout.prepare())))
    }

    /// Writes a small file of the layout atomically; `replace` allows an existing one. Resolves with the failure, if
    /// any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn place<'env>(
        &self,
        env: &'env Env,
        name: String,
        content: Uint8Array,
        replace: bool,
    ) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        let content = content.to_vec(); // here, because it is a JavaScript buffer
        on_thread(env, move || {
            failure(layout(&state).and_then(|layout| layout.place(&name, &content, replace)))
        })
    }

    /// Creates a file for a blob whose digest is not known yet.
    #[napi(ts_return_type = "Promise<BlobOutcome>", catch_unwind)]
    pub fn new_blob<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || {
            outcome(&state, layout(&state).and_then(|layout| layout.new_blob()).map(Unfinished::Blob))
        })
    }

    /// Creates a private directory for the sources of a layer.
    #[napi(ts_return_type = "Promise<BlobOutcome>", catch_unwind)]
    pub fn new_spool<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || {
            let spool = layout(&state).and_then(|layout| layout.spool());
            outcome(&state, spool.map(|(name, fd)| Unfinished::Spool(name, fd)))
        })
    }

    /// Moves a blob to its place. Resolves with the failure, if any; the blob is gone either way.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn place_blob<'env>(&self, env: &'env Env, id: u32, digest: String) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || {
            let placed = layout(&state).and_then(|layout| match take(&state, id) {
                Some(Unfinished::Blob(file)) => layout.place_blob(file, &digest),
                _ => Err(Error::new(Kind::Option, "the blob was placed or removed already")),
            });
            failure(placed)
        })
    }

    /// Removes a blob or spool that is not placed. A missing one is not a failure.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn discard<'env>(&self, env: &'env Env, id: u32) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || match take(&state, id) {
            Some(Unfinished::Spool(name, _)) => {
                failure(layout(&state).and_then(|layout| layout.remove_spool(&name)))
            }
            _ => None,
        })
    }

    /// Removes a placed blob. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn remove_blob<'env>(&self, env: &'env Env, digest: String) -> napi::Result<Object<'env>> {
        let state = Arc::clone(&self.state);
        on_thread(env, move || failure(layout(&state).and_then(|layout| layout.remove_blob(&digest))))
    }

    /// Removes all blobs except those in `keep`; with `dry_run` it only lists them.
    #[napi(ts_return_type = "Promise<CollectOutcome>", catch_unwind)]
    pub fn collect<'env>(
        &self,
        env: &'env Env,
        keep: Vec<String>,
        dry_run: bool,
    ) -> napi::Result<Object<'env>> {
        let (state, stop) = (Arc::clone(&self.state), self.stop.clone());
        on_thread(env, move || {
            let keep = keep.into_iter().collect();
            let collected = layout(&state).and_then(|layout| layout.collect(&keep, dry_run, &stop));
            let (failure, Collected { removed, bytes, kept }) = match collected {
                Ok(collected) => (None, collected),
                Err(error) => (Some(writing(error)), Collected::default()),
            };
            CollectOutcome { failure, removed, bytes: bytes as f64, kept: kept as f64 }
        })
    }
}

fn locked(state: &Shared) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn layout(state: &Shared) -> Result<Arc<LayoutDirectory>, Error> {
    let layout = locked(state).layout.clone();
    layout.ok_or_else(|| Error::new(Kind::Option, "the layout is closed"))
}

fn take(state: &Shared, id: u32) -> Option<Unfinished> {
    let mut state = locked(state);
    let at = state.unfinished.iter().position(|(other, _)| *other == id)?;
    Some(state.unfinished.swap_remove(at).1)
}

fn outcome(state: &Shared, made: Result<Unfinished, Error>) -> BlobOutcome {
    match made {
        Ok(made) => {
            let fd = match &made {
                Unfinished::Blob(file) => file.file().as_raw_fd(),
                Unfinished::Spool(_, directory) => directory.as_fd().as_raw_fd(),
            };
            let mut state = locked(state);
            state.next += 1;
            let id = state.next;
            state.unfinished.push((id, made));
            BlobOutcome { failure: None, id, path: format!("/proc/self/fd/{fd}") }
        }
        Err(error) => BlobOutcome { failure: Some(writing(error)), id: 0, path: String::new() },
    }
}

fn writing(error: Error) -> NativeError {
    NativeError::from(error).phase(Phase::Write)
}

fn failure(done: Result<(), Error>) -> Option<NativeError> {
    done.err().map(writing)
}
