//! A file that gets its name when it is complete. Until then it has none (`O_TMPFILE`, open(2)), so that even SIGKILL
//! leaves nothing behind. Where the file system has no `O_TMPFILE`, and for the moment in which one file replaces
//! another, it has a temporary name and a lock. An unlocked temporary file was left by a killed process, and is removed
//! when the next one is created there.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::blob::io_error;
use crate::temporary::{is_abandoned, with_unique_name};
use crate::unpack::{children, of_handle};
use crate::{Error, Kind, Result};

const PREFIX: &str = ".caisson-new-";

pub struct NewFile {
    file: File,
    directory: OwnedFd,
    target: PathBuf,
    name: Vec<u8>,
    /// The temporary name; `None` while it has no name.
    temporary: Option<Vec<u8>>,
}

impl NewFile {
    /// Opens a new file for writing. The umask applies to `mode`.
    pub fn create(target: &Path, mode: u32) -> Result<Self> {
        let (directory, _) = place(target)?;
        Self::create_in(directory, target, mode)
    }

    /// Like `create`, in an open directory; the file gets the last component of `target` there.
    pub fn create_in(directory: OwnedFd, target: &Path, mode: u32) -> Result<Self> {
        let name = name_of(target)?;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        match rustix::fs::openat(&directory, ".", flags, Mode::from_raw_mode(mode)) {
            Ok(file) => {
                // No other process has the file, so this cannot block. Without support for locks nothing is swept
                // either.
                let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
                Ok(Self { file: file.into(), directory, target: target.to_owned(), name, temporary: None })
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Self::named(target, mode, directory, name),
            Err(errno) => Err(Error::system("open", bytes(target), errno)),
        }
    }

    fn named(target: &Path, mode: u32, directory: OwnedFd, name: Vec<u8>) -> Result<Self> {
        sweep(directory.as_fd());
        let system = |errno| Error::system("open", bytes(target), errno);
        let (temporary, file) = with_unique_name(PREFIX, |temporary| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(&directory, temporary, flags, Mode::from_raw_mode(mode)) {
                Err(Errno::EXIST) => return Ok(None),
                other => other.map_err(system)?,
            };
            let _ = rustix::fs::flock(&file, FlockOperation::LockExclusive);
            // Swept before it was locked: retry under another name.
            let linked = rustix::fs::fstat(&file).map_err(system)?.st_nlink > 0;
            Ok(linked.then_some(file))
        })?;
        let (target, temporary) = (target.to_owned(), Some(temporary));
        Ok(Self { file: file.into(), directory, target, name, temporary })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Names the file and syncs it. An existing file is replaced, or refused with [`Kind::Exists`].
    pub fn publish(self, replace: bool) -> Result<()> {
        let directory = rustix::io::fcntl_dupfd_cloexec(&self.directory, 0)
            .map_err(|errno| Error::system("fcntl", bytes(&self.target), errno))?;
        let target = self.target.clone();
        self.publish_in(directory, &target, replace)
    }

    /// Like `publish`, in another directory of the same file system, as the last component of `target`.
    pub fn publish_in(mut self, directory: OwnedFd, target: &Path, replace: bool) -> Result<()> {
        self.name = name_of(target)?;
        target.clone_into(&mut self.target);
        self.file.sync_all().map_err(|error| io_error("fsync", &self.target, &error))?;
        let mut to = Some(directory);
        if self.temporary.is_none() {
            if let Some(directory) = to.take() {
                self.directory = directory;
            }
            match self.link(&self.name) {
                Err(Errno::EXIST) if replace => {}
                done => return self.named_as(done),
            }
            // No system call replaces a file by one without a name.
            sweep(self.directory.as_fd());
            let linked = with_unique_name(PREFIX, |temporary| match self.link(temporary) {
                Err(Errno::EXIST) => Ok(None),
                linked => Ok(Some(linked)),
            })?;
            match linked {
                (temporary, Ok(())) => self.temporary = Some(temporary),
                (_, failed) => return self.named_as(failed),
            }
        }
        let Some(temporary) = &self.temporary else { return Ok(()) };
        let from = &self.directory;
        let to = to.as_ref().unwrap_or(from);
        let renamed = if replace {
            rustix::fs::renameat(from, temporary, to, &self.name)
        } else {
            match rustix::fs::renameat_with(from, temporary, to, &self.name, RenameFlags::NOREPLACE) {
                // The file system does not know the flag; the temporary name is removed on drop.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    let linked = rustix::fs::linkat(from, temporary, to, &self.name, AtFlags::empty());
                    return self.named_as(linked);
                }
                other => other,
            }
        };
        if renamed.is_ok() {
            self.temporary = None;
        }
        self.named_as(renamed)
    }

