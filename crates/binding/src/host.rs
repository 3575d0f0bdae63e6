//! Synchronous queries that need no engine.

use caisson_engine::{self as engine, Facts, Failure};
use caisson_rights::Rights;
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

/// What this process may do, by its capabilities and its user namespace.
#[napi(object)]
pub struct ProcessRights {
    /// Not the initial user namespace: its root is not root of the host.
    pub in_user_namespace: bool,
    /// A container needs a user namespace of its own.
    pub needs_user_namespace: bool,
    /// Mounts with mapped owners, and what else takes CAP_SYS_ADMIN of the initial user namespace.
    pub administers_host: bool,
    /// Gives files away and works on them afterwards.
    pub changes_owners: bool,
}

/// Of the calling thread, now: a program may change its ids.
#[napi(catch_unwind)]
pub fn process_rights() -> Result<ProcessRights> {
    let rights = Rights::find().map_err(|error| napi::Error::from_reason(error.to_string()))?;
    Ok(ProcessRights {
        in_user_namespace: rights.in_user_namespace,
        needs_user_namespace: rights.needs_user_namespace(),
        administers_host: rights.administers_host(),
        changes_owners: rights.changes_owners(),
    })
}
