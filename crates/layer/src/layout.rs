//! An image layout that another user may own and change concurrently: opened once, then accessed through descriptors
//! that no link can redirect.
//!
//! SECURITY: root edits layouts of users (`caisson image tag`). Every call that takes a path looks it up again, and its
//! owner can put a link there in between: chown(2) by path gave away any file, and garbage collection emptied the
//! link's target.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::blob::io_error;
use crate::temporary::with_unique_name;
use crate::unpack::{children, of_handle, remove_tree};
use crate::{Error, Kind, NewFile, Result, Stop};

const BLOBS: &str = "blobs";
/// Prefix of files that do not have their final name yet; they are removed when no process writes them any more.
const UNFINISHED: &[u8] = b".caisson-";
/// Algorithms of blobs that may be removed, with the number of hexadecimal digits of each.
const ALGORITHMS: [(&str, usize); 4] = [("sha256", 64), ("sha384", 96), ("sha512", 128), ("blake3", 64)];

pub struct LayoutDirectory {
    root: OwnedFd,
    path: PathBuf,
    /// Owner of the files that root writes here (as umoci keeps it).
    owner: Option<(u32, u32)>,
}

/// The result of garbage collection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Digests, sorted; for an unfinished file its name.
    pub removed: Vec<String>,
    pub bytes: u64,
    pub kept: u64,
}

