use super::*;
use crate::Result;
use crate::tar::{EntryKind, Time};

fn item(path: &str, kind: EntryKind, file: u64) -> (Vec<u8>, Item) {
    let size = if kind == EntryKind::File { 3 } else { 0 };
    let entry = Entry {
        path: path.as_bytes().to_vec(),
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Time { seconds: 5, nanoseconds: 0 },
        stored: size,
        size,
        map: None,
        xattrs: Vec::new(),
        kind,
    };
    (entry.path.clone(), Item { entry, file: (0, file), digest: Some(format!("sha256:{file:064x}")) })
}

fn view(items: impl IntoIterator<Item = (Vec<u8>, Item)>) -> View {
    View { items: items.into_iter().collect() }
}

fn changes(before: &View, now: &View, comparison: &Comparison) -> Vec<(String, Change)> {
    let found: Result<_> = difference(before, now, comparison, &mut |_| Ok(None));
    let text = |(path, change)| (String::from_utf8(path).unwrap(), change);
    found.unwrap().into_iter().map(text).collect()
}

fn file(path: &str, number: u64) -> (Vec<u8>, Item) {
    item(path, EntryKind::File, number)
}

fn directory(path: &str) -> (Vec<u8>, Item) {
    item(path, EntryKind::Directory, path.len() as u64 + 1000)
}

#[test]
fn a_removed_directory_is_one_removal() {
    let before = view([directory("d"), file("d/a", 1), file("d/b", 2), file("d-", 3)]);
    let now = view([file("d-", 3)]);
    assert_eq!(changes(&before, &now, &Comparison::default()), [("d".to_owned(), Change::Removed)]);
    assert_eq!(changes(&before, &before, &Comparison::default()), []);
    let gone = [("d".to_owned(), Change::Removed), ("d-".to_owned(), Change::Removed)];
    assert_eq!(changes(&before, &view([]), &Comparison::default()), gone);
}

#[test]
fn what_a_file_took_the_place_of_needs_no_removal() {
    let before = view([directory("d"), file("d/a", 1)]);
    let now = view([file("d", 1)]);
    let type_ = Change::Changed(vec!["type"]);
    assert_eq!(changes(&before, &now, &Comparison::default()), [("d".to_owned(), type_)]);
}

#[test]
fn content_tells_files_apart_that_look_the_same() {
    let content = Change::Changed(vec!["content"]);
    let (before, now) = (view([file("a", 1)]), view([file("a", 2)]));
    assert_eq!(changes(&before, &now, &Comparison::default()), [("a".to_owned(), content)]);
}

#[test]
fn a_new_name_brings_all_names() {
    let names = Change::Changed(vec!["names"]);
    let before = view([file("a", 1)]);
    let now = view([file("a", 1), file("b", 1)]);
    let expected = [("a".to_owned(), names.clone()), ("b".to_owned(), Change::Added)];
    assert_eq!(changes(&before, &now, &Comparison::default()), expected);
    // A lost name is only a removal; names that were separated are two files now.
    assert_eq!(changes(&now, &before, &Comparison::default()), [("b".to_owned(), Change::Removed)]);
    let mut parted = view([file("a", 1), file("b", 2)]);
    parted.items.get_mut(&b"b"[..]).unwrap().digest = now.items[&b"b"[..]].digest.clone();
    let expected = [("a".to_owned(), names.clone()), ("b".to_owned(), names)];
    assert_eq!(changes(&now, &parted, &Comparison::default()), expected);
}

#[test]
fn masks_hide_a_path_and_what_is_below_it_alone() {
    let comparison = Comparison { mask: vec![b"data".to_vec()], ..Comparison::default() };
    let before = view([directory("data"), file("data/a", 1), file("data2", 2)]);
    let now = view([directory("data"), file("data/b", 3)]);
    assert_eq!(changes(&before, &now, &comparison), [("data2".to_owned(), Change::Removed)]);
}

#[test]
fn what_an_ordinary_user_could_not_make_is_not_missed() {
    let device = item("null", EntryKind::CharDevice(1, 3), 1);
    let mut owned = file("a", 2);
    owned.1.entry.uid = 33;
    owned.1.entry.xattrs = vec![(b"security.capability".to_vec(), vec![1])];
    let before = view([device.clone(), owned]);
    let now = view([file("a", 2)]);
    let rootless = Comparison { rootless: true, ..Comparison::default() };
    assert_eq!(changes(&before, &now, &rootless), []);
    let mut placeholder = file("null", 9);
    (placeholder.1.entry.mode, placeholder.1.entry.size) = (0, 0);
    assert_eq!(changes(&view([device]), &view([placeholder]), &rootless), []);
    assert_eq!(changes(&before, &now, &Comparison::default()).len(), 2);
}

#[test]
fn a_manifest_says_all_there_is() {
    let mut strange = file("sp ace/#\\\u{e4}\n=", 7);
    strange.1.entry.xattrs = vec![(b"user.x y".to_vec(), vec![0, 255, 10]), (b"user.z".to_vec(), Vec::new())];
    strange.0 = [&strange.0[..], &[0xff]].concat();
    strange.1.entry.path.clone_from(&strange.0);
    let mut old = file("old", 4);
    old.1.entry.mtime.seconds = -2;
    let view = view([
        directory(""),
        directory("sp ace"),
        strange,
        old,
        item("link", EntryKind::Symlink(b"a b=c".to_vec()), 8),
        item("char", EntryKind::CharDevice(1, 3), 9),
        item("block", EntryKind::BlockDevice(8, 1 << 19), 10),
        item("fifo", EntryKind::Fifo, 11),
        file("one", 1),
        file("two", 1),
    ]);
    let mut text = Vec::new();
    write_manifest(&view, &mut text).unwrap();
    let read = parse_manifest(&text).unwrap();
    assert_eq!(changes(&view, &read, &Comparison::default()), []);
    assert_eq!(changes(&read, &view, &Comparison::default()), []);
    assert_eq!(read.items[&b"one"[..]].file, read.items[&b"two"[..]].file);
    for (path, item) in &view.items {
        assert_eq!(read.items[path].entry, item.entry);
    }
}

#[test]
fn manifests_of_others_are_refused_and_not_guessed() {
    for bad in
        ["a type=file", "./a type=door", "./a flags=uchg type=file", "./\\9 type=file", "./a type", "./a"]
    {
        assert_eq!(parse_manifest(bad.as_bytes()).unwrap_err().kind, crate::Kind::Option, "{bad}");
    }
}

#[test]
fn links_lead_where_they_would_in_the_root() {
    let link = |path: &str, to: &str| item(path, EntryKind::Symlink(to.into()), 77);
    let view = view([
        directory("usr"),
        directory("usr/bin"),
        file("usr/bin/sh", 1),
        link("bin", "usr/bin"),
        link("abs", "/usr/bin/sh"),
        link("up", "../../../usr"),
        link("loop", "loop"),
    ]);
    let of = |path: &str| view.resolve(path.as_bytes()).map(|path| String::from_utf8(path).unwrap());
    assert_eq!(of("/bin/sh").as_deref(), Some("usr/bin/sh"));
    assert_eq!(of("abs").as_deref(), Some("usr/bin/sh"));
    assert_eq!(of("up/bin/../bin/sh").as_deref(), Some("usr/bin/sh"));
    assert_eq!(of("bin/../bin").as_deref(), Some("usr/bin"));
    for missing in ["loop", "bin/sh/x", "no", "loop/x"] {
        assert_eq!(of(missing), None, "{missing}");
    }
}
