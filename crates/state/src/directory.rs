//! The state directory `<root>/<id>` of a container, shared by all processes that use the root.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caisson_sys::lock;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};
use crate::id::check_id;
use crate::owned;
use crate::root::{StateRoot, directory_mode};

pub const START_SOCKET: &str = "start.sock";
/// The mount point of an overlay: empty outside the container.
pub const ROOTFS: &str = "rootfs";
pub(crate) const STATE: &str = "state.json";
pub(crate) const CLEANUP: &str = "cleanup.json";
pub(crate) const CONFIG: &str = "config.json";

/// Our files in it, in order of removal: without a cleanup record and a state, a directory belongs to no container.
const FILES: [&str; 6] = [START_SOCKET, ".cleanup.json.new", CLEANUP, ".state.json.new", STATE, CONFIG];

/// An existing state directory.
#[derive(Debug)]
pub struct StateDirectory {
    pub path: PathBuf,
    pub fd: OwnedFd,
}

impl StateDirectory {
    /// Creates it, and the root if missing. The caller removes it again if the create fails.
    pub fn create(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        let root = StateRoot::create(root)?;
        let path = root.path().join(id);
        match rustix::fs::mkdirat(&root, id, Mode::from_raw_mode(directory_mode())) {
            Ok(()) => Self::open_in(&root, id).inspect_err(|_| {
                let _ = rustix::fs::unlinkat(&root, id, AtFlags::REMOVEDIR);
            }),
            // COMPAT(runc): wording that engines look for.
            Err(Errno::EXIST) => {
                Err(Error::new(Kind::Exists, format!("container with given ID already exists: {id}"))
                    .on(&path))
            }
            Err(errno) => Err(Error::system("make state directory", &path, errno)),
        }
    }

    pub fn open(root: &Path, id: &str) -> Result<Self> {
        check_id(id)?;
        match StateRoot::open(root)? {
            Some(root) => Self::open_in(&root, id),
            None => Err(Self::not_found(id)),
        }
    }

    pub fn open_in(root: &StateRoot, id: &str) -> Result<Self> {
        check_id(id)?;
        let path = root.path().join(id);
        let opened =
            owned::open_directory(root.as_fd(), id.as_ref(), OFlags::RDONLY, "state directory", &path);
        match opened {
            Ok(Some(fd)) => Ok(Self { path, fd }),
            Ok(None) => Err(Self::not_found(id)),
            Err(error) if error.errno.as_deref() == Some("ENOTDIR") => Err(Self::not_found(id)),
            Err(error) => Err(error),
        }
    }

    /// COMPAT(runc): wording that engines look for.
    pub fn not_found(id: &str) -> Error {
        Error::new(Kind::NotFound, format!("container does not exist: {id}"))
    }

    /// The last component of the path.
    pub fn id(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Waits for the lock, which is held until the result is dropped. `NotFound` if the directory was removed
    /// meanwhile, `Timeout` if another process keeps it for half a minute: a removal takes a third of that at most.
    pub fn lock(&self) -> Result<OwnedFd> {
        self.lock_within(Duration::from_secs(30))
    }

    fn lock_within(&self, limit: Duration) -> Result<OwnedFd> {
        let again = self.reopen()?;
        let deadline = Instant::now() + limit;
        // A removed directory is not waited for: its holder may run on.
        let go_on = || Ok(Instant::now() < deadline && !self.is_removed(&again));
        let taken = lock::wait(&again, lock::Mode::Exclusive, go_on).map_err(|e| self.lock_failed(&e))?;
        match (self.is_removed(&again), taken) {
            (true, _) => Err(Self::not_found(self.id())),
            (false, true) => Ok(again),
            (false, false) => Err(self.kept_locked(&again)),
        }
    }

    fn kept_locked(&self, fd: &OwnedFd) -> Error {
        let holder = match lock::holder(fd) {
            Some(pid) if pid > 0 => format!("process {pid}"),
            _ => "a process".to_owned(),
        };
        let message =
            format!("container {} is not free: {holder} holds the lock of its state directory", self.id());
        Error::new(Kind::Timeout, message)
            .on(&self.path)
            .hint("a delete in that process does not end, or it took the lock with flock(2): end it, then try again")
    }

    /// Like `lock`, without waiting. `None` if another process has the lock, or has removed the directory.
    pub fn try_lock(&self) -> Result<Option<OwnedFd>> {
        let again = self.reopen()?;
        let taken =
            lock::try_lock(&again, lock::Mode::Exclusive).map_err(|error| self.lock_failed(&error))?;
        Ok((taken && !self.is_removed(&again)).then_some(again))
    }

    /// A duplicate would share its lock with the original descriptor.
    fn reopen(&self) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, ".", flags, Mode::empty())
            .map_err(|errno| Error::system("lock", &self.path, errno))
    }

    fn lock_failed(&self, error: &caisson_sys::Error) -> Error {
        Error::system("lock", &self.path, Errno::from_raw_os_error(error.errno()))
    }

    fn is_removed(&self, fd: &OwnedFd) -> bool {
        rustix::fs::fstat(fd).map_or(true, |status| status.st_nlink == 0)
    }

    /// The directory for the overlay mount in the container's mount namespace.
    pub fn make_rootfs(&self) -> Result<()> {
        rustix::fs::mkdirat(&self.fd, ROOTFS, Mode::from_raw_mode(0o700))
            .map_err(|errno| Error::system("make", &self.path.join(ROOTFS), errno))
    }

    /// Removes our files and the directory. Any other file in it is an error that leaves it in place.
    pub fn remove(&self) -> Result<()> {
        for name in FILES {
            match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(Error::system("remove", &self.path.join(name), errno)),
            }
        }
        let _ = rustix::fs::unlinkat(&self.fd, ROOTFS, AtFlags::REMOVEDIR);
        // SECURITY: removed relative to the open directory, whatever the path refers to by now.
        match rustix::fs::unlinkat(&self.fd, format!("../{}", self.id()), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::system("remove", &self.path, errno)),
        }
    }
}

