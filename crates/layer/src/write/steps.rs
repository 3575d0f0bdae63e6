//! Turns steps into a plan.

use std::io::BufWriter;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::plan::{Body, Plan, Planned, join};
use super::upper::upper;
use super::{Base, Content, Step};
use crate::blob::io_error;
use crate::tar::EntryKind;
use crate::unpack::components;
use crate::view::{self, Change, Comparison, Item, Merging, Scan, Scanned, View, difference, scan, scan_one};
use crate::{Error, Kind, Limits, NewFile, Result, Stop};

/// A path in the form of a [`View`]: no leading or trailing slash, `.` and `..` resolved lexically.
fn normal(path: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    Ok(components(path, limits)?.join(&b'/'))
}

pub fn add(step: &Step, plan: &mut Plan, limits: &Limits, stop: &Stop) -> Result<()> {
    match step {
        Step::Entry { entry, content } => {
            let mut entry = entry.clone();
            entry.path = normal(&entry.path, limits)?;
            let body = match content {
                Content::None => Body::None,
                Content::Bytes(bytes) => {
                    entry.size = bytes.len() as u64;
                    Body::Bytes(bytes.clone())
                }
                Content::File(path) => {
                    let status = std::fs::metadata(path).map_err(|error| io_error("stat", path, &error))?;
                    if !status.is_file() {
                        let message = format!("{} is not a regular file", path.display());
                        return Err(Error::new(Kind::Option, message).on(path.to_string_lossy()));
                    }
                    entry.size = status.len();
                    Body::File(path.clone())
                }
            };
            if let EntryKind::HardLink(target) = &entry.kind {
                entry.kind = EntryKind::HardLink(normal(target, limits)?);
            }
            plan.put(Planned { entry, body, file: None })
        }
        Step::Tree { source, at, scan } => tree(source, &normal(at, limits)?, scan, plan, stop),
        Step::Upper { source, below, scan } => upper(source, below, scan, plan, stop),
        Step::Remove { path } => plan.remove(&normal(path, limits)?),
        Step::Opaque { path } => plan.opaque(&normal(path, limits)?),
        Step::Difference { source, base, scan, comparison } => {
            changes(source, base, scan, comparison, plan, stop)
        }
    }
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::system("open", path.as_os_str().as_encoded_bytes(), errno))
}

pub fn open_root(path: &Path) -> Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::DIRECTORY).or_else(|error| {
        // The root of a tree that its owner may not list; the scan makes it readable.
        if error.errno == Some(rustix::io::Errno::ACCESS) {
            open(path, OFlags::PATH | OFlags::DIRECTORY)
        } else {
            Err(error)
        }
    })
}

