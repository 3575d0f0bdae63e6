//! What the tests of filters share: an interpreter, the definition of a profile's verdicts, and profiles to try.
#![allow(dead_code)]

pub mod definition;
pub mod interpreter;
pub mod libseccomp;
pub mod random;
pub mod shapes;
