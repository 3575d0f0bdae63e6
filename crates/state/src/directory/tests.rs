use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::*;
use crate::{CgroupState, Progress, StateFile, VERSION};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("caisson-state-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn state(id: &str) -> StateFile {
    StateFile {
        version: VERSION,
        id: id.into(),
        oci_version: "1.2.0".into(),
        bundle: "/bundle".into(),
        rootfs: "/bundle/rootfs".into(),
        annotations: [("a".to_owned(), "b".to_owned())].into(),
        created: "2026-01-01T00:00:00.000000000Z".into(),
        owner: "root".into(),
        status: Progress::Ready,
        attached: false,
        owner_pid: 1,
        owner_start_time: "1".into(),
        boot_id: "boot".into(),
        pid: Some(7),
        start_time: Some("99".into()),
        cgroup: CgroupState { mode: "v2".into(), directories: vec!["/sys/fs/cgroup/x".into()] },
        resctrl: vec!["/sys/fs/resctrl/x".into()],
        terminal: false,
        pid_namespace: true,
        overlay: None,
        image: None,
        directory: Some("/somewhere".into()),
        listener_path: Some("/run/agent.sock".into()),
        host_mounts: None,
    }
}

fn kind<T>(result: Result<T>) -> Kind {
    result.map(drop).unwrap_err().kind
}

#[test]
fn a_taken_id_is_told_and_nothing_is_left_after_removal() {
    let top = Scratch::new("taken");
    let root = top.0.join("made/on/the/way");
    let directory = StateDirectory::create(&root, "one").unwrap();
    assert_eq!(kind(StateDirectory::create(&root, "one")), Kind::Exists);
    assert!(directory.read_state().unwrap().is_none());
    directory.write_config(b"{}").unwrap();
    directory.make_rootfs().unwrap();
    directory.write_state(&state("one")).unwrap();
    directory.write_state(&state("one")).unwrap();
    assert_eq!(directory.read_state().unwrap(), Some(state("one")));
    assert_eq!(StateRoot::open(&root).unwrap().unwrap().ids().unwrap(), ["one"]);
    directory.remove().unwrap();
    assert_eq!(kind(StateDirectory::open(&root, "one")), Kind::NotFound);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn what_is_not_ours_in_a_state_directory_stays() {
    let root = Scratch::new("stays");
    let directory = StateDirectory::create(&root.0, "one").unwrap();
    directory.write_state(&state("one")).unwrap();
    fs::write(directory.path.join("precious"), "").unwrap();
    assert_eq!(directory.remove().unwrap_err().errno.as_deref(), Some("ENOTEMPTY"));
    let left: Vec<_> = fs::read_dir(&directory.path).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["precious"]);
}

#[test]
fn what_others_may_write_to_is_not_believed() {
    let root = Scratch::new("unsafe");
    let directory = StateDirectory::create(&root.0, "one").unwrap();
    directory.write_state(&state("one")).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for bits in [0o777, 0o720, 0o702, 0o1777] {
        mode(&root.0, bits);
        assert_eq!(kind(StateDirectory::open(&root.0, "one")), Kind::Unsafe, "{bits:o}");
        assert_eq!(kind(StateDirectory::create(&root.0, "two")), Kind::Unsafe, "{bits:o}");
        assert_eq!(kind(StateRoot::open(&root.0)), Kind::Unsafe, "{bits:o}");
    }
    mode(&root.0, 0o755);
    mode(&directory.path, 0o770);
    assert_eq!(kind(StateDirectory::open(&root.0, "one")), Kind::Unsafe);
    mode(&directory.path, 0o755);
    mode(&directory.path.join(STATE), 0o666);
    assert_eq!(kind(StateDirectory::open(&root.0, "one").unwrap().read_state()), Kind::Unsafe);
    mode(&directory.path.join(STATE), 0o644);
    StateDirectory::open(&root.0, "one").unwrap().read_state().unwrap().unwrap();
}