impl LayoutDirectory {
    /// Links in `path` itself come from the caller and are followed.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| Error::system("open", bytes(path), errno))?;
        let status = rustix::fs::fstat(&root).map_err(|errno| Error::system("fstat", bytes(path), errno))?;
        let owner = (status.st_uid, status.st_gid);
        let owner = (caisson_rights::changes_owners() && owner != (0, 0)).then_some(owner);
        Ok(Self { root, path: path.to_owned(), owner })
    }

    /// A path to this directory that survives renames, valid in this process as long as this value lives.
    pub fn handle(&self) -> String {
        of_handle(self.root.as_fd())
    }

    /// Creates the missing directories of a layout.
    pub fn prepare(&self) -> Result<()> {
        self.algorithm("sha256").map(drop)
    }

    /// Writes a small file of the layout atomically. Returns [`Kind::Exists`] for an existing file that is not to be
    /// replaced.
    pub fn place(&self, name: &str, content: &[u8], replace: bool) -> Result<()> {
        let shown = self.path.join(plain(name)?);
        let file = NewFile::create_in(self.duplicate(self.root.as_fd())?, &shown, 0o644)?;
        file.file().write_all(content).map_err(|error| io_error("write", &shown, &error))?;
        self.give(file.file(), &shown)?;
        file.publish(replace)
    }

    /// Creates a blob whose digest is not known yet; it has no name until then.
    pub fn new_blob(&self) -> Result<NewFile> {
        NewFile::create_in(self.algorithm("sha256")?, &self.path.join(BLOBS).join("new"), 0o644)
    }

    /// Moves a blob to the path of its digest.
    pub fn place_blob(&self, blob: NewFile, digest: &str) -> Result<()> {
        let refused = || Error::new(Kind::Image, format!("{digest:?} is not a digest"));
        let (algorithm, encoded) = digest.split_once(':').ok_or_else(refused)?;
        let is_algorithm = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_encoded = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if [algorithm, encoded].contains(&"")
            || !algorithm.bytes().all(is_algorithm)
            || !encoded.bytes().all(is_encoded)
        {
            return Err(refused());
        }
        let shown = self.path.join(BLOBS).join(algorithm).join(encoded);
        self.give(blob.file(), &shown)?;
        blob.publish_in(self.algorithm(algorithm)?, &shown, true)
    }

    /// A private directory below `blobs` for the sources of a layer: its name there and its descriptor.
    pub fn spool(&self) -> Result<(Vec<u8>, OwnedFd)> {
        let blobs = self.directory(self.root.as_fd(), BLOBS)?;
        with_unique_name(".caisson-", |name| {
            match rustix::fs::mkdirat(&blobs, name, Mode::from_raw_mode(0o700)) {
                Err(Errno::EXIST) => return Ok(None),
                other => other.map_err(|errno| Error::system("mkdirat", name, errno))?,
            }
            let spool = self.open_directory(blobs.as_fd(), name)?;
            let status = rustix::fs::fstat(&spool).map_err(|errno| Error::system("fstat", name, errno))?;
            if status.st_uid != rustix::process::geteuid().as_raw() {
                return Err(unsafe_path(&self.path.join(BLOBS), "was exchanged while it was made"));
            }
            Ok(Some(spool))
        })
    }

    pub fn remove_spool(&self, name: &[u8]) -> Result<()> {
        remove_tree(self.directory(self.root.as_fd(), BLOBS)?.as_fd(), name)
    }

    /// Removes a blob. A missing blob is not an error.
    pub fn remove_blob(&self, digest: &str) -> Result<()> {
        let Some((algorithm, encoded)) =
            digest.split_once(':').filter(|parts| is_digest(parts.0, parts.1.as_bytes()))
        else {
            return Err(Error::new(Kind::Image, format!("{digest:?} is not a digest")));
        };
        let Some(directory) = self.existing(algorithm)? else { return Ok(()) };
        match rustix::fs::unlinkat(&directory, encoded, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::system("unlinkat", encoded.as_bytes(), errno)),
        }
    }

    /// Removes all blobs except those in `keep`, and unfinished files; with `dry_run` it only lists them. The caller
    /// excludes writers. Only names that are digests of a known algorithm are ever removed, and never a directory.
    pub fn collect(&self, keep: &BTreeSet<String>, dry_run: bool, stop: &Stop) -> Result<Collected> {
        let mut collected = Collected::default();
        let Some(blobs) = self.existing_in(self.root.as_fd(), BLOBS)? else { return Ok(collected) };
        // Opens all of them before anything is removed: a link is refused.
        let mut directories = Vec::new();
        for (algorithm, _) in ALGORITHMS {
            if let Some(directory) = self.existing_in(blobs.as_fd(), algorithm)? {
                directories.push((algorithm, directory));
            }
        }
        for name in sorted(blobs.as_fd())? {
            stop.check()?;
            if name.starts_with(UNFINISHED) && is_directory(blobs.as_fd(), &name) && !dry_run {
                remove_tree(blobs.as_fd(), &name)?; // streams that were never packed
            }
        }
        for (algorithm, directory) in directories {
            for name in sorted(directory.as_fd())? {
                stop.check()?;
                let digest = format!("{algorithm}:{}", String::from_utf8_lossy(&name));
                let garbage =
                    name.starts_with(UNFINISHED) || (is_digest(algorithm, &name) && !keep.contains(&digest));
                let status = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW);
                let status = match status {
                    Err(Errno::NOENT) => continue,
                    other => other.map_err(|errno| Error::system("fstatat", &name, errno))?,
                };
                if !garbage || FileType::from_raw_mode(status.st_mode) == FileType::Directory {
                    collected.kept += 1;
                    continue;
                }
                if !dry_run {
                    match rustix::fs::unlinkat(&directory, &name, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(errno) => return Err(Error::system("unlinkat", &name, errno)),
                    }
                }
                collected.bytes += u64::try_from(status.st_size).unwrap_or_default();
                collected.removed.push(digest);
            }
        }
        collected.removed.sort();
        Ok(collected)
    }

    /// fchown(2) of a file that this process has created and no other process can name or has changed.
    fn give(&self, file: &File, shown: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner else { return Ok(()) };
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        match rustix::fs::fchown(file, Some(uid), Some(gid)) {
            // Root without the capability, or in a user namespace that does not map the owner: the file stays readable.
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => Ok(()),
            Err(errno) => Err(Error::system("fchown", bytes(shown), errno)),
        }
    }

    /// The directory of an algorithm, created if missing.
    fn algorithm(&self, name: &str) -> Result<OwnedFd> {
        let blobs = self.directory(self.root.as_fd(), BLOBS)?;
        self.directory(blobs.as_fd(), name)
    }

    fn existing(&self, algorithm: &str) -> Result<Option<OwnedFd>> {
        match self.existing_in(self.root.as_fd(), BLOBS)? {
            Some(blobs) => self.existing_in(blobs.as_fd(), algorithm),
            None => Ok(None),
        }
    }

    /// `None` if it does not exist.
    fn existing_in(&self, parent: BorrowedFd<'_>, name: &str) -> Result<Option<OwnedFd>> {
        match self.open_directory(parent, name.as_bytes()) {
            Err(error) if error.errno == Some(Errno::NOENT) => Ok(None),
            other => other.map(Some),
        }
    }

    fn directory(&self, parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => return self.open_directory(parent, name.as_bytes()),
            other => other.map_err(|errno| Error::system("mkdirat", name.as_bytes(), errno))?,
        }
        let made = self.open_directory(parent, name.as_bytes())?;
        if let Some((uid, gid)) = self.owner {
            // SECURITY: the directory that is given away is empty and was root's, not one that the owner of the layout
            // put in its place.
            let status =
                rustix::fs::fstat(&made).map_err(|errno| Error::system("fstat", name.as_bytes(), errno))?;
            if status.st_uid == 0 && children(made.as_fd(), name.as_bytes())?.is_empty() {
                let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
                let _ = rustix::fs::fchown(&made, Some(uid), Some(gid)); // as with files
            }
        }
        Ok(made)
    }

    fn open_directory(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|errno| {
            let shown = self.path.join(BLOBS).join(String::from_utf8_lossy(name).as_ref());
            let shown = if name == BLOBS.as_bytes() { self.path.join(BLOBS) } else { shown };
            match errno {
                Errno::LOOP | Errno::NOTDIR => {
                    unsafe_path(&shown, "is not a directory: links are not followed here")
                }
                errno => Error::system("openat", bytes(&shown), errno),
            }
        })
    }

    fn duplicate(&self, fd: BorrowedFd<'_>) -> Result<OwnedFd> {
        rustix::io::fcntl_dupfd_cloexec(fd, 0)
            .map_err(|errno| Error::system("fcntl", bytes(&self.path), errno))
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn unsafe_path(path: &Path, why: &str) -> Error {
    let shown = path.display().to_string();
    Error::new(Kind::UnsafePath, format!("{shown} {why}")).on(shown)
}

fn plain(name: &str) -> Result<&str> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(Error::new(Kind::Option, format!("invalid file name {name:?}")));
    }
    Ok(name)
}

