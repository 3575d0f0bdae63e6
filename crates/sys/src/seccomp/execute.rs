//! Filter and program, with nothing in between.

use super::{ErrnoPage, Filter, Handover};
use crate::call::with_c_str;
use crate::process::Strings;
use crate::{Error, Result};

/// Loads the filter and executes the program. Returns only where the filter could not be loaded. A failed execve(2) is
/// stored in `page` and ends the process: after the filter no call is certain to be allowed, and none is needed.
///
/// A filter with a listener needs a `handover` to a thread that sends the listener away, and that ends the process
/// when the program is not executed.
pub fn execute(
    path: &str,
    arguments: &Strings,
    environment: &Strings,
    filter: &Filter,
    page: &ErrnoPage,
    handover: &Handover,
) -> Error {
    let (argv, envp) = (arguments.pointers(), environment.pointers());
    let failed = with_c_str(path, "execve", |path| -> Result<()> {
        let listener = filter.load()?;
        // No call and no allocation from here on, except execve itself.
        if filter.listens() {
            handover.await_sent(listener);
        }
        // SAFETY: a C string and two NULL-terminated arrays of C strings, all alive through the call.
        unsafe { libc::execve(path, argv.as_ptr(), envp.as_ptr()) };
        page.store(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO));
        if filter.listens() {
            // The filter may hand exit_group(2) to a supervisor that does not answer.
            handover.end();
        }
        // SAFETY: no pointers. It returns only where the filter forbids it.
        unsafe { libc::syscall(libc::SYS_exit_group, 1) };
        trap()
    });
    match failed {
        Ok(Ok(())) => Error::new("execve", "", libc::EIO),
        Ok(Err(error)) | Err(error) => error,
    }
}

/// Ends the process without a system call: the kernel delivers the signal of an invalid instruction in any case.
fn trap() -> ! {
    loop {
        // SAFETY: an instruction that is defined to be invalid.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            std::arch::asm!("ud2")
        };
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            std::arch::asm!("udf #0")
        };
    }
}
