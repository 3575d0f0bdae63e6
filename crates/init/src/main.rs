//! `caisson-init`, the static single-threaded helper. It is started once per Node process, as the guard; copies of it
//! make a container around themselves and become its program. It adds no policy: what to do comes as a plan. As the
//! owner it gives files away for an ordinary user who unpacks an image.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod caller;
mod console;
mod control;
mod courier;
mod create;
mod execute;
mod failure;
mod guard;
mod hook;
mod identity;
mod lookup;
mod mappings;
mod namespaces;
mod owner;
mod passwd;
mod process;
mod procfs;
mod setup;
mod sources;
mod start;
mod starter;
mod stdio;

#[cfg(not(test))]
caisson_sys::entry!(run);

#[cfg_attr(test, allow(dead_code))]
fn run() -> i32 {
    match std::env::args().nth(1).as_deref() {
        Some(caisson_plan::protocol::OWNER) => owner::run(),
        _ => guard::run(),
    }
}
