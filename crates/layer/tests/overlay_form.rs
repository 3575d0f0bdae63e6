//! Layers unpacked one by one and merged equal layers unpacked on top of each other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use caisson_layer::blob::Blob;
use caisson_layer::store::{Content, tree_digest};
use caisson_layer::tar::write::Writer;
use caisson_layer::tar::{Entry, EntryKind, Time};
use caisson_layer::unpack::{self, Fallback, Merged, Policy};
use caisson_layer::{Kind, Limits, Result, Stop};
use proptest::prelude::*;

const POLICY: Policy = Policy {
    devices: Fallback::Skip,
    owners: Fallback::Skip,
    xattrs: Fallback::Skip,
    rootless: false,
    keep_dirlinks: false,
};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("caisson-overlay-{}-{serial}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        unpack::remove_directory(&self.0).unwrap();
    }
}

/// `d PATH`, `f PATH`, `l PATH TARGET`, `h PATH TARGET`, `w PATH` (whiteout), `o PATH` (opaque).
type Line = (char, String, String);

fn lines(text: &[&str]) -> Vec<Line> {
    let line = |text: &&str| {
        let mut words = text.split(' ');
        let kind = words.next().unwrap().chars().next().unwrap();
        (kind, words.next().unwrap().to_owned(), words.next().unwrap_or_default().to_owned())
    };
    text.iter().map(line).collect()
}

fn entry((kind, path, target): &Line, number: i64) -> (Entry, Vec<u8>) {
    let (parent, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(parent, name)| (parent, name));
    let marker = |name: &str| [parent, name].join("/");
    let mut body = Vec::new();
    let (path, kind) = match kind {
        'd' => (path.clone(), EntryKind::Directory),
        'l' => (path.clone(), EntryKind::Symlink(target.clone().into())),
        'h' => (path.clone(), EntryKind::HardLink(target.clone().into())),
        'c' => (path.clone(), EntryKind::CharDevice(0, 0)),
        'w' => (marker(&format!(".wh.{name}")), EntryKind::File),
        'o' => (format!("{path}/.wh..wh..opq"), EntryKind::File),
        _ => {
            body = format!("{path} {number}").into_bytes();
            (path.clone(), EntryKind::File)
        }
    };
    let xattrs = if matches!(kind, EntryKind::Directory) {
        vec![
            (b"user.number".to_vec(), number.to_string().into_bytes()),
            (b"trusted.overlay.opaque".to_vec(), b"y".to_vec()),
            (b"user.overlay.opaque".to_vec(), b"y".to_vec()),
            (b"trusted.overlay.redirect".to_vec(), b"/elsewhere".to_vec()),
        ]
    } else {
        Vec::new()
    };
    let size = body.len() as u64;
    let entry = Entry {
        path: path.into_bytes(),
        kind,
        mode: 0o700 + u32::try_from(number % 0o70).unwrap(),
        uid: if is_root() { 1000 + u32::try_from(number).unwrap() } else { 0 },
        gid: 0,
        mtime: Time { seconds: 1_000_000 + number, nanoseconds: 5 },
        stored: size,
        size,
        map: None,
        xattrs,
    };
    (entry, body)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn blobs(folder: &Path, layers: &[Vec<Line>]) -> Vec<Blob> {
    let mut number = 0;
    let blob = |(index, layer): (usize, &Vec<Line>)| {
        let mut writer = Writer::new(Vec::new());
        for line in layer {
            number += 1;
            let (entry, body) = entry(line, number);
            writer.append(&entry, &mut body.as_slice()).unwrap();
        }
        let path = folder.join(format!("{index}.tar"));
        File::create(&path).unwrap().write_all(&writer.finish().unwrap()).unwrap();
        Blob { path, offset: 0, digest: None, size: None, diff_id: None, compression: None }
    };
    layers.iter().enumerate().map(blob).collect()
}

/// What each path shows, with the inode's first name as its identity.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let status = fs::symlink_metadata(&path).unwrap();
        let kind = status.file_type();
        let mut text = format!(
            "{:o} {}:{} {}.{}",
            status.mode(),
            status.uid(),
            status.gid(),
            status.mtime(),
            status.mtime_nsec()
        );
        if kind.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if kind.is_symlink() {
            text += &format!(" -> {}", fs::read_link(&path).unwrap().display());
        } else if kind.is_file() {
            text += &format!(" {:?}", fs::read_to_string(&path).unwrap());
        } else if kind.is_char_device() {
            text += &format!(" device {}", status.rdev());
        }
        let mut list = vec![0u8; 4096];
        let length = rustix::fs::llistxattr(&path, &mut list[..]).unwrap_or(0);
        let mut names: Vec<_> =
            list[..length].split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        names.sort();
        text += &names.join(" ");
        found.insert(path.strip_prefix(root).unwrap().display().to_string(), text);
    }
    found
}

