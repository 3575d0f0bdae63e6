//! `linux.seccomp` of the runtime specification, compiled into classic BPF for seccomp(2). A pure function: no input or
//! output, no system call, no C library. docs/internal/seccomp.md describes the layout of a filter and where its
//! verdicts differ from libseccomp's.
#![forbid(unsafe_code)]

mod action;
mod architecture;
mod assembler;
mod cache;
mod chain;
mod check;
mod compile;
mod condition;
mod decision;
mod default;
mod error;
mod filter;
mod multiplex;
mod named;
pub mod names;
mod profile;
mod section;
mod table;
mod tree;

pub use action::Action;
pub use architecture::Architecture;
pub use cache::compile_once;
pub use caisson_flags::SeccompFlags;
pub use check::check;
pub use compile::{Target, compile};
pub use default::{Context, default_profile};
pub use error::Error;
pub use filter::{Filter, Instruction, MAX_INSTRUCTIONS};
pub use profile::{Argument, Flag, Operator, Profile, Rule};
