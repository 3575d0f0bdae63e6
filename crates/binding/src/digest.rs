//! Digests for JavaScript: files and large buffers on native threads, and hashers for algorithms that Node lacks.

use caisson_code::Code;
use caisson_digest::pool::{self, Work};
use caisson_digest::{Algorithm, Control, Digests, Failure, Hasher, Source, file, job};
use napi::JsDeferred;
use napi::bindgen_prelude::{Buffer, Env, Object, Uint8Array};
use napi_derive::napi;

use crate::failure::NativeError;

/// `ERR_ABORTED` for cancellation, which the typed API replaces by the signal's own reason.
fn failure(error: Failure) -> NativeError {
    let message = error.to_string();
    match error {
        Failure::System(error) => NativeError {
            syscall: Some(error.call().to_owned()),
            errno: Some(error.errno_name()),
            path: error.path().map(str::to_owned),
            ..NativeError::new(Code::Syscall, message)
        },
        Failure::Stopped => NativeError::new(Code::Aborted, message),
    }
}

/// One digest per algorithm, or only `failure`.
#[napi(object)]
pub struct DigestOutcome {
    pub failure: Option<NativeError>,
    pub digests: Vec<String>,
    /// Number of bytes hashed.
    pub size: f64,
}

impl From<Result<Digests, Failure>> for DigestOutcome {
    fn from(result: Result<Digests, Failure>) -> Self {
        match result {
            Ok(Digests { digests, size }) => Self { failure: None, digests, size: size as f64 },
            Err(error) => Self { failure: Some(failure(error)), digests: Vec::new(), size: 0.0 },
        }
    }
}

#[napi(object)]
pub struct DigestProgress {
    /// Bytes read.
    pub read: f64,
    /// Size in bytes, if known.
    pub total: Option<f64>,
}

/// One pass over one source on a native thread: it blocks neither the event loop nor its thread pool.
#[napi]
pub struct DigestJob {
    control: Control,
}

#[napi]
impl DigestJob {
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default, reason = "a constructor of JavaScript")]
    pub fn new() -> Self {
        Self { control: Control::default() }
    }

    /// Cancels the pass, which ends soon with `ERR_ABORTED`.
    #[napi(catch_unwind)]
    pub fn stop(&self) {
        self.control.stop();
    }

    #[napi(catch_unwind)]
    pub fn progress(&self) -> DigestProgress {
        let progress = self.control.progress();
        DigestProgress { read: progress.read as f64, total: progress.total.map(|total| total as f64) }
    }

    /// `path` holds the bytes of a path.
    #[napi(ts_return_type = "Promise<DigestOutcome>", catch_unwind)]
    pub fn file<'env>(
        &self,
        env: &'env Env,
        path: Uint8Array,
        algorithms: Vec<String>,
    ) -> napi::Result<Object<'env>> {
        self.start(env, Source::Path(path.to_vec()), &algorithms)
    }

    /// The descriptor is duplicated before this returns; the caller's own may be closed.
    #[napi(ts_return_type = "Promise<DigestOutcome>", catch_unwind)]
    pub fn descriptor<'env>(
        &self,
        env: &'env Env,
        number: i32,
        algorithms: Vec<String>,
    ) -> napi::Result<Object<'env>> {
        match caisson_sys::descriptor::duplicate(number) {
            Ok(descriptor) => self.start(env, Source::Descriptor(descriptor), &algorithms),
            Err(error) => {
                let (deferred, promise) = env.create_deferred()?;
                resolve(deferred, Err(error.into()));
                Ok(promise)
            }
        }
    }

    /// Borrows the bytes until the promise settles: until then they must not be changed or transferred.
    #[napi(ts_return_type = "Promise<DigestOutcome>", catch_unwind)]
    pub fn bytes<'env>(
        &self,
        env: &'env Env,
        bytes: Uint8Array,
        algorithms: Vec<String>,
    ) -> napi::Result<Object<'env>> {
        let (algorithms, control) = (parse(&algorithms)?, self.control.clone());
        let (deferred, promise) = env.create_deferred()?;
        let work = move || {
            let result = file::hash_bytes(&bytes, &algorithms, &control);
            deferred.resolve(move |_| {
                drop(bytes); // on its original thread
                Ok(DigestOutcome::from(result))
            });
        };
        pool::submit(Work::Other(Box::new(work))).map_err(no_thread)?;
        Ok(promise)
    }
}

impl DigestJob {
    fn start<'env>(
        &self,
        env: &'env Env,
        source: Source,
        algorithms: &[String],
    ) -> napi::Result<Object<'env>> {
        let algorithms = parse(algorithms)?;
        let (deferred, promise) = env.create_deferred()?;
        job::hash(source, algorithms, self.control.clone(), move |result| resolve(deferred, result))
            .map_err(no_thread)?;
        Ok(promise)
    }
}

type Resolver = Box<dyn FnOnce(Env) -> napi::Result<DigestOutcome> + Send>;

fn resolve(deferred: JsDeferred<DigestOutcome, Resolver>, result: Result<Digests, Failure>) {
    deferred.resolve(Box::new(move |_| Ok(result.into())));
}

fn parse(algorithms: &[String]) -> napi::Result<Vec<Algorithm>> {
    algorithms.iter().map(|name| algorithm(name)).collect()
}

fn algorithm(name: &str) -> napi::Result<Algorithm> {
    name.parse().map_err(|error: caisson_digest::Error| napi::Error::from_reason(error.to_string()))
}

fn no_thread(error: std::io::Error) -> napi::Error {
    napi::Error::from_reason(format!("no thread for hashing: {error}"))
}

/// An incremental hash with the methods of Node's own.
#[napi]
pub struct NativeHasher {
    hasher: Hasher,
}

#[napi]
impl NativeHasher {
    #[napi(constructor, catch_unwind)]
    pub fn new(algorithm: String) -> napi::Result<Self> {
        Ok(Self { hasher: Hasher::new(self::algorithm(&algorithm)?) })
    }

    #[napi(catch_unwind)]
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The hash of all input so far.
    #[napi(catch_unwind)]
    pub fn digest(&self) -> Buffer {
        self.hasher.clone().finish().into()
    }

    /// A copy with the same state.
    #[napi(catch_unwind)]
    pub fn copy(&self) -> NativeHasher {
        Self { hasher: self.hasher.clone() }
    }
}
