//! The Node-API bindings of the native core: only conversions, one file per area. The functionality is in the crates
//! below.
#![deny(unsafe_code)] // not forbid: the generated registration code of napi allows it for itself

mod archive;
mod digest;
mod engine;
mod event;
mod failure;
mod host;
mod layer;
mod layout;
mod lock;
mod owners;
mod request;
mod seccomp;
mod state;
mod store;
mod system_call;
mod write;
mod write_request;
