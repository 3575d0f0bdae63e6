//! Writes an archive that holds an image: documents, and blobs from any source, verified on the way.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use caisson_digest::Hasher;

use crate::blob::{self, Blob, io_error};
use crate::tar::write::Writer;
use crate::tar::{Entry, EntryKind};
use crate::write::plain;
use crate::{Error, NewFile, Result, Stop};

#[derive(Debug, Clone)]
pub enum Body {
    Bytes(Vec<u8>),
    /// Copied as it is stored. The size must be known; a digest that is given must match.
    Blob(Blob),
}

#[derive(Debug, Clone)]
pub struct Member {
    /// Without a leading or trailing slash.
    pub path: String,
    pub body: Body,
}

/// Writes an archive that appears at `output` once it is complete and on disk. An existing file is replaced, or refused
/// with [`Kind::Exists`](crate::Kind::Exists). The same members give the same bytes: they are sorted, belong to root,
/// and have no times.
pub fn write(mut members: Vec<Member>, output: &Path, replace: bool, stop: &Stop) -> Result<()> {
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let file = NewFile::create(output, 0o666)?;
    append_all(&members, file.file(), output, stop)?;
    file.publish(replace)
}

fn append_all(members: &[Member], file: &File, output: &Path, stop: &Stop) -> Result<()> {
    let failed = |error: &io::Error| io_error("write", output, error);
    let mut writer = Writer::new(file);
    let mut directories = BTreeSet::new();
    for Member { path, body } in members {
        for (at, _) in path.match_indices('/') {
            let directory = &path[..=at];
            if directories.insert(directory) {
                let entry = plain(directory.into(), EntryKind::Directory, 0o755);
                writer.append(&entry, &mut io::empty()).map_err(|error| failed(&error))?;
            }
        }
        let mut entry = plain(path.as_bytes().to_vec(), EntryKind::File, 0o644);
        match body {
            Body::Bytes(bytes) => {
                entry.size = bytes.len() as u64;
                writer.append(&entry, &mut bytes.as_slice()).map_err(|error| failed(&error))?;
            }
            Body::Blob(blob) => append_blob(blob, entry, &mut writer, output, stop)?,
        }
        stop.count_entry();
    }
    writer.finish().map(drop).map_err(|error| failed(&error))
}

fn append_blob(
    blob: &Blob,
    mut entry: Entry,
    writer: &mut Writer<&File>,
    output: &Path,
    stop: &Stop,
) -> Result<()> {
    let hasher = blob.digest.as_deref().map_or_else(|| Ok(Hasher::sha256()), Hasher::for_digest)?;
    entry.size = blob.size.unwrap_or(0);
    let mut source =
        Checked { file: blob::open(blob)?, hasher, seen: 0, path: &blob.path, stop, failure: None };
    let written = writer.append(&entry, &mut source);
    if let Some(failure) = source.failure {
        return Err(failure);
    }
    written.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => blob::size_mismatch(blob, source.seen), // the file has shrunk
        _ => io_error("write", output, &error),
    })?;
    blob::check_stored(blob, source.seen, &source.hasher.digest())
}

/// Hashes what is read. Read errors are kept apart from write errors.
struct Checked<'s> {
    file: File,
    hasher: Hasher,
    seen: u64,
    path: &'s Path,
    stop: &'s Stop,
    failure: Option<Error>,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stop.check().and_then(|()| {
            loop {
                match self.file.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(|error| io_error("read", self.path, &error)),
                }
            }
        });
        let count = read.map_err(|failure| {
            self.failure = Some(failure);
            io::Error::from(io::ErrorKind::Other)
        })?;
        self.hasher.update(&buffer[..count]);
        self.seen += count as u64;
        self.stop.count_read(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ItemKind, Listing, list};
    use super::*;
    use crate::{Kind, Limits};

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("caisson-archive-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = std::fs::read_dir(&folder.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn member(path: &str, body: Body) -> Member {
        Member { path: path.to_owned(), body }
    }

    /// A range of a file, as in an archive.
    fn stored(folder: &Folder, digest: &str) -> Body {
        let path = folder.0.join("store");
        std::fs::write(&path, b"..abc..").unwrap();
        Body::Blob(Blob { offset: 2, size: Some(3), digest: Some(digest.to_owned()), ..Blob::file(&path) })
    }

    fn sha512(bytes: &[u8]) -> String {
        let mut hasher = Hasher::new(caisson_digest::Algorithm::Sha512);
        hasher.update(bytes);
        hasher.digest()
    }

    #[test]
    fn the_same_members_in_any_order_give_the_same_bytes() {
        let folder = Folder::new("order");
        let digest = sha512(b"abc");
        // Too long for the ustar name fields.
        let name = format!("blobs/sha512/{}", &digest[7..]);
        let mut members = vec![
            member("oci-layout", Body::Bytes(b"{}".to_vec())),
            member(&name, stored(&folder, &digest)),
            member("index.json", Body::Bytes(Vec::new())),
        ];
        let (one, two) = (folder.0.join("one"), folder.0.join("two"));
        let stop = Stop::default();
        write(members.clone(), &one, false, &stop).unwrap();
        assert_eq!(stop.progress(), (3, 3));
        members.reverse();
        write(members, &two, false, &stop).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        let Listing::Items(items) = list(&one, &Limits::default(), &stop).unwrap() else { panic!() };
        let paths: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
        assert_eq!(paths, [name.as_str(), "index.json", "oci-layout"]);
        let ItemKind::File { offset, size: 3 } = items[0].kind else { panic!() };
        assert_eq!(&std::fs::read(&one).unwrap()[offset as usize..][..3], b"abc");
    }

    #[test]
    fn a_wrong_blob_leaves_no_archive() {
        let folder = Folder::new("wrong");
        let output = folder.0.join("out");
        let failing = |body: Body, stop: &Stop| {
            let error = write(vec![member("a", body)], &output, false, stop).unwrap_err();
            assert_eq!(names(&folder), ["store"]);
            error.kind
        };
        let stop = Stop::default();
        assert_eq!(failing(stored(&folder, &sha512(b"abd")), &stop), Kind::DigestMismatch);
        assert_eq!(failing(stored(&folder, "sha3:00"), &stop), Kind::Unsupported);
        let long = Blob { size: Some(99), ..Blob::file(&folder.0.join("store")) };
        assert_eq!(failing(Body::Blob(long), &stop), Kind::SizeMismatch);
        stop.stop();
        assert_eq!(failing(stored(&folder, &sha512(b"abc")), &stop), Kind::Stopped);
    }

    #[test]
    fn what_is_there_already_stays() {
        let folder = Folder::new("there");
        let output = folder.0.join("out");
        std::fs::write(&output, b"mine").unwrap();
        let error = write(Vec::new(), &output, false, &Stop::default()).unwrap_err();
        assert_eq!(error.kind, Kind::Exists);
        assert_eq!(std::fs::read(&output).unwrap(), b"mine");
        write(Vec::new(), &output, true, &Stop::default()).unwrap();
        assert_eq!(std::fs::read(&output).unwrap(), [0; 1024]);
        assert_eq!(names(&folder), ["out"]);
    }
}
