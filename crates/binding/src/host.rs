//! Synchronous queries that need no engine.

use caisson_engine::{self as engine, Facts, Failure};
use napi::bindgen_prelude::{Either, Result};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::request::CreateRequest;

/// For calls that cannot fail in practice; all others return a [`NativeError`] as data.
pub fn thrown(failure: Failure) -> napi::Error {
    napi::Error::from_reason(failure.message)
}

fn answer<T>(result: engine::Result<T>) -> Either<T, NativeError> {
    match result {
        Ok(value) => Either::A(value),
        Err(failure) => Either::B(failure.into()),
    }
}

/// The plan of a `create` as JSON, without side effects.
#[napi(catch_unwind)]
pub fn plan_container(request: CreateRequest) -> Either<String, NativeError> {
    let decide = || {
        let facts = Facts::gather()?;
        engine::decide(&request.into(), &facts)?.to_json()
    };
    answer(decide())
}

/// The features document of the runtime specification as JSON: the capabilities of this build.
#[napi(catch_unwind)]
pub fn features() -> Result<String> {
    serde_json::to_string(&caisson_plan::features()).map_err(|e| napi::Error::from_reason(e.to_string()))
}

/// Version of the native core; the package checks that it is the same as its own.
#[napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
