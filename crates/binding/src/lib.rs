//! The Node-API face of the native core: conversions only, one file per area; everything real lives in the crates
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
mod state;
mod store;
mod write;
mod write_request;
