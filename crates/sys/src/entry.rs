//! C `main` for a program that does without the start-up of the standard library (which reads `/proc/self/maps`,
//! makes a second stack for signal handlers, and ignores SIGPIPE): nothing that a helper of microseconds needs.

/// Defines `main`: calls the given function with nothing (arguments are in `std::env`) and exits with its result.
/// For a crate with `#![no_main]`.
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        // SAFETY: the one symbol of this name, with the signature that the C start-up code calls.
        #[unsafe(no_mangle)]
        extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
            let run: fn() -> i32 = $run;
            run()
        }
    };
}
