//! A layer from the host's own programs: what `Image.fromHost` packs. No external program takes part; the libraries a
//! program needs are found by reading its ELF headers, as the dynamic loader would.

mod elf;
mod libraries;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use caisson_digest::Hasher;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::blob::io_error;
use crate::tar::write::Writer;
use crate::tar::{Entry, EntryKind, Time};
use crate::{Error, Kind, Result, Stop};

#[derive(Debug, Clone)]
pub struct Request {
    /// Names to look up in `search`, or absolute paths.
    pub programs: Vec<String>,
    pub search: Vec<PathBuf>,
    /// Where the layer is written, under a name of its own; the caller renames it to its digest.
    pub output: PathBuf,
    /// Seconds since the epoch for every entry.
    pub mtime: i64,
}

#[derive(Debug)]
pub struct Packed {
    /// Of the gzip stream.
    pub digest: String,
    pub size: u64,
    pub diff_id: String,
    /// Paths in the image, sorted.
    pub files: Vec<String>,
}

enum Content {
    Host(PathBuf),
    Text(&'static str),
}

/// Directories every image of this kind has, with their modes.
const DIRECTORIES: [(&str, u32); 12] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("var", 0o755),
    ("var/tmp", 0o1777),
    ("home", 0o755),
];
const TEXTS: [(&str, &str); 3] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];
const LINKS: [(&str, &str); 2] = [("bin", "usr/bin"), ("sbin", "usr/bin")];

/// Writes the layer. The same host files give the same bytes.
pub fn pack(request: &Request, stop: &Stop) -> Result<Packed> {
    let files = collect(request)?;
    let written = write(request, &files, stop);
    if written.is_err() {
        let _ = std::fs::remove_file(&request.output); // half a layer helps nobody; the error at hand says why
    }
    written
}

fn collect(request: &Request) -> Result<BTreeMap<String, Content>> {
    let mut files: BTreeMap<String, Content> =
        TEXTS.iter().map(|(path, text)| ((*path).to_owned(), Content::Text(text))).collect();
    let loader = libraries::Search::of_host();
    let mut libraries = BTreeSet::new();
    for program in &request.programs {
        let path = find_program(program, &request.search)?;
        let name = Path::new(program)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        for needed in loader.closure(&path)? {
            libraries.insert(needed);
        }
        files.insert(format!("usr/bin/{name}"), Content::Host(path));
    }
    for library in libraries {
        files.insert(library.place, Content::Host(library.file));
    }
    Ok(files)
}

fn find_program(program: &str, search: &[PathBuf]) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match Path::new(program) {
        path if path.is_absolute() => vec![path.to_owned()],
        _ if program.is_empty() || program.contains('/') => {
            return Err(Error::new(
                Kind::Option,
                format!("program {program:?} must be a name or an absolute path"),
            ));
        }
        path => search.iter().map(|directory| directory.join(path)).collect(),
    };
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let places: Vec<_> = search.iter().map(|path| path.display().to_string()).collect();
        Error::new(
            Kind::NotFound,
            format!("program {program:?} is not on this host (looked in {})", places.join(", ")),
        )
    })
}

fn write(request: &Request, files: &BTreeMap<String, Content>, stop: &Stop) -> Result<Packed> {
    let failed = |call, path: &Path, error: &io::Error| io_error(call, path, error);
    let output = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&request.output)
        .map_err(|error| failed("open", &request.output, &error))?;
    let blob = Hashed { out: BufWriter::new(output), hasher: Hasher::sha256(), count: 0 };
    let gzip = GzEncoder::new(blob, Compression::new(6)); // its header has no name and no time
    let mut tar = Writer::new(Hashed { out: gzip, hasher: Hasher::sha256(), count: 0 });

    for (path, entry) in entries(request, files)? {
        stop.check()?;
        let written = match files.get(&path) {
            Some(Content::Host(file)) => {
                let mut body = File::open(file).map_err(|error| failed("open", file, &error))?;
                tar.append(&entry, &mut body)
            }
            Some(Content::Text(text)) => tar.append(&entry, &mut text.as_bytes()),
            None => tar.append(&entry, &mut io::empty()),
        };
        written.map_err(|error| failed("write", Path::new(&path), &error))?;
    }

    let finish = || -> io::Result<(String, Hashed<BufWriter<File>>)> {
        let Hashed { out: gzip, hasher, .. } = tar.finish()?;
        let mut blob = gzip.finish()?;
        blob.flush()?;
        Ok((hasher.digest(), blob))
    };
    let (diff_id, blob) = finish().map_err(|error| failed("write", &request.output, &error))?;
    blob.out.get_ref().sync_all().map_err(|error| failed("fsync", &request.output, &error))?;
    Ok(Packed {
        digest: blob.hasher.digest(),
        size: blob.count,
        diff_id,
        files: files.keys().cloned().collect(),
    })
}

/// Every entry with its path, parents first.
fn entries(request: &Request, files: &BTreeMap<String, Content>) -> Result<BTreeMap<String, Entry>> {
    let entry = |path: &str, kind, mode, size| Entry {
        path: path.as_bytes().to_vec(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: Time { seconds: request.mtime, nanoseconds: 0 },
        stored: size,
        size,
        map: None,
        xattrs: Vec::new(),
    };
    let mut entries = BTreeMap::new();
    for (path, mode) in DIRECTORIES {
        entries.insert(path.to_owned(), entry(&format!("{path}/"), EntryKind::Directory, mode, 0));
    }
    for (path, target) in LINKS {
        entries.insert(path.to_owned(), entry(path, EntryKind::Symlink(target.into()), 0o777, 0));
    }
    for (path, content) in files {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            let missing = || entry(&format!("{parent}/"), EntryKind::Directory, 0o755, 0);
            entries.entry(parent.to_owned()).or_insert_with(missing);
        }
        let (mode, size) = match content {
            Content::Text(text) => (0o644, text.len() as u64),
            Content::Host(file) => {
                let status = std::fs::metadata(file).map_err(|error| io_error("stat", file, &error))?;
                (0o755, status.len())
            }
        };
        entries.insert(path.clone(), entry(path, EntryKind::File, mode, size));
    }
    Ok(entries)
}

/// Counts and hashes what passes.
struct Hashed<W> {
    out: W,
    hasher: Hasher,
    count: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