    fn link(&self, name: &[u8]) -> rustix::io::Result<()> {
        let file = of_handle(self.file.as_fd());
        rustix::fs::linkat(CWD, file, &self.directory, name, AtFlags::SYMLINK_FOLLOW)
    }

    fn named_as(&self, done: rustix::io::Result<()>) -> Result<()> {
        done.map_err(|errno| match errno {
            Errno::EXIST => {
                let shown = self.target.display().to_string();
                Error::new(Kind::Exists, format!("{shown} exists already")).on(shown)
            }
            errno => Error::system("rename", bytes(&self.target), errno),
        })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = rustix::fs::unlinkat(&self.directory, temporary, AtFlags::empty()); // the next sweep removes it
        }
    }
}

/// Writes a whole file at once.
pub fn place_file(target: &Path, content: &[u8], mode: u32, replace: bool) -> Result<()> {
    let file = NewFile::create(target, mode)?;
    file.file().write_all(content).map_err(|error| io_error("write", target, &error))?;
    file.publish(replace)
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn name_of(target: &Path) -> Result<Vec<u8>> {
    let refused = || Error::new(Kind::Option, format!("{} cannot be a file", target.display()));
    target.file_name().map(|name| name.as_encoded_bytes().to_vec()).ok_or_else(refused)
}

fn place(target: &Path) -> Result<(OwnedFd, Vec<u8>)> {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(Error::new(Kind::Option, format!("{} cannot be a file", target.display())));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, parent, flags, Mode::empty())
        .map_err(|errno| Error::system("open", bytes(target), errno))?;
    Ok((directory, name.as_encoded_bytes().to_vec()))
}

/// Removes temporary files of processes that are gone. Best effort: what cannot be removed is left.
fn sweep(directory: BorrowedFd<'_>) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(listed) = rustix::fs::openat(directory, ".", flags, Mode::empty()) else { return };
    for name in children(listed.as_fd(), b".").unwrap_or_default() {
        if !name.starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(directory, &name, flags, Mode::empty()) else { continue };
        let is_file = rustix::fs::fstat(&file)
            .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::RegularFile);
        if is_file && is_abandoned(&file) {
            let _ = rustix::fs::unlinkat(directory, &name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("caisson-new-file-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// As on a file system without `O_TMPFILE`.
    fn named(target: &Path) -> NewFile {
        let (directory, name) = place(target).unwrap();
        NewFile::named(target, 0o666, directory, name).unwrap()
    }

    fn unnamed(target: &Path) -> NewFile {
        NewFile::create(target, 0o666).unwrap()
    }

    fn write(file: &NewFile, text: &str) {
        file.file().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn it_appears_when_it_is_complete_and_replaces_only_what_it_may() {
        for (kind, create) in [("unnamed", unnamed as fn(&Path) -> NewFile), ("named", named)] {
            let folder = Folder::new(kind);
            let target = folder.0.join("target");
            let file = create(&target);
            write(&file, "one");
            assert!(!target.exists());
            file.publish(false).unwrap();
            assert_eq!(std::fs::read(&target).unwrap(), b"one");

            let file = create(&target);
            write(&file, "two");
            assert_eq!(file.publish(false).unwrap_err().kind, Kind::Exists);
            assert_eq!(std::fs::read(&target).unwrap(), b"one");

            let file = create(&target);
            write(&file, "three");
            drop(file);
            let file = create(&target);
            write(&file, "four");
            file.publish(true).unwrap();
            assert_eq!(std::fs::read(&target).unwrap(), b"four");
            assert_eq!(folder.names(), ["target"], "{kind}");
        }
    }

    #[test]
    fn what_nobody_holds_is_swept() {
        let folder = Folder::new("sweep");
        let target = folder.0.join("target");
        let held = named(&target);
        let left = folder.0.join(format!("{PREFIX}left"));
        std::fs::write(&left, b"half").unwrap();
        std::os::unix::fs::symlink(&target, folder.0.join(format!("{PREFIX}link"))).unwrap();
        std::fs::write(&target, b"old").unwrap();
        unnamed(&target).publish(true).unwrap();
        assert!(!left.exists());
        write(&held, "held");
        held.publish(true).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"held");
        assert_eq!(folder.names(), [format!("{PREFIX}link"), "target".to_owned()]);
    }
}
