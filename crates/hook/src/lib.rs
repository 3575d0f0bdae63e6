//! Runs OCI hooks (runtime-spec, "POSIX-platform Hooks"): all six kinds, in the runtime's namespaces by the engine and
//! in the container's by `caisson-init`. The state is passed on stdin as a memory file, so that a hook that does not
//! read it cannot block its caller.
#![forbid(unsafe_code)]

mod output;
mod run;
#[cfg(test)]
mod tests;

pub use run::{Context, Environment, HookError, run_all};
