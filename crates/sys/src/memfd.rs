//! Sealed memory files: the helper's program, and the plan it is given.

use std::io::{Seek, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags};

use crate::{Error, Result};

const F_SEAL_EXEC: u32 = 0x20;
const MFD_EXEC: u32 = 0x10;

/// An executable memory file that cannot be changed, truncated, or made unexecutable any more.
/// SECURITY: CVE-2019-5736 — a container that opens `/proc/self/exe` of the helper must not reach a host file, and
/// must not change the copy that other containers start from.
/// `EACCES`: the host refuses executable memory files (`vm.memfd_noexec=2`).
pub fn executable(name: &str, program: &[u8]) -> Result<OwnedFd> {
    // MFD_EXEC exists since 6.3; before, every memfd is executable and the flag is EINVAL. The same for F_SEAL_EXEC.
    let exec = MemfdFlags::from_bits_retain(MFD_EXEC);
    let base = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = match rustix::fs::memfd_create(name, base | exec) {
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(name, base),
        other => other,
    }
    .map_err(|e| Error::new("memfd_create", format!("{name:?}, MFD_EXEC"), e.raw_os_error()))?;
    let fd = filled(fd, program)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fchmod(&fd, rustix::fs::Mode::from_raw_mode(0o555))
        .map_err(|e| Error::new("fchmod", format!("{name:?}, 0555"), e.raw_os_error()))?;
    match rustix::fs::fcntl_add_seals(&fd, seals | SealFlags::from_bits_retain(F_SEAL_EXEC)) {
        Err(rustix::io::Errno::INVAL) => rustix::fs::fcntl_add_seals(&fd, seals),
        other => other,
    }
    .map_err(|e| Error::new("fcntl", format!("{name:?}, F_ADD_SEALS"), e.raw_os_error()))?;
    Ok(fd)
}

/// Read-only data for a child: sealed, positioned at its start.
pub fn data(name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let fd = filled(not_executable(name)?, bytes)?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&fd, seals)
        .map_err(|e| Error::new("fcntl", format!("{name:?}, F_ADD_SEALS"), e.raw_os_error()))?;
    Ok(fd)
}

/// An empty memory file, close-on-exec.
pub(crate) fn not_executable(name: &str) -> Result<OwnedFd> {
    const MFD_NOEXEC_SEAL: u32 = 0x8;
    let base = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match rustix::fs::memfd_create(name, base | MemfdFlags::from_bits_retain(MFD_NOEXEC_SEAL)) {
        Err(rustix::io::Errno::INVAL) => rustix::fs::memfd_create(name, base),
        other => other,
    }
    .map_err(|e| Error::new("memfd_create", format!("{name:?}"), e.raw_os_error()))
}

/// Everything a descriptor holds, from its start.
pub fn read_all(fd: &OwnedFd) -> Result<Vec<u8>> {
    let size = rustix::fs::fstat(fd).map_err(|e| Error::new("fstat", "memfd", e.raw_os_error()))?.st_size;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let mut filled = 0;
    while filled < bytes.len() {
        let at = filled as u64;
        match rustix::io::pread(fd, &mut bytes[filled..], at) {
            Ok(0) => return Err(Error::new("pread", "memfd: ended early", libc::EIO)),
            Ok(n) => filled += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new("pread", "memfd", e.raw_os_error())),
        }
    }
    Ok(bytes)
}

fn filled(fd: OwnedFd, bytes: &[u8]) -> Result<OwnedFd> {
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes)
        .and_then(|()| file.rewind())
        .map_err(|e| Error::new("write", "memfd", e.raw_os_error().unwrap_or(libc::EIO)))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_change_a_sealed_program() {
        let fd = executable("test", b"#!/bin/true\n").unwrap();
        assert_eq!(rustix::io::pwrite(&fd, b"x", 0).unwrap_err(), rustix::io::Errno::PERM);
        assert!(rustix::fs::ftruncate(&fd, 0).is_err());
        let seals = rustix::fs::fcntl_get_seals(&fd).unwrap();
        assert!(seals.contains(SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK));
    }

    #[test]
    fn data_reads_back_from_its_start() {
        let fd = data("plan", b"abc").unwrap();
        assert_eq!(read_all(&fd).unwrap(), b"abc");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::from(fd), &mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
