use std::io::Read;

use super::plan::plain;
use super::*;
use crate::inflate::Compression;
use crate::tar::{EntryKind, Reader};
use crate::{Error, Kind};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("caisson-write-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn request(folder: &Folder, steps: Vec<Step>) -> Request {
    Request {
        steps,
        output: folder.0.join("layer.tar"),
        settings: Settings::new(Compression::None),
        epoch: None,
        limits: Limits::default(),
        parents: false,
    }
}

fn entries(folder: &Folder, request: &Request) -> Vec<Entry> {
    write(request, &Stop::default()).unwrap();
    let mut bytes = Vec::new();
    std::fs::File::open(&request.output).unwrap().read_to_end(&mut bytes).unwrap();
    std::fs::remove_file(folder.0.join("layer.tar")).unwrap();
    let mut source = &bytes[..];
    let mut reader = Reader::new(&mut source, Limits::default());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry);
    }
    entries
}

fn file(path: &str) -> Step {
    let entry = plain(path.into(), EntryKind::File, 0o644);
    Step::Entry { entry, content: Content::Bytes(b"x".to_vec()) }
}

fn paths(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| String::from_utf8(entry.path.clone()).unwrap()).collect()
}

#[test]
fn markers_come_before_what_is_beside_them_and_parents_first() {
    let folder = Folder::new("order");
    let steps = vec![
        file("d/!first"),
        file("d-/x"),
        file("d/a"),
        Step::Remove { path: b"d/zz".to_vec() },
        Step::Opaque { path: b"d".to_vec() },
        Step::Remove { path: b"/gone/".to_vec() },
    ];
    let request = Request { parents: true, ..request(&folder, steps) };
    let found = entries(&folder, &request);
    let expected = [".wh.gone", "d/", "d/.wh..wh..opq", "d/.wh.zz", "d/!first", "d/a", "d-/", "d-/x"];
    assert_eq!(paths(&found), expected);
    assert!(found.iter().all(|entry| entry.mtime.seconds == 0));
}

#[test]
fn later_steps_win() {
    let folder = Folder::new("win");
    let directory =
        Step::Entry { entry: plain(b"d".to_vec(), EntryKind::Directory, 0o700), content: Content::None };
    let steps = vec![
        file("d/a"),
        directory,
        file("e/a"),
        file("e"),
        file("f/a"),
        Step::Remove { path: b"f".to_vec() },
    ];
    assert_eq!(paths(&entries(&folder, &request(&folder, steps))), [".wh.f", "d/", "d/a", "e"]);
}

#[test]
fn names_of_markers_and_impossible_paths_are_refused() {
    let folder = Folder::new("refused");
    for steps in [
        vec![file(".wh.x")],
        vec![file("a/.wh..wh..opq")],
        vec![file(".wh.d/x")],
        vec![Step::Remove { path: b"/".to_vec() }],
        vec![Step::Remove { path: b"a/.wh.b".to_vec() }],
        vec![file("a"), file("a/b")],
        vec![file("a"), Step::Remove { path: b"a/b".to_vec() }],
        vec![file("a"), Step::Opaque { path: b"a".to_vec() }],
        vec![file("/")],
        vec![Step::Tree { source: "/dev/null".into(), at: b"/".to_vec(), scan: Scan::default() }],
    ] {
        let error: Error = write(&request(&folder, steps), &Stop::default()).unwrap_err();
        assert_eq!(error.kind, Kind::Option, "{error}");
        assert!(!folder.0.join("layer.tar").exists());
    }
}

#[test]
fn an_attribute_may_have_any_name_and_value() {
    let folder = Folder::new("xattrs");
    let mut entry = plain(b"f".to_vec(), EntryKind::File, 0o644);
    let named = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    entry.xattrs = vec![
        named(b"user.", b"%3D"),
        named(b"user.%3D", b""),
        named(b"user.=", b""),
        named(b"user.a=b c%\xff=", b"\x00=\n"),
        named(b"user.a=b1", b"1234"),
        named(b"user.a=b2", b"12345"),
    ];
    let expected = entry.xattrs.clone();
    let found = entries(&folder, &request(&folder, vec![Step::Entry { entry, content: Content::None }]));
    assert_eq!(found[0].xattrs, expected);
}

#[test]
fn times_are_clamped_to_the_epoch_and_never_raised() {
    let folder = Folder::new("epoch");
    let at = |path: &str, seconds| {
        let mut entry = plain(path.into(), EntryKind::File, 0o644);
        entry.mtime = crate::tar::Time { seconds, nanoseconds: 999_999_999 };
        Step::Entry { entry, content: Content::None }
    };
    let request = Request {
        epoch: Some(100),
        ..request(&folder, vec![at("new", 200), at("old", 50), at("older", -3)])
    };
    let times: Vec<_> = entries(&folder, &request)
        .iter()
        .map(|entry| (entry.mtime.seconds, entry.mtime.nanoseconds))
        .collect();
    assert_eq!(times, [(100, 0), (50, 0), (-3, 0)]);
}