#[test]
fn no_link_is_followed() {
    let top = Scratch::new("links");
    let root = top.0.join("root");
    let directory = StateDirectory::create(&root, "one").unwrap();
    directory.write_state(&state("one")).unwrap();
    symlink(&root, top.0.join("linked")).unwrap();
    assert_eq!(kind(StateDirectory::open(&top.0.join("linked"), "one")), Kind::Unsafe);
    symlink(&directory.path, root.join("two")).unwrap();
    assert_eq!(kind(StateDirectory::open(&root, "two")), Kind::Unsafe);
    // A link in the place of the next temporary file.
    let canary = top.0.join("canary");
    fs::write(&canary, "alive").unwrap();
    for name in [".state.json.new", ".cleanup.json.new", CONFIG] {
        symlink(&canary, directory.path.join(name)).unwrap();
    }
    directory.write_state(&state("one")).unwrap();
    directory.write_config(b"{}").unwrap();
    assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    fs::remove_file(directory.path.join(STATE)).unwrap();
    symlink(&canary, directory.path.join(STATE)).unwrap();
    assert_eq!(kind(directory.read_state()), Kind::Damaged);
}

#[test]
fn a_damaged_state_is_told_and_what_to_end_is_still_known() {
    let root = Scratch::new("damaged");
    let directory = StateDirectory::create(&root.0, "one").unwrap();
    directory.write_state(&state("one")).unwrap();
    let path = directory.path.join(STATE);
    let whole = fs::read(&path).unwrap();
    for bytes in [&b""[..], &whole[..whole.len() / 2], b"{}", b"[]", b"null"] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(kind(directory.read_state()), Kind::Damaged, "{}", String::from_utf8_lossy(bytes));
    }
    fs::File::create(&path).unwrap().set_len(1 << 33).unwrap();
    assert_eq!(kind(directory.read_state()), Kind::Damaged);
    fs::remove_file(&path).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(kind(directory.read_state()), Kind::Damaged);
    drop(socket);
    fs::remove_file(&path).unwrap();
    assert_eq!(kind(directory.read_state()), Kind::Damaged);
    let record = directory.read_cleanup().unwrap().unwrap();
    assert_eq!((record.pid, record.cgroup), (Some(7), state("one").cgroup));
}

#[test]
fn an_older_version_is_migrated_and_a_newer_one_is_refused_by_name() {
    let root = Scratch::new("version");
    let directory = StateDirectory::create(&root.0, "one").unwrap();
    let path = directory.path.join(STATE);
    let of = |version| StateFile { version, ..state("one") };
    fs::write(&path, serde_json::to_vec(&of(1)).unwrap()).unwrap();
    assert_eq!(directory.read_state().unwrap(), Some(of(VERSION)));
    fs::write(&path, serde_json::to_vec(&of(VERSION + 1)).unwrap()).unwrap();
    let error = directory.read_state().unwrap_err();
    assert_eq!(error.kind, Kind::Version);
    assert!(error.message.starts_with("unsupported state version 3 in "), "{error}");
}

#[test]
fn a_lock_that_is_kept_names_its_holder_and_ends_the_wait() {
    let top = Scratch::new("kept");
    let directory = StateDirectory::create(&top.0, "one").unwrap();
    let held = directory.lock().unwrap();
    let refused = directory.lock_within(Duration::ZERO).unwrap_err();
    assert_eq!(refused.kind, Kind::Timeout);
    let expected = format!(
        "container one is not free: process {} holds the lock of its state directory",
        std::process::id()
    );
    assert_eq!(refused.message, expected);
    drop(held);
    drop(directory.lock_within(Duration::ZERO).unwrap());
}

#[test]
fn a_removed_directory_is_not_waited_for() {
    let top = Scratch::new("gone");
    let directory = StateDirectory::create(&top.0, "one").unwrap();
    let held = directory.lock().unwrap();
    directory.remove().unwrap();
    assert_eq!(kind(directory.lock()), Kind::NotFound);
    drop(held);
    assert_eq!(kind(directory.lock()), Kind::NotFound);
}
