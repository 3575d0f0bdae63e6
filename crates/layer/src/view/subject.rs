//! One file in a tree, accessed by its name in its directory, or by its own descriptor if this process cannot search
//! the directory.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::readable;
use super::rights::{Opening, Rights};
use crate::unpack::of_handle;
use crate::{Error, Result};

/// Both XATTR_LIST_MAX and XATTR_SIZE_MAX.
const XATTR_MAX: usize = 64 << 10;

pub struct Subject<'s> {
    parent: BorrowedFd<'s>,
    name: &'s [u8],
    /// Shown in errors.
    path: &'s [u8],
    rights: Option<&'s dyn Rights>,
    /// An O_PATH descriptor, if this process cannot look the name up.
    handle: Option<OwnedFd>,
    pub status: Stat,
}

impl<'s> Subject<'s> {
    /// `None` if it was removed meanwhile.
    pub fn find(
        parent: BorrowedFd<'s>,
        name: &'s [u8],
        path: &'s [u8],
        rights: Option<&'s dyn Rights>,
    ) -> Result<Option<Self>> {
        let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
        let (status, handle) = match (found, rights) {
            (Ok(status), _) => (status, None),
            (Err(Errno::NOENT), _) => return Ok(None),
            (Err(Errno::ACCESS), Some(rights)) => {
                let handle = match rights.open(parent, name, Opening::Handle, path) {
                    Err(error) if error.errno == Some(Errno::NOENT) => return Ok(None),
                    other => other?,
                };
                let status =
                    rustix::fs::fstat(&handle).map_err(|errno| Error::system("fstat", path, errno))?;
                (status, Some(handle))
            }
            (Err(errno), _) => return Err(readable::refused("fstatat", path, errno)),
        };
        Ok(Some(Self { parent, name, path, rights, handle, status }))
    }

    /// The target of a link.
    pub fn link(&self) -> Result<Vec<u8>> {
        let target = match &self.handle {
            Some(handle) => rustix::fs::readlinkat(handle, "", Vec::new()),
            None => rustix::fs::readlinkat(self.parent, self.name, Vec::new()),
        };
        Ok(target.map_err(|errno| Error::system("readlinkat", self.path, errno))?.into_bytes())
    }

    /// Extended attributes whose name `is_wanted`, sorted.
    pub fn xattrs(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut list = [0u8; 512];
        let names = match self.list(&mut list) {
            Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOENT) => return Ok(Vec::new()),
            Ok(length) => list[..length].to_vec(),
            Err(Errno::RANGE) => {
                let mut list = vec![0u8; XATTR_MAX];
                let length =
                    self.list(&mut list).map_err(|errno| Error::system("llistxattr", self.path, errno))?;
                list.truncate(length);
                list
            }
            // A file of mode 0, read by an unprivileged user: only root may have set attributes on it.
            Err(Errno::ACCESS | Errno::PERM) => return Ok(Vec::new()),
            Err(errno) => return Err(Error::system("llistxattr", self.path, errno)),
        };
        let mut xattrs = Vec::new();
        let mut buffer = vec![0u8; XATTR_MAX];
        for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty() && is_wanted(name)) {
            if let Some(value) = self.value(name, &mut buffer)? {
                xattrs.push((name.to_vec(), value));
            }
        }
        xattrs.sort();
        Ok(xattrs)
    }

    /// `None` if the attribute was removed meanwhile.
    fn value(&self, name: &[u8], buffer: &mut [u8]) -> Result<Option<Vec<u8>>> {
        let errno = match self.get(name, buffer) {
            Ok(length) => return Ok(Some(buffer[..length].to_vec())),
            Err(errno) => errno,
        };
        let error = match errno {
            Errno::ACCESS => match self.value_with_rights(name, buffer) {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            },
            errno => Error::system("lgetxattr", self.path, errno),
        };
        match error.errno {
            Some(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => Ok(None),
            _ => Err(error),
        }
    }

    /// For a file that its owner may not read, or that belongs to another user.
    fn value_with_rights(&self, name: &[u8], buffer: &mut [u8]) -> Result<Vec<u8>> {
        let (path, rights) = (self.path, self.rights);
        if let (Some(handle), Some(rights)) = (&self.handle, rights) {
            return rights.attribute(handle.as_fd(), name, path);
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(self.parent, self.name, flags, Mode::empty())
            .map_err(|errno| Error::system("openat", path, errno))?;
        let _readable = match (readable::unlock_file(&handle, path), rights) {
            (Err(_), Some(rights)) => return rights.attribute(handle.as_fd(), name, path),
            (unlocked, _) => unlocked?,
        };
        let length = self.get(name, buffer).map_err(|errno| Error::system("lgetxattr", path, errno))?;
        Ok(buffer[..length].to_vec())
    }

    fn list(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match &self.handle {
            Some(handle) => rustix::fs::listxattr(of_handle(handle.as_fd()), buffer),
            None => rustix::fs::llistxattr(self.place(), buffer),
        }
    }

    fn get(&self, name: &[u8], buffer: &mut [u8]) -> rustix::io::Result<usize> {
        match &self.handle {
            Some(handle) => rustix::fs::getxattr(of_handle(handle.as_fd()), name, buffer),
            None => rustix::fs::lgetxattr(self.place(), name, buffer),
        }
    }

    /// A path through the directory's descriptor; its last component is not followed.
    fn place(&self) -> Vec<u8> {
        [format!("/proc/self/fd/{}/", self.parent.as_raw_fd()).as_bytes(), self.name].concat()
    }
}
