//! A page of memory through which a process behind a filter says what execve(2) failed with: no system call is needed.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::mm::{MapFlags, ProtFlags};

use crate::call::OrError;
use crate::{Result, memfd};

const SIZE: usize = 4096;

/// The page as the process has it that executes.
#[derive(Debug)]
pub struct ErrnoPage(&'static AtomicI32);

impl ErrnoPage {
    /// A page, and the descriptor with which another process reads it: [`failed_with`]. It stays mapped until exec.
    pub fn new() -> Result<(Self, OwnedFd)> {
        let file = memfd::not_executable("caisson-exec")?;
        rustix::fs::ftruncate(&file, SIZE as u64).or_error("ftruncate", || "memfd".to_owned())?;
        let none = std::ptr::null_mut();
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page = unsafe { rustix::mm::mmap(none, SIZE, access, MapFlags::SHARED, &file, 0) }
            .or_error("mmap", || format!("NULL, {SIZE}, MAP_SHARED"))?;
        // SAFETY: page-aligned, zeroed, never unmapped, and written through atomics only.
        Ok((Self(unsafe { &*page.cast::<AtomicI32>() }), file))
    }

    pub(super) fn store(&self, errno: i32) {
        self.0.store(errno, Ordering::Release);
    }
}

/// The errno of the execve(2) that failed; `None` where none has.
pub fn failed_with(page: impl AsFd) -> Result<Option<i32>> {
    let mut bytes = [0; 4];
    let read = rustix::io::pread(&page, &mut bytes, 0).or_error("pread", || "memfd".to_owned())?;
    let errno = if read == bytes.len() { i32::from_ne_bytes(bytes) } else { 0 };
    Ok((errno > 0).then_some(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_through_the_descriptor() {
        let (page, file) = ErrnoPage::new().unwrap();
        assert_eq!(failed_with(&file).unwrap(), None);
        page.store(libc::ENOEXEC);
        assert_eq!(failed_with(&file).unwrap(), Some(libc::ENOEXEC));
    }
}