struct Shown {
    flat: BTreeMap<String, String>,
    merged: BTreeMap<String, String>,
    layers: Vec<BTreeMap<String, String>>,
}

fn flat(folder: &Path, blobs: &[Blob]) -> Result<PathBuf> {
    let target = folder.join("flat");
    let request = unpack::Request {
        layers: blobs.to_vec(),
        target: target.clone(),
        limits: Limits::default(),
        policy: POLICY,
    };
    unpack::unpack(&request, &Stop::default()).map(|_| target)
}

fn one_by_one(folder: &Path, blobs: &[Blob]) -> Result<Vec<File>> {
    let (limits, stop) = (Limits::default(), Stop::default());
    let mut done: Vec<File> = Vec::new();
    for (index, blob) in blobs.iter().enumerate() {
        let path = folder.join(format!("layer{index}"));
        fs::create_dir(&path).unwrap();
        let root = File::open(&path).unwrap();
        let unsettled = unpack::unpack_alone(blob, root.as_fd(), limits, POLICY, &stop)?;
        let below: Vec<_> = done.iter().rev().map(AsFd::as_fd).collect();
        let settled = unpack::settle(root.as_fd(), &below, unsettled, &limits, &Stop::default())?;
        let digest = |content| tree_digest(root.as_fd(), content, &Stop::default()).unwrap();
        // Checksums taken while files were written equal those of the files on disk.
        assert_eq!(digest(Content::Known(&settled.checksums)), digest(Content::Read));
        done.push(root);
    }
    Ok(done)
}

fn show(layers: &[Vec<Line>]) -> Result<Shown> {
    let folder = Folder::new();
    let blobs = blobs(&folder.0, layers);
    let flat = flat(&folder.0, &blobs);
    let done = one_by_one(&folder.0, &blobs);
    let (flat, done) = match (flat, done) {
        (Ok(flat), Ok(done)) => (flat, done),
        (Err(_), Err(error)) => return Err(error),
        (flat, done) => panic!("layer on layer: {:?}; one by one: {:?}", flat.err(), done.err()),
    };
    let stack = Merged::new(done.iter().rev().map(AsFd::as_fd).collect());
    let merged = folder.0.join("merged");
    unpack::flatten(&stack, &merged, None, &Stop::default())?;
    let layers = (0..done.len()).map(|index| tree(&folder.0.join(format!("layer{index}")))).collect();
    Ok(Shown { flat: tree(&flat), merged: tree(&merged), layers })
}

#[track_caller]
fn same(layers: &[&[&str]]) -> Shown {
    let layers: Vec<_> = layers.iter().map(|layer| lines(layer)).collect();
    let shown = show(&layers).unwrap();
    assert_eq!(shown.flat, shown.merged);
    shown
}

#[test]
fn a_whiteout_is_written_only_where_it_hides_something() {
    let shown = same(&[&["d a", "f a/b", "f a/c"], &["w a/b", "w a/nothing", "w elsewhere/x"]]);
    assert!(shown.layers[1]["a/b"].ends_with("device 0"), "{:?}", shown.layers[1]);
    assert_eq!(shown.layers[1].keys().collect::<Vec<_>>(), ["", "a", "a/b"]);
}

