//! Writes a plan as an archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use std::path::Path;

use rustix::io::Errno;

use super::plan::{Body, Plan, Planned};
use crate::blob::io_error;
use crate::compress::Writing;
use crate::error::display;
use crate::tar::write::Writer;
use crate::tar::{Entry, EntryKind};
use crate::{Error, Kind, Result, Stop};

pub fn append(plan: &Plan, epoch: Option<i64>, writing: &mut Writing<'_>, stop: &Stop) -> Result<()> {
    let mut writer = Writer::new(writing);
    let mut firsts: HashMap<Same<'_>, &[u8]> = HashMap::new();
    for planned in plan.iter() {
        stop.check()?;
        let path = &planned.entry.path;
        let origin = plan.origin(planned)?;
        let mut entry = archived(&origin.entry, epoch);
        if entry.kind != EntryKind::Directory {
            entry.path.clone_from(path);
            let same = origin.file.map_or(Same::Path(&origin.entry.path), Same::File);
            if let Some(first) = firsts.get(&same) {
                entry.kind = EntryKind::HardLink(first.to_vec());
                entry.xattrs.clear();
                (entry.size, entry.stored) = (0, 0);
            } else {
                firsts.insert(same, path);
            }
        }
        match entry.kind {
            EntryKind::File => body(plan, origin, &entry, &mut writer)?,
            _ => writer.append(&entry, &mut io::empty()).map_err(|error| tar_error(error, &entry.path))?,
        }
        stop.count_entry();
    }
    writer.finish().map_err(|error| tar_error(error, b"the archive"))?;
    Ok(())
}

/// Identifies hard links. The first one in the archive has the content, as readers create links immediately.
#[derive(PartialEq, Eq, Hash)]
enum Same<'p> {
    File((usize, u64, u64)),
    Path(&'p [u8]),
}

/// The archive form of an entry: a directory has a trailing slash, and times are clamped to `epoch`.
pub fn archived(entry: &Entry, epoch: Option<i64>) -> Entry {
    let mut entry = entry.clone();
    entry.mtime.nanoseconds = 0;
    if let Some(epoch) = epoch {
        entry.mtime.seconds = entry.mtime.seconds.min(epoch);
    }
    match (&entry.kind, entry.path.is_empty()) {
        (EntryKind::Directory, true) => entry.path = b"./".to_vec(),
        (EntryKind::Directory, false) => entry.path.push(b'/'),
        (EntryKind::Symlink(_), _) => entry.mode = 0o777, // whatever the file system reports
        _ => {}
    }
    entry
}

fn body(plan: &Plan, planned: &Planned, entry: &Entry, writer: &mut Writer<&mut Writing<'_>>) -> Result<()> {
    let mut source: Box<dyn Read> = match &planned.body {
        Body::None => Box::new(io::empty()),
        Body::Bytes(bytes) => Box::new(bytes.as_slice()),
        Body::File(path) => Box::new(File::open(path).map_err(|error| io_error("open", path, &error))?),
        Body::Tree(tree, path) => Box::new(open_again(plan, *tree, path, planned)?),
    };
    // Read and write errors look alike: the reading end keeps its own.
    let mut reading = Reading { source: &mut source, failure: None };
    let written = writer.append(entry, &mut reading);
    if let Some(error) = reading.failure {
        return Err(io_error("read", Path::new(&display(&entry.path)), &error));
    }
    written.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => changed(&entry.path),
        _ => tar_error(error, &entry.path),
    })
}

struct Reading<'s> {
    source: &'s mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
            other => other,
        }
    }
}

/// SECURITY: the tree may change while it is packed. Only the file that was scanned is read.
fn open_again(plan: &Plan, tree: usize, path: &[u8], planned: &Planned) -> Result<File> {
    let fd = plan.trees[tree].open(path).map_err(|error| match error.errno {
        Some(Errno::NOENT | Errno::NOTDIR) => changed(path),
        _ => error,
    })?;
    let status = rustix::fs::fstat(&fd).map_err(|errno| Error::system("fstat", path, errno))?;
    let same =
        planned.file.is_none_or(|(_, device, inode)| (device, inode) == (status.st_dev, status.st_ino));
    if !same || status.st_size as u64 != planned.entry.size {
        return Err(changed(path));
    }
    Ok(File::from(fd))
}

fn changed(path: &[u8]) -> Error {
    let shown = display(path);
    Error::new(Kind::Changed, format!("{shown} changed while it was packed"))
        .on(shown)
        .hint("pack a tree that nobody writes to")
}

/// The error that occurred below the tar writer.
pub fn tar_error(error: io::Error, path: &[u8]) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Error::new(Kind::Option, format!("{}: {error}", display(path))).on(display(path))
        }
        Err(error) => io_error("write", Path::new(&display(path)), &error),
    }
}