/// Opens a directory, or any other file by its name in its parent directory.
fn tree(source: &Path, at: &[u8], options: &Scan, plan: &mut Plan, stop: &Stop) -> Result<()> {
    if std::fs::symlink_metadata(source).map_err(|error| io_error("lstat", source, &error))?.is_dir() {
        return directory(source, at, options, plan, stop);
    }
    let (Some(parent), Some(name)) = (source.parent(), source.file_name()) else {
        return Err(Error::new(Kind::Option, format!("{} has no name", source.display())));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let scanned = scan_one(open_root(parent)?, name.as_encoded_bytes(), options, stop)?;
    put_all(plan, scanned, |_| at.to_vec())
}

/// Adds a directory with its content.
pub fn directory(source: &Path, at: &[u8], options: &Scan, plan: &mut Plan, stop: &Stop) -> Result<()> {
    let scanned = scan(open_root(source)?, options, stop)?;
    put_all(plan, scanned, |path| if path.is_empty() { at.to_vec() } else { join(at, path) })
}

/// Adds all scanned entries under the paths that `place` returns.
fn put_all(plan: &mut Plan, scanned: Scanned, place: impl Fn(&[u8]) -> Vec<u8>) -> Result<()> {
    let number = plan.trees.len();
    let items: Vec<(Vec<u8>, Item)> = scanned.view.items.clone().into_iter().collect();
    adopt(plan, scanned);
    for (path, mut item) in items {
        item.entry.path = place(&path);
        let (device, inode) = item.file;
        plan.put(Planned {
            entry: item.entry,
            body: Body::Tree(number, path),
            file: Some((number, device, inode)),
        })?;
    }
    Ok(())
}

pub fn adopt(plan: &mut Plan, mut scanned: Scanned) {
    plan.warnings.append(&mut scanned.warnings);
    plan.trees.push(scanned);
}

/// The entries of a root file system, with the digests of its files.
fn state(base: &Base, options: &Scan, stop: &Stop) -> Result<View> {
    match base {
        Base::Layers { layers, keep_dirlinks } => {
            let merging = Merging { contents: true, keep_dirlinks: *keep_dirlinks };
            view::merge(layers, merging, &options.limits, stop)
        }
        Base::Manifest(path) => {
            let bytes = std::fs::read(path).map_err(|error| io_error("read", path, &error))?;
            view::parse_manifest(&bytes).map_err(|error| error.on(path.to_string_lossy()))
        }
        Base::Directory(path) => {
            let mut scanned = scan(open_root(path)?, options, stop)?;
            hash(&mut scanned, stop)?;
            Ok(scanned.view)
        }
    }
}

/// The changes from one state to another, by path.
pub fn compare(
    before: &Base,
    after: &Base,
    options: &Scan,
    comparison: &Comparison,
    stop: &Stop,
) -> Result<Vec<(Vec<u8>, Change)>> {
    let comparison = Comparison { on_disk: !matches!(after, Base::Layers { .. }), ..comparison.clone() };
    let (before, after) = (state(before, options, stop)?, state(after, options, stop)?);
    difference(&before, &after, &comparison, &mut |_| Ok(None))
}

fn changes(
    source: &Path,
    base: &Base,
    options: &Scan,
    comparison: &Comparison,
    plan: &mut Plan,
    stop: &Stop,
) -> Result<()> {
    let before = state(base, options, stop)?;
    let after = scan(open_root(source)?, options, stop)?;
    let comparison = &Comparison { on_disk: true, ..comparison.clone() };
    let changes = difference(&before, &after.view, comparison, &mut |path| {
        stop.check()?;
        digest(&after, path).map(Some)
    })?;
    let number = plan.trees.len();
    let mut found = Vec::new();
    for (path, change) in &changes {
        match (change, after.view.items.get(path)) {
            (Change::Removed, _) | (_, None) => plan.remove(path)?,
            (_, Some(item)) => found.push((path.clone(), item.clone())),
        }
    }
    adopt(plan, after);
    for (path, mut item) in found {
        if comparison.rootless {
            keep_owner(&mut item, before.items.get(&path));
        }
        let (device, inode) = item.file;
        plan.put(Planned {
            entry: item.entry,
            body: Body::Tree(number, path),
            file: Some((number, device, inode)),
        })?;
    }
    plan.changes.extend(changes);
    Ok(())
}

/// The tree of an unprivileged user has no owners: files keep their previous ones.
pub fn keep_owner(item: &mut Item, before: Option<&Item>) {
    let same_kind =
        |old: &&Item| std::mem::discriminant(&old.entry.kind) == std::mem::discriminant(&item.entry.kind);
    if (item.entry.uid, item.entry.gid) == (0, 0)
        && let Some(Item { entry, .. }) = before.filter(same_kind)
    {
        (item.entry.uid, item.entry.gid) = (entry.uid, entry.gid);
    }
}

fn digest(scanned: &Scanned, path: &[u8]) -> Result<String> {
    let file = scanned.open(path)?;
    let mut hasher = caisson_digest::Hasher::sha256();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match rustix::io::read(&file, &mut buffer[..]) {
            Ok(0) => return Ok(hasher.digest()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::system("read", path, errno)),
        }
    }
}

fn hash(scanned: &mut Scanned, stop: &Stop) -> Result<()> {
    let files = scanned.view.items.iter().filter(|(_, item)| item.entry.kind == EntryKind::File);
    let paths: Vec<Vec<u8>> = files.map(|(path, _)| path.clone()).collect();
    for path in paths {
        stop.check()?;
        let found = digest(scanned, &path)?;
        if let Some(item) = scanned.view.items.get_mut(&path) {
            item.digest = Some(found);
        }
    }
    Ok(())
}

/// Writes a manifest of a directory for a later [`Base::Manifest`], and returns the number of entries.
pub fn snapshot(source: &Path, output: &Path, options: &Scan, stop: &Stop) -> Result<u64> {
    let mut scanned = scan(open_root(source)?, options, stop)?;
    hash(&mut scanned, stop)?;
    let file = NewFile::create(output, 0o666)?; // a truncated manifest would be taken for a whole one
    let mut out = BufWriter::new(file.file());
    view::write_manifest(&scanned.view, &mut out)
        .and_then(|()| out.into_inner().map_err(std::io::IntoInnerError::into_error))
        .map_err(|error| io_error("write", output, &error))?;
    file.publish(false)?;
    Ok(scanned.view.items.len() as u64)
}