#[test]
fn a_tree_with_links_out_of_it_is_packed_as_it_is() {
    let folder = Folder::new("hostile");
    let tree = folder.0.join("tree");
    std::fs::create_dir_all(tree.join("real")).unwrap();
    std::fs::write(tree.join("real/f"), "inside").unwrap();
    std::fs::hard_link(tree.join("real/f"), tree.join("same")).unwrap();
    std::os::unix::fs::symlink("/etc", tree.join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", tree.join("passwd")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    let step = Step::Tree { source: tree, at: b"at".to_vec(), scan: Scan::default() };
    let request = request(&folder, vec![step]);
    let report = write(&request, &Stop::default()).unwrap();
    assert_eq!(report.warnings, ["socket is a socket and was left out"]);
    std::fs::remove_file(&request.output).unwrap();
    let found = entries(&folder, &request);
    assert_eq!(paths(&found), ["at/", "at/etc", "at/passwd", "at/real/", "at/real/f", "at/same"]);
    assert_eq!(found[1].kind, EntryKind::Symlink(b"/etc".to_vec()));
    assert_eq!(found[5].kind, EntryKind::HardLink(b"at/real/f".to_vec()));
}

#[test]
fn a_file_that_grows_while_it_is_packed_is_an_error() {
    let folder = Folder::new("grows");
    let tree = folder.0.join("tree");
    std::fs::create_dir_all(&tree).unwrap();
    std::fs::write(tree.join("f"), "12").unwrap();
    let mut plan = plan::Plan::default();
    let step = Step::Tree { source: tree.clone(), at: Vec::new(), scan: Scan::default() };
    steps::add(&step, &mut plan, &Limits::default(), &Stop::default()).unwrap();
    let settings = Settings::new(Compression::None);
    let pack = |plan: &plan::Plan| {
        compress::write(Vec::new(), &settings, &Stop::default(), |out| {
            append::append(plan, None, out, &Stop::default())
        })
    };
    assert!(pack(&plan).is_ok());
    std::fs::write(tree.join("f"), "123").unwrap();
    assert_eq!(pack(&plan).unwrap_err().kind, Kind::Changed);
    std::fs::remove_file(tree.join("f")).unwrap();
    assert_eq!(pack(&plan).unwrap_err().kind, Kind::Changed);
    std::os::unix::fs::symlink("/etc/passwd", tree.join("f")).unwrap();
    let error = pack(&plan).unwrap_err();
    assert_eq!(error.errno, Some(rustix::io::Errno::LOOP), "{error}");
}

#[test]
fn the_first_name_of_a_file_has_its_content_whoever_asked_for_the_link() {
    let folder = Folder::new("links");
    let link = |path: &str, target: &str| {
        let entry = plain(path.into(), EntryKind::HardLink(target.into()), 0o600);
        Step::Entry { entry, content: Content::None }
    };
    let mut target = plain(b"m/file".to_vec(), EntryKind::File, 0o4755);
    target.uid = 5;
    let target = Step::Entry { entry: target, content: Content::Bytes(b"content".to_vec()) };
    let steps = vec![link("z", "a"), link("a", "m/file"), target, link("out", "of/this/layer")];
    let entries = entries(&folder, &request(&folder, steps));
    let seen: Vec<_> =
        entries.iter().map(|entry| (entry.kind.clone(), entry.mode, entry.uid, entry.size)).collect();
    let to_a = || (EntryKind::HardLink(b"a".to_vec()), 0o4755, 5, 0);
    assert_eq!(paths(&entries), ["a", "m/file", "out", "z"]);
    assert_eq!(seen[0], (EntryKind::File, 0o4755, 5, 7));
    assert_eq!(seen[1], to_a());
    assert_eq!(seen[2].0, EntryKind::HardLink(b"of/this/layer".to_vec()));
    assert_eq!(seen[3], to_a());
    let directory =
        Step::Entry { entry: plain(b"d".to_vec(), EntryKind::Directory, 0o755), content: Content::None };
    let nowhere = [
        (vec![link("z", "z")], "itself"),
        (vec![link("y", "z"), link("z", "y")], "itself"),
        (vec![link("z", "d"), directory], "the directory d"),
    ];
    for (steps, why) in nowhere {
        let error = write(&request(&folder, steps), &Stop::default()).unwrap_err();
        assert!(error.kind == Kind::Option && error.to_string().contains(why), "{error}");
    }
}