#[test]
fn directories_without_an_entry_look_like_those_below() {
    let shown = same(&[&["d .", "d a", "d a/b", "f a/b/c"], &["f a/b/d"], &["f a/new/e"]]);
    assert_eq!(shown.layers[1]["a"], shown.layers[0]["a"]);
    assert_eq!(shown.layers[1][""], shown.layers[0][""]);
}

#[test]
fn opaque_directories_hide_what_is_below_and_keep_what_is_new() {
    same(&[&["d a", "f a/old", "d a/sub", "f a/sub/x"], &["o a", "f a/new", "d a/sub", "f a/sub/y"]]);
    same(&[&["d a", "f a/old"], &["f a/new", "o a"]]);
    same(&[&["f x", "d y", "f y/z"], &["o .", "f new"]]);
    same(&[&["d a", "f a/old"], &["o a"], &["f a/newer"]]);
}

#[test]
fn a_whiteout_of_a_directory_with_new_children_leaves_those() {
    same(&[&["d a", "f a/old", "f a/both"], &["w a", "d a", "f a/new", "f a/both"]]);
    same(&[&["d a", "d a/b", "f a/b/c"], &["w a", "f a/b/new"]]);
}

#[test]
fn files_and_directories_replace_each_other() {
    same(&[&["d a", "f a/b"], &["f a"], &["d a", "f a/c"]]);
    same(&[&["f a"], &["f a/b"]]);
    same(&[&["d a", "f a/b"], &["w a"], &["d a"]]);
}

#[test]
fn a_link_below_is_followed_where_no_entry_replaces_it() {
    let shown = same(&[&["d usr", "d usr/lib", "l lib usr/lib"], &["f lib/x", "d lib/deep", "f lib/deep/y"]]);
    assert!(shown.merged.contains_key("usr/lib/deep/y"));
    same(&[&["l a /b/c", "d b"], &["f a/x"]]);
    same(&[&["l a ../../b", "d b"], &["f a/x"]]);
    same(&[&["d usr", "d usr/lib", "l lib usr/lib"], &["d lib", "f lib/x"]]);
    same(&[&["d usr", "d usr/lib", "f usr/lib/f", "l lib usr/lib"], &["w lib/f"]]);
    same(&[&["l a b", "l b c", "d c", "f c/f"], &["f a/x"], &["w a/f", "f b/y"]]);
    same(&[&["d a", "d a/b", "l a/b/l /a/b"], &["f a/b/l/l"]]); // an entry behind the link replaces it
}

#[test]
fn a_link_that_the_layer_hides_leads_nowhere() {
    same(&[&["d a", "d x", "l a/b /x", "l m a/b/c"], &["w a/b", "f m/new"]]);
}

#[test]
fn hard_links_reach_into_lower_layers() {
    let folder = Folder::new();
    let layers = [lines(&["d d", "f d/a"]), lines(&["h b d/a", "h c b"])];
    let done = one_by_one(&folder.0, &blobs(&folder.0, &layers)).unwrap();
    let inode = |name: &str| fs::metadata(folder.0.join("layer1").join(name)).unwrap().ino();
    assert_eq!((inode("b"), inode("c")), (inode("d/a"), inode("d/a")));
    drop(done);
    same(&[&["d d", "f d/a"], &["h b d/a"]]);
    same(&[&["d d", "f d/a", "l l d"], &["h b l/a", "f l/new"]]);
}

#[test]
fn a_hard_link_has_its_place_in_the_archive() {
    let lower: &[&str] = &["d d", "f d/f", "f g", "l s d"];
    for upper in [
        &["h a d/f", "f d/f"][..],          // the old file
        &["h a d/f", "f a"],                // replaced
        &["h a d/f", "f a/b"],              // replaced by the parent of another entry
        &["h a d/f", "d a", "f a/b"],       // by a directory
        &["h a d/f", "d d/f", "f d/f/new"], // the target is replaced
        &["h a d/f", "f d"],                // with all around it
        &["h a d/f", "w d/f"],              // the target is hidden afterwards
        &["h a d/f", "h b a", "h c d/f"],   // one file
        &["h g g"],
        &["h d/f g", "h g d/f"],
        &["h a s", "h d/s s"],
        &["h a z", "f z"], // nothing was there: the later entry is the target
        &["w d", "h d/new g"],
        &["w d", "h d/f g", "h d/sub/f g"],
    ] {
        let shown = same(&[lower, upper]);
        assert!(!shown.merged.keys().any(|path| path.contains(".wh.")));
    }
}

