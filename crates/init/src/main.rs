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

use std::ffi::{CStr, OsStr};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;

use caisson_plan::protocol::{NAME, OWNER};

#[cfg(not(test))]
caisson_sys::entry!(run);

/// The kernel's status for a file that cannot be executed, as shells have it.
const NOT_EXECUTABLE: i32 = 126;

/// SECURITY: an image may name `/proc/self/exe` as the interpreter of its program, by `#!` or PT_INTERP, which is this
/// executable when execve(2) looks. Then it does nothing: it would take a role on descriptors of the program.
#[cfg_attr(test, allow(dead_code))]
fn run(is_main_program: bool) -> i32 {
    let arguments: Vec<_> = std::env::args_os().collect();
    let role: fn() -> i32 = match arguments.as_slice() {
        [name] if is(name, NAME) => guard::run,
        [name, role] if is(name, NAME) && is(role, OWNER) => owner::run,
        _ => return refuse(),
    };
    if is_main_program { role() } else { refuse() }
}

fn is(argument: &OsStr, text: &CStr) -> bool {
    argument.as_bytes() == text.to_bytes()
}

fn refuse() -> i32 {
    // Without a reader the status tells alone.
    let _ = writeln!(io::stderr(), "caisson-init: not a program to be executed or an interpreter");
    NOT_EXECUTABLE
}
