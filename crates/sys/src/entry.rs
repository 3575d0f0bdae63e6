//! C `main` for a program that does without the start-up of the standard library (which reads `/proc/self/maps`,
//! makes a second stack for signal handlers, and ignores SIGPIPE): nothing that a helper of microseconds needs.

/// Whether the kernel has begun this process at `start`, the `_start` of this executable (AT_ENTRY, getauxval(3)). It
/// has not where the executable is the interpreter (PT_INTERP) of another one.
pub fn begins_at(start: usize) -> bool {
    // SAFETY: reads the auxiliary vector that the C library keeps.
    let entry = unsafe { libc::getauxval(libc::AT_ENTRY) };
    usize::try_from(entry) == Ok(start)
}

/// Defines `main`: calls the given function with whether this executable is the program that was started, and exits
/// with its result. Arguments are in `std::env`. For a crate with `#![no_main]`.
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        // SAFETY: the symbol at which the C start-up code begins; only its address is taken.
        unsafe extern "C" {
            fn _start();
        }

        // SAFETY: the one symbol of this name, with the signature that the C start-up code calls.
        #[unsafe(no_mangle)]
        extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
            let run: fn(bool) -> i32 = $run;
            run($crate::entry::begins_at(_start as *const () as usize))
        }
    };
}
