//! `caisson-init`, the static single-threaded helper: it makes a container around itself and becomes its program
//! (role `create`), or outlives Node to clean up after it (role `guard`). It adds no policy: what to do comes as a plan.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod console;
mod control;
mod create;
mod failure;
mod guard;
mod hook;
mod identity;
mod lookup;
mod namespaces;
mod passwd;
mod process;
mod procfs;
mod setup;
mod sources;
mod start;
mod stdio;

use caisson_plan::protocol::{ROLE_CREATE, ROLE_GUARD};

/// Exit status for a wrong command line: nobody can be told in a better way.
const USAGE: i32 = 64;

#[cfg(not(test))]
caisson_sys::entry!(run);

#[cfg_attr(test, allow(dead_code))]
fn run() -> i32 {
    match std::env::args().nth(1).as_deref() {
        Some(ROLE_CREATE) => create::run(),
        Some(ROLE_GUARD) => guard::run(),
        _ => USAGE,
    }
}
