//! Real files of every kind, hashed on native threads.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use caisson_digest::{Algorithm, Control, Digests, Failure, Hasher, Source, file, job};

/// A directory of the test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("caisson-digest-{}-{serial}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn pipe(&self) -> PathBuf {
        let path = self.0.join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn source(path: &Path) -> Source {
    Source::Path(path.as_os_str().as_encoded_bytes().to_vec())
}

type Outcome = Result<Digests, Failure>;

fn start(source: Source, algorithms: &[Algorithm], control: &Control) -> Receiver<Outcome> {
    let (send, receive) = channel();
    job::hash(source, algorithms.to_vec(), control.clone(), move |outcome| send.send(outcome).unwrap())
        .unwrap();
    receive
}

fn hash(source: Source, algorithms: &[Algorithm]) -> Outcome {
    start(source, algorithms, &Control::default()).recv().unwrap()
}

fn expected(content: &[u8], algorithms: &[Algorithm]) -> Outcome {
    let digests = algorithms.iter().map(|algorithm| {
        let mut hasher = Hasher::new(*algorithm);
        hasher.update(content);
        hasher.digest()
    });
    Ok(Digests { digests: digests.collect(), size: content.len() as u64 })
}

fn errno(outcome: Outcome) -> String {
    match outcome {
        Err(Failure::System(error)) => error.errno_name(),
        other => panic!("{other:?}"),
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(byte).collect()
}

#[test]
fn files_of_every_size_with_all_algorithms_in_one_pass() {
    let folder = Folder::new();
    // Around the buffer size, and around the size from which a second thread reads ahead.
    for length in [0, 1, 63, 64, 65, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 4 << 20, (9 << 20) + 5] {
        let content = noise(length);
        let path = folder.file("file", &content);
        let control = Control::default();
        let outcome = start(source(&path), &Algorithm::ALL, &control).recv().unwrap();
        assert_eq!(outcome, expected(&content, &Algorithm::ALL), "{length}");
        assert_eq!(control.progress().read, length as u64);
        assert_eq!(control.progress().total, (length > 0).then_some(length as u64));
    }
}

#[test]
fn more_files_than_threads() {
    let folder = Folder::new();
    let files: Vec<_> = (0..100)
        .map(|number| {
            let content = noise(number * 1000);
            (folder.file(&number.to_string(), &content), content)
        })
        .collect();
    let control = Control::default();
    let started: Vec<_> =
        files.iter().map(|(path, _)| start(source(path), &[Algorithm::Sha256], &control)).collect();
    for (outcome, (_, content)) in started.iter().zip(&files) {
        assert_eq!(outcome.recv().unwrap(), expected(content, &[Algorithm::Sha256]));
    }
}

#[test]
fn a_descriptor_is_read_from_where_it_stands() {
    let folder = Folder::new();
    let content = noise(1000);
    let mut file = File::open(folder.file("file", &content)).unwrap();
    file.seek(SeekFrom::Start(300)).unwrap();
    let copy = file.try_clone().unwrap();
    let outcome = hash(Source::Descriptor(copy.into()), &[Algorithm::Sha512]);
    assert_eq!(outcome, expected(&content[300..], &[Algorithm::Sha512]));
    assert_eq!(file.stream_position().unwrap(), 1000);
}

#[test]
fn files_without_a_size_are_read_to_their_end() {
    let version = std::fs::read("/proc/version").unwrap();
    assert_eq!(
        hash(source(Path::new("/proc/version")), &[Algorithm::Sha256]),
        expected(&version, &[Algorithm::Sha256])
    );
    assert_eq!(
        hash(source(Path::new("/dev/null")), &[Algorithm::Sha256]),
        expected(b"", &[Algorithm::Sha256])
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = Folder::new();
    assert_eq!(errno(hash(source(&folder.0.join("none")), &[Algorithm::Sha256])), "ENOENT");
    assert_eq!(errno(hash(source(&folder.0), &[Algorithm::Sha256])), "EISDIR");
    let write_only =
        OpenOptions::new().write(true).create(true).truncate(true).open(folder.0.join("w")).unwrap();
    assert_eq!(errno(hash(Source::Descriptor(write_only.into()), &[Algorithm::Sha256])), "EBADF");
}

#[test]
fn a_named_pipe_waits_for_its_writers() {
    let folder = Folder::new();
    let path = folder.pipe();
    let outcome = start(source(&path), &[Algorithm::Sha256], &Control::default());
    assert!(outcome.recv_timeout(Duration::from_millis(50)).is_err(), "nobody has written yet");
    let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
    let content = noise(300_000);
    writer.write_all(&content[..10]).unwrap();
    assert!(outcome.recv_timeout(Duration::from_millis(50)).is_err(), "the writer is still there");
    writer.write_all(&content[10..]).unwrap();
    drop(writer);
    assert_eq!(outcome.recv().unwrap(), expected(&content, &[Algorithm::Sha256]));
}

#[test]
fn waiting_pipes_do_not_keep_files_waiting() {
    let folder = Folder::new();
    let path = folder.pipe();
    let control = Control::default();
    let waiting: Vec<_> = (0..20).map(|_| start(source(&path), &[Algorithm::Sha256], &control)).collect();
    let file = folder.file("file", b"x");
    assert_eq!(hash(source(&file), &[Algorithm::Sha256]), expected(b"x", &[Algorithm::Sha256]));
    control.stop();
    for outcome in waiting {
        assert_eq!(outcome.recv().unwrap(), Err(Failure::Stopped));
    }
}

#[test]
fn a_stop_ends_what_waits_and_what_never_ends() {
    let folder = Folder::new();
    for path in [folder.pipe(), PathBuf::from("/dev/zero")] {
        let control = Control::default();
        let outcome = start(source(&path), &[Algorithm::Sha256], &control);
        assert!(outcome.recv_timeout(Duration::from_millis(20)).is_err());
        control.stop();
        assert_eq!(outcome.recv().unwrap(), Err(Failure::Stopped));
    }
    let control = Control::default();
    control.stop();
    let file = folder.file("file", &noise(5 << 20));
    assert_eq!(start(source(&file), &[Algorithm::Sha256], &control).recv().unwrap(), Err(Failure::Stopped));
    assert_eq!(file::hash_bytes(b"x", &[Algorithm::Sha256], &control), Err(Failure::Stopped));
}

#[test]
fn bytes_at_hand() {
    for length in [0, 1, 1 << 20] {
        let content = noise(length);
        let control = Control::default();
        assert_eq!(
            file::hash_bytes(&content, &Algorithm::ALL, &control),
            expected(&content, &Algorithm::ALL)
        );
        assert_eq!(control.progress().read, length as u64);
    }
}
