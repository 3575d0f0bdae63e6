//! Locks of directories, and descriptors by number, for JavaScript. Node has no flock(2), and should not close
//! descriptors that it did not open: a worker thread prints a warning for each, and other runtimes number descriptors
//! differently.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use caisson_layer::store::{Lock, LockMode, Store};
use caisson_layer::{Error, lock};
use napi::bindgen_prelude::{Either3, Env, Null, Object};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::layer::{LayerJob, on_thread};

/// A flock(2), held until it is closed. It is closed with its environment, including a worker's.
#[napi]
pub struct HeldLock {
    held: Mutex<Option<OwnedFd>>,
}

#[napi]
impl HeldLock {
    /// A second call does nothing.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        drop(self.take());
    }

    /// Like `close`, on another thread: closing the last descriptor of a removed file makes the kernel free its blocks.
    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn close_aside<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let held = self.take();
        on_thread(env, move || drop(held))
    }

    fn take(&self) -> Option<OwnedFd> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl From<OwnedFd> for HeldLock {
    fn from(descriptor: OwnedFd) -> Self {
        Self { held: Mutex::new(Some(descriptor)) }
    }
}

/// The lock, or why it was not taken.
#[napi(object, object_from_js = false)]
pub struct LockOutcome {
    pub failure: Option<NativeError>,
    pub lock: Option<HeldLock>,
}

impl LockOutcome {
    fn of(taken: Result<OwnedFd, Error>) -> Self {
        match taken {
            Ok(descriptor) => Self { failure: None, lock: Some(descriptor.into()) },
            Err(error) => Self { failure: Some(error.into()), lock: None },
        }
    }
}

#[napi]
impl LayerJob {
    /// Waits for the lock of a store: shared or `exclusive`.
    #[napi(ts_return_type = "Promise<LockOutcome>", catch_unwind)]
    pub fn lock_store<'env>(
        &self,
        env: &'env Env,
        store: String,
        exclusive: bool,
    ) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        on_thread(env, move || {
            let lock = Store::open(Path::new(&store))
                .and_then(|store| if exclusive { store.exclude(&stop) } else { store.share(&stop) });
            LockOutcome::of(lock.map(Lock::into_fd))
        })
    }

    /// Waits for the lock of a directory: shared or `exclusive`.
    #[napi(ts_return_type = "Promise<LockOutcome>", catch_unwind)]
    pub fn lock<'env>(&self, env: &'env Env, path: String, exclusive: bool) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        on_thread(env, move || {
            LockOutcome::of(lock::directory(Path::new(&path), exclusive, &stop).map(OwnedFd::from))
        })
    }
}

/// Takes the lock of a directory without waiting; null if another process holds it.
#[napi(catch_unwind)]
pub fn try_lock_directory(path: String, exclusive: bool) -> Either3<HeldLock, Null, NativeError> {
    let mode = if exclusive { LockMode::Exclusive } else { LockMode::Shared };
    match Lock::try_directory(Path::new(&path), mode) {
        Ok(Some(lock)) => Either3::A(lock.into_fd().into()),
        Ok(None) => Either3::B(Null),
        Err(error) => Either3::C(error.into()),
    }
}

/// Closes a descriptor that this addon returned to the caller. One that is not open is ignored.
#[napi(catch_unwind)]
pub fn close_descriptor(number: i32) {
    drop(caisson_sys::descriptor::inherited(number));
}