#[cfg(feature = "document")]
pub use files::CONFIG_LIMIT;

#[cfg(feature = "document")]
mod files {
    use super::{
        AsFd, AtFlags, CONFIG, Errno, Error, Kind, Mode, OFlags, OwnedFd, Result, StateDirectory, owned,
    };

    /// Bytes of `config.json`, which may list many mounts, variables and system calls.
    pub const CONFIG_LIMIT: usize = 16 << 20;
    /// Bytes of the other documents: annotations are all that grows in them, and Kubernetes allows 256 KiB of these.
    const LIMIT: usize = 1 << 20;

    fn limit(name: &str) -> usize {
        if name == CONFIG { CONFIG_LIMIT } else { LIMIT }
    }

    impl StateDirectory {
        /// Writes the private copy of the configuration.
        pub fn write_config(&self, bytes: &[u8]) -> Result<()> {
            self.check_size(CONFIG, bytes)?;
            let written = self.create_file(CONFIG).and_then(|fd| write_all(&fd, bytes));
            written.map_err(|errno| Error::system("write", &self.path.join(CONFIG), errno))
        }

        pub fn read_config(&self) -> Result<Vec<u8>> {
            let missing = || Error::system("open", &self.path.join(CONFIG), Errno::NOENT);
            self.read_file(CONFIG)?.ok_or_else(missing)
        }

        /// Replaces the file by rename(2): a reader sees all of it or none of it.
        pub(crate) fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
            self.check_size(name, bytes)?;
            let fresh = format!(".{name}.new");
            let written = self.create_file(&fresh).and_then(|fd| write_all(&fd, bytes));
            let replaced =
                written.and_then(|()| rustix::fs::renameat(&self.fd, fresh.as_str(), &self.fd, name));
            replaced.map_err(|errno| {
                let _ = rustix::fs::unlinkat(&self.fd, fresh.as_str(), AtFlags::empty());
                Error::system("write", &self.path.join(name), errno)
            })
        }

        /// What could not be read again is not written.
        fn check_size(&self, name: &str, bytes: &[u8]) -> Result<()> {
            let (size, limit) = (bytes.len(), limit(name));
            if size <= limit {
                return Ok(());
            }
            let path = self.path.join(name);
            let message = format!("write {}: {size} bytes exceed the limit of {limit}", path.display());
            let error = Error::new(Kind::TooLarge, message).on(&path);
            Err(if name == CONFIG {
                error
            } else {
                error.hint("shorten the annotations of the configuration")
            })
        }

        fn create_file(&self, name: &str) -> rustix::io::Result<OwnedFd> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let create = || rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(0o600));
            match create() {
                // Left by a process that was killed while writing.
                Err(Errno::EXIST) => {
                    rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?;
                    create()
                }
                other => other,
            }
        }

        /// `None` if the file is missing.
        pub(crate) fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>> {
            let path = self.path.join(name);
            // No file of ours. A forced delete gets past it.
            let damaged =
                |what| Error::new(Kind::Damaged, format!("read {}: {what}", path.display())).on(&path);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => return Ok(None),
                // A link, or a socket.
                Err(Errno::LOOP | Errno::NXIO) => return Err(damaged("not a regular file")),
                Err(errno) => return Err(Error::system("open", &path, errno)),
            };
            let status = owned::check(fd.as_fd(), "state file", &path)?;
            if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile {
                return Err(damaged("not a regular file"));
            }
            match caisson_sys::file::read_all(fd.as_fd(), limit(name)) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.errno() == Errno::FBIG.raw_os_error() => Err(damaged("too large")),
                Err(error) => Err(Error::system("read", &path, Errno::from_raw_os_error(error.errno()))),
            }
        }
    }

    fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(fd, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
