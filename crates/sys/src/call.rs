//! From raw return values to [`Result`], and from Rust text to the C strings the kernel reads.

use std::ffi::{CStr, CString, c_char, c_long};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::{Error, Result};

/// Checks the value of `syscall(2)`: -1 means errno.
pub(crate) fn check(value: c_long, call: &'static str, arguments: impl FnOnce() -> String) -> Result<c_long> {
    if value == -1 { Err(Error::last(call, arguments())) } else { Ok(value) }
}

/// The same for calls that create a descriptor.
pub(crate) fn check_descriptor(
    value: c_long,
    call: &'static str,
    arguments: impl FnOnce() -> String,
) -> Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let value = check(value, call, arguments)?;
    // SAFETY: the kernel just created this descriptor for us, nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(value as RawFd) })
}

/// The same for what rustix returns.
pub(crate) trait OrError<T> {
    fn or_error(self, call: &'static str, arguments: impl FnOnce() -> String) -> Result<T>;
}

impl<T> OrError<T> for rustix::io::Result<T> {
    fn or_error(self, call: &'static str, arguments: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|errno| Error::new(call, arguments(), errno.raw_os_error()))
    }
}

/// Hands `text` to `body` as a C string; a NUL inside is EINVAL, as no system call can take it.
pub(crate) fn with_c_str<T>(
    text: &str,
    call: &'static str,
    body: impl FnOnce(*const c_char) -> T,
) -> Result<T> {
    let mut short = [0u8; 256];
    if text.len() < short.len() {
        short[..text.len()].copy_from_slice(text.as_bytes());
        if let Ok(c_str) = CStr::from_bytes_with_nul(&short[..=text.len()]) {
            return Ok(body(c_str.as_ptr()));
        }
    } else if let Ok(c_string) = CString::new(text) {
        return Ok(body(c_string.as_ptr()));
    }
    Err(Error::new(call, format!("{text:?}"), libc::EINVAL).on(text))
}

/// `7</proc>`, `AT_FDCWD`: a descriptor with what it points at. For messages only: the link is read through whatever
/// `/proc` is there.
pub(crate) fn describe(fd: BorrowedFd<'_>) -> String {
    let number = fd.as_raw_fd();
    if number == libc::AT_FDCWD {
        return "AT_FDCWD".to_owned();
    }
    match std::fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(target) => format!("{number}<{}>", target.display()),
        Err(_) => number.to_string(),
    }
}
