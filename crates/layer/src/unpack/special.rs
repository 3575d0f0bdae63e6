//! Devices and FIFOs, and placeholders for devices that cannot be created.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::apply::{Applier, creation_error};
use super::attributes::{Carrier, change_mode_of_handle, set_xattrs, timestamps};
use super::policy::Fallback;
use super::tree::Directory;
use crate::error::display;
use crate::tar::{Entry, EntryKind};
use crate::{Error, Kind, Result};

impl Applier<'_> {
    /// Devices and FIFOs.
    pub(super) fn special(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<()> {
        let (kind, what, (major, minor)) = match entry.kind {
            EntryKind::CharDevice(major, minor) => {
                (FileType::CharacterDevice, "character device", (major, minor))
            }
            EntryKind::BlockDevice(major, minor) => (FileType::BlockDevice, "block device", (major, minor)),
            _ => (FileType::Fifo, "FIFO", (0, 0)),
        };
        // The kernel has 12 bits for the major and 20 for the minor number; more would be truncated.
        if major >= 1 << 12 || minor >= 1 << 20 {
            return Err(Error::invalid(format!(
                "{}: device {major}:{minor} is out of range",
                display(&entry.path)
            )));
        }
        // SECURITY: overlayfs takes this for a whiteout, which in an image is a name.
        if self.claims.is_some() && kind == FileType::CharacterDevice && (major, minor) == (0, 0) {
            self.tree.remove(parent.fd.as_fd(), name)?;
            self.report.skip(
                &entry.path,
                "device",
                "character device 0:0 means a whiteout on overlays".to_owned(),
            );
            return Ok(());
        }
        let mode = Mode::from_raw_mode(0o600);
        let device = rustix::fs::makedev(major, minor);
        let is_device = kind != FileType::Fifo;
        let made = if is_device && self.policy.rootless {
            Err(Errno::PERM)
        } else {
            match rustix::fs::mknodat(&parent.fd, name, kind, mode, device) {
                Err(Errno::EXIST) => {
                    self.tree.remove(parent.fd.as_fd(), name)?;
                    rustix::fs::mknodat(&parent.fd, name, kind, mode, device)
                }
                other => other,
            }
        };
        match made {
            Ok(()) => {}
            Err(Errno::PERM) if is_device => {
                return self.without_device(parent, name, entry, what, major, minor);
            }
            Err(errno) => return Err(creation_error("mknodat", entry, errno)),
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::openat(&parent.fd, name, flags, Mode::empty())
            .map_err(|errno| Error::system("openat", &entry.path, errno))?;
        self.own(parent, node.as_fd(), Carrier::Handle, entry)?;
        let status = rustix::fs::fstat(&node).map_err(|errno| Error::system("fstat", &entry.path, errno))?;
        if FileType::from_raw_mode(status.st_mode) != kind {
            return Err(Error::new(
                Kind::Unsafe,
                format!("{} was replaced while it was made", display(&entry.path)),
            ));
        }
        change_mode_of_handle(node.as_fd(), entry.mode)
            .map_err(|errno| Error::system("chmod", &entry.path, errno))?;
        set_xattrs(node.as_fd(), Carrier::Handle, entry, &self.policy, &mut self.report)?;
        rustix::fs::utimensat(&parent.fd, name, &timestamps(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Error::system("utimensat", &entry.path, errno))
    }

    fn without_device(
        &mut self,
        parent: &Directory,
        name: &[u8],
        entry: &Entry,
        what: &str,
        major: u32,
        minor: u32,
    ) -> Result<()> {
        let shown = format!("{what} {major}:{minor}");
        match self.policy.devices {
            Fallback::Error => Err(Error::system("mknodat", &entry.path, Errno::PERM)
                .hint("an ordinary user cannot make devices; use devices: 'skip' or 'placeholder'")),
            Fallback::Skip => {
                // An entry of a lower layer under this name is replaced all the same.
                self.tree.remove(parent.fd.as_fd(), name)?;
                self.report.skip(&entry.path, "device", format!("{shown} is left out"));
                Ok(())
            }
            Fallback::Placeholder => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::empty();
                let file = self.replace(parent, name, entry, "openat", || {
                    rustix::fs::openat(&parent.fd, name, flags, mode)
                })?;
                self.take_place(&file, &entry.path)?;
                self.report.skip(&entry.path, "device", format!("{shown} is an empty file"));
                Ok(())
            }
        }
    }
}