#[test]
fn hard_links_that_neither_way_can_make_are_errors() {
    for upper in [
        &["h a a"][..],
        &["h a b", "h b a"],
        &["h f/x f"],        // the target becomes the directory around the link
        &["f f/x", "h a f"], // or already is one
        &["f d", "h a d/x"], // nothing below is visible any more
        &["h d d/x"],        // the link would replace the directory that has its target
        &["h d/x d"],
    ] {
        let layers = [lines(&["f f", "d d", "f d/x"]), lines(upper)];
        let error = show(&layers).err().unwrap();
        assert!(matches!(error.kind, Kind::Invalid | Kind::Unsafe), "{upper:?}: {error}");
    }
}

#[test]
fn a_hard_link_to_what_the_same_layer_hides_is_an_error() {
    let error = show(&[lines(&["f a"]), lines(&["w a", "h b a"])]).err().unwrap();
    assert_eq!(error.kind, Kind::Invalid);
    let error = show(&[lines(&["d a"]), lines(&["h b a"])]).err().unwrap();
    assert_eq!(error.kind, Kind::Unsafe);
}

#[test]
fn attributes_and_devices_that_steer_overlays_are_not_taken_from_an_image() {
    let folder = Folder::new();
    let layers = [lines(&["d a", "f a/b", "f c"]), lines(&["d a", "c c", "f a/x"])];
    let done = one_by_one(&folder.0, &blobs(&folder.0, &layers)).unwrap();
    for index in 0..done.len() {
        for (path, text) in tree(&folder.0.join(format!("layer{index}"))) {
            assert!(!text.contains("overlay") && !text.contains("device"), "{path}: {text}");
        }
    }
}

fn path() -> impl Strategy<Value = String> {
    let first = prop::sample::select(vec!["a", "b", "c", "l", "m"]);
    let rest = prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    (first, rest).prop_map(|(first, rest)| [vec![first], rest].concat().join("/"))
}

fn line() -> impl Strategy<Value = Line> {
    let kinds = prop::sample::select(vec!['d', 'd', 'f', 'f', 'f', 'l', 'h', 'w', 'w', 'o']);
    (kinds, path(), path()).prop_map(|(kind, path, target)| match path.as_str() {
        "l" => ('l', path, "../x".to_owned()), // always a link
        "m" => ('l', path, "/x/y".to_owned()),
        _ if kind == 'l' => ('f', path, String::new()),
        _ => (kind, path, target),
    })
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

/// Archives of well-behaved tools: whiteouts first, no duplicate names, entries only below directories of the same
/// layer, and hard links between files of lower layers or of this one.
fn layer() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(line(), 1..9).prop_map(|mut lines| {
        let mut seen = std::collections::HashSet::new();
        lines.retain(|(kind, path, _)| matches!(kind, 'w' | 'o') || seen.insert(path.clone()));
        lines.sort_by_key(|(kind, path, _)| (!matches!(kind, 'w' | 'o'), *kind == 'h', path.clone()));
        let all = lines.clone();
        lines.retain(|(kind, path, target)| {
            let others = || all.iter().filter(|other| other.1 != *path || other.0 != *kind);
            let blocked = |path: &str| {
                others().any(|(kind, top, _)| matches!(kind, 'f' | 'l' | 'h') && is_below(path, top))
            };
            let tangled = *kind == 'h'
                && (path == target
                    || is_below(path, target)
                    || is_below(target, path)
                    || blocked(target)
                    || others().any(|(kind, path, _)| *kind != 'f' && path == target));
            !blocked(path) && !tangled
        });
        lines
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layers_show_the_same(layers in prop::collection::vec(layer(), 1..5)) {
        if let Ok(shown) = show(&layers) {
            prop_assert_eq!(shown.flat, shown.merged);
        }
    }
}
