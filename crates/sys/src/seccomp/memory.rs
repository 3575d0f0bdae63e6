//! Memory of another process.

use crate::call::check;
use crate::{Error, Result};

/// `process_vm_readv(2)`: at most `length` bytes at `address` of process `pid`, fewer where a page that cannot be read
/// follows. It waits where the process decides about its page faults (userfaultfd(2), a FUSE file).
///
/// EFAULT: nothing can be read there. EPERM: no right to trace the process. ESRCH: no such process.
pub fn read_memory(pid: i32, address: u64, length: usize) -> Result<Vec<u8>> {
    /// A range that begins in one page and ends in a later one is read as far as it goes only if it is given in parts.
    const PAGE: u64 = 4096;
    const PARTS: usize = 1024; // UIO_MAXIOV
    let mut bytes = vec![0u8; length];
    let mut done = 0;
    while done < length {
        let mut parts = Vec::new();
        let mut total = 0;
        while done + total < length && parts.len() < PARTS {
            let at = address.wrapping_add((done + total) as u64);
            let size = ((PAGE - at % PAGE) as usize).min(length - done - total);
            parts.push(libc::iovec { iov_base: at as *mut _, iov_len: size });
            total += size;
        }
        let local = libc::iovec { iov_base: bytes[done..].as_mut_ptr().cast(), iov_len: total };
        // SAFETY: `local` is a live buffer of that length; the other addresses are of another process, where the
        // kernel checks them.
        let result =
            unsafe { libc::process_vm_readv(pid, &raw const local, 1, parts.as_ptr(), parts.len() as _, 0) };
        match check(result as _, "process_vm_readv", || format!("{pid}, {address:#x}, {length}")) {
            Ok(count) => {
                done += count as usize;
                if (count as usize) < total {
                    break;
                }
            }
            Err(error) if done > 0 && error.errno() == libc::EFAULT => break,
            Err(error) => return Err(error),
        }
    }
    if done == 0 && length > 0 {
        let arguments = format!("{pid}, {address:#x}, {length}");
        return Err(Error::new("process_vm_readv", arguments, libc::EFAULT));
    }
    bytes.truncate(done);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_up_to_the_first_page_that_is_not_there() {
        let length = 3 * 4096;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(page, libc::MAP_FAILED);
        // SAFETY: the mapping is that long, and nothing else uses it.
        unsafe {
            page.cast::<u8>().write_bytes(7, length);
            assert_eq!(libc::mprotect(page.add(2 * 4096), 4096, libc::PROT_NONE), 0);
        }
        let pid = std::process::id().cast_signed();
        let start = page as u64 + 100;
        assert_eq!(read_memory(pid, start, length).unwrap(), vec![7; 2 * 4096 - 100]);
        assert_eq!(read_memory(pid, page as u64 + 2 * 4096, 1).unwrap_err().errno(), libc::EFAULT);
        assert_eq!(read_memory(pid, start, 0).unwrap(), []);
        // SAFETY: as above; nothing refers to it any more.
        unsafe { libc::munmap(page, length) };
    }
}