fn is_digest(algorithm: &str, encoded: &[u8]) -> bool {
    ALGORITHMS.iter().any(|(known, length)| *known == algorithm && encoded.len() == *length)
        && encoded.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn sorted(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>> {
    let mut names = children(directory, BLOBS.as_bytes())?;
    names.sort();
    Ok(names)
}

fn is_directory(parent: BorrowedFd<'_>, name: &[u8]) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("caisson-layout-{name}-{}", std::process::id()));
            std::fs::create_dir_all(path.join("layout")).unwrap();
            Self(path)
        }

        fn layout(&self) -> LayoutDirectory {
            LayoutDirectory::open(&self.0.join("layout")).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn digest(algorithm: &str, digit: char) -> String {
        let length = ALGORITHMS.iter().find(|(name, _)| *name == algorithm).unwrap().1;
        format!("{algorithm}:{}", digit.to_string().repeat(length))
    }

    fn put(layout: &LayoutDirectory, digest: &str) {
        let blob = layout.new_blob().unwrap();
        blob.file().write_all(b"blob").unwrap();
        layout.place_blob(blob, digest).unwrap();
    }

    #[test]
    fn blobs_get_their_places_and_only_garbage_goes() {
        let folder = Folder::new("collect");
        let layout = folder.layout();
        let (kept, gone, long) = (digest("sha256", 'a'), digest("sha256", 'b'), digest("sha512", 'c'));
        for digest in [&kept, &gone, &long] {
            put(&layout, digest);
        }
        let blobs = folder.0.join("layout/blobs");
        std::fs::write(blobs.join("sha256/notes.txt"), b"mine").unwrap();
        std::fs::write(blobs.join("sha256").join("d".repeat(63)), b"short").unwrap();
        std::fs::write(blobs.join("sha256/.caisson-new-left"), b"half").unwrap();
        std::fs::create_dir_all(blobs.join("md5")).unwrap();
        std::fs::write(blobs.join("md5").join("e".repeat(32)), b"other").unwrap();
        let (name, _) = layout.spool().unwrap();
        let keep = BTreeSet::from([kept.clone()]);
        let expected = [gone, "sha256:.caisson-new-left".to_owned(), long];
        let looked = layout.collect(&keep, true, &Stop::default()).unwrap();
        assert!(blobs.join(std::str::from_utf8(&name).unwrap()).exists());
        let collected = layout.collect(&keep, false, &Stop::default()).unwrap();
        assert_eq!(looked, collected);
        let mut removed = collected.removed.clone();
        removed.sort();
        let mut sorted = expected.to_vec();
        sorted.sort();
        assert_eq!((removed, collected.bytes, collected.kept), (sorted, 12, 3));
        assert!(blobs.join(kept.replace(':', "/")).exists());
        assert!(blobs.join("md5").join("e".repeat(32)).exists());
        assert!(!blobs.join(std::str::from_utf8(&name).unwrap()).exists());
    }

    #[test]
    fn links_are_neither_written_through_nor_emptied() {
        let folder = Folder::new("links");
        let layout = folder.layout();
        let outside = folder.0.join("outside");
        std::fs::create_dir_all(&outside).unwrap();
        let canary = outside.join("a".repeat(64));
        std::fs::write(&canary, b"canary").unwrap();
        let blobs = folder.0.join("layout/blobs");
        std::fs::create_dir(&blobs).unwrap();
        std::os::unix::fs::symlink(&outside, blobs.join("sha256")).unwrap();
        let refused = layout.collect(&BTreeSet::new(), false, &Stop::default()).unwrap_err();
        assert_eq!(refused.kind, Kind::UnsafePath);
        assert_eq!(layout.new_blob().err().unwrap().kind, Kind::UnsafePath);
        assert_eq!(layout.remove_blob(&digest("sha256", 'a')).unwrap_err().kind, Kind::UnsafePath);
        // A link in the place of a blob is removed itself.
        std::fs::remove_file(blobs.join("sha256")).unwrap();
        std::fs::create_dir(blobs.join("sha256")).unwrap();
        std::os::unix::fs::symlink(&canary, blobs.join("sha256").join("b".repeat(64))).unwrap();
        let collected = layout.collect(&BTreeSet::new(), false, &Stop::default()).unwrap();
        assert_eq!(collected.removed, [digest("sha256", 'b')]);
        assert_eq!(std::fs::read(&canary).unwrap(), b"canary");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
        // The directory of the layout is renamed and replaced by a link: the descriptor still refers to the directory.
        let layout = folder.layout();
        std::fs::rename(folder.0.join("layout"), folder.0.join("away")).unwrap();
        std::os::unix::fs::symlink(&outside, folder.0.join("layout")).unwrap();
        layout.place("index.json", b"{}", true).unwrap();
        assert!(folder.0.join("away/index.json").exists());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }
}
