//! Mutations of a stored corpus: whatever the bytes, readers terminate, do not panic, agree with themselves and with
//! peers, and an unpacker stays inside its root. Deterministic: the same rounds everywhere.
//! `CAISSON_FUZZ_ROUNDS=100000` runs more.
//!
//! A failing input is written to `target/fuzz/`. Once the bug is fixed it joins the corpus, every file of which is also
//! read unchanged.

use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use caisson_layer::archive::{self, Item, ItemKind, Listing};
use caisson_layer::blob::{self, Blob};
use caisson_layer::tar::{Entry, EntryKind, Reader};
use caisson_layer::unpack::{self, Fallback, Policy, Request};
use caisson_layer::{Kind, Limits, Result, Source, Stop};

fn rounds() -> u64 {
    std::env::var("CAISSON_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1500)
}

/// splitmix64: a fixed pseudo-random sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

const BLOCK: usize = 512;
const NUMBERS: [&[u8]; 10] = [
    b"00000000000\0",
    b"77777777777\0",
    b"00000001000\0",
    b"-0000000001\0",
    b"           \0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\0\0\0\0\0\0\0\0\0\x02\0",
    b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"00000000777\0",
    b"9999999999\n\0",
];

/// One to four changes; the checksums of tar headers are recomputed, so that a change gets past them.
fn mutate(input: &[u8], others: &[Vec<u8>], random: &mut Random, is_tar: bool) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let (at, length) = (random.below(bytes.len()), 1 + random.below(64));
        let end = (at + length).min(bytes.len());
        let block = at / BLOCK * BLOCK;
        match random.below(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => {
                let other = &others[random.below(others.len())];
                let from = random.below(other.len()) / BLOCK * BLOCK;
                let piece = other[from..(from + BLOCK).min(other.len())].to_vec();
                bytes.splice(block..block, piece);
            }
            6 if is_tar && block + BLOCK <= bytes.len() => {
                let field = [100, 108, 116, 124, 136, 329, 337, 386, 398, 483][random.below(10)];
                let number = NUMBERS[random.below(NUMBERS.len())];
                let width = if matches!(field, 124 | 136 | 386 | 398 | 483) { 12 } else { 8 };
                bytes[block + field..block + field + width].copy_from_slice(&number[..width]);
            }
            7 if is_tar && block + BLOCK <= bytes.len() => {
                bytes[block + 156] = b"01234567SLKxgXV\0"[random.below(16)];
            }
            8 if is_tar && block + BLOCK <= bytes.len() => {
                let name: &[u8] = [
                    &b"../../canary"[..],
                    b"/etc/passwd",
                    b".wh..wh..opq",
                    b".wh.d",
                    b"d",
                    b".",
                    b"d/../../x",
                    b"d/soft/x",
                ][random.below(8)];
                let field = block + if random.below(3) == 0 { 157 } else { 0 };
                bytes[field..field + 100].fill(0);
                bytes[field..field + name.len()].copy_from_slice(name);
            }
            _ => {}
        }
    }
    if is_tar {
        for header in bytes.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    bytes
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Runs `check` on the corpus and on mutations of it, and stores failing inputs.
fn fuzz(name: &str, share: u64, check: impl Fn(&[u8])) {
    let seeds = corpus(name);
    let mut random = Random(name.len() as u64);
    let mutations = (0..rounds() / share).map(|_| {
        let seed = &seeds[random.below(seeds.len())];
        mutate(seed, &seeds, &mut random, name == "tar")
    });
    for input in seeds.clone().into_iter().chain(mutations) {
        if catch_unwind(AssertUnwindSafe(|| check(&input))).is_err() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz").join(name);
            fs::create_dir_all(&folder).unwrap();
            let mut hasher = caisson_digest::Hasher::sha256();
            hasher.update(&input);
            let file = folder.join(&hasher.digest()[7..23]);
            fs::write(&file, &input).unwrap();
            panic!("failed as said above; the input is kept as {}", file.display());
        }
    }
}

/// Returns a few bytes at a time.
struct Trickle<'b> {
    bytes: &'b [u8],
    step: usize,
}

impl Source for Trickle<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        Ok(&self.bytes[..self.bytes.len().min(self.step)])
    }
    fn consume(&mut self, count: usize) {
        self.bytes = &self.bytes[count..];
    }
}

type Seen = (Vec<(Entry, u64, Vec<u8>)>, Option<(Kind, String)>);

fn read(source: &mut dyn Source, limits: Limits) -> Seen {
    let mut reader = Reader::new(source, limits);
    let mut entries = Vec::new();
    loop {
        let (entry, position) = match reader.next_entry() {
            Ok(Some(entry)) => (entry, reader.position()),
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some((error.kind, error.message))),
        };
        let mut body = Vec::new();
        let result = reader.body(&mut |bytes| {
            body.extend_from_slice(bytes);
            Ok(())
        });
        if let Err(error) = result {
            return (entries, Some((error.kind, error.message)));
        }
        entries.push((entry, position, body));
    }
}

#[test]
fn any_tar_is_read_to_its_end_in_one_way() {
    let limits = Limits { header_bytes: 64 << 10, ..Limits::default() };
    fuzz("tar", 1, |input| {
        let whole = read(&mut Trickle { bytes: input, step: usize::MAX }, limits);
        assert_eq!(read(&mut Trickle { bytes: input, step: 7 }, limits), whole);
        let mut total = 0;
        for (entry, position, body) in &whole.0 {
            assert_eq!(body.len() as u64, entry.stored);
            assert_eq!(&input[*position as usize..][..body.len()], body);
            total += body.len();
            if let Some(map) = &entry.map {
                assert_eq!(map.iter().map(|(_, length)| length).sum::<u64>(), entry.stored);
                assert!(map.last().is_none_or(|(offset, length)| offset + length <= entry.size));
            }
        }
        assert!(total <= input.len());
    });
}

#[test]
fn a_listing_has_the_files_that_reading_finds() {
    let folder = Folder::new("list");
    let file = folder.0.join("archive");
    fuzz("tar", 2, |input| {
        fs::write(&file, input).unwrap();
        let Ok(Listing::Items(items)) = archive::list(&file, &Limits::default(), &Stop::default()) else {
            return;
        };
        let listed: Vec<_> = items
            .iter()
            .filter_map(|Item { path, kind }| match kind {
                ItemKind::File { offset, size } => Some((path.clone(), *offset, *size)),
                _ => None,
            })
            .collect();
        // Listing skips the last body, so it does not notice when that is truncated.
        let (entries, _) = read(&mut Trickle { bytes: input, step: usize::MAX }, Limits::default());
        let found: Vec<_> = entries
            .iter()
            .filter(|(entry, ..)| entry.kind == EntryKind::File && entry.map.is_none())
            .filter_map(|(entry, position, _)| {
                let path = String::from_utf8(entry.path.clone()).ok()?;
                Some((path.trim_start_matches("./").to_owned(), *position, entry.size))
            })
            .collect();
        assert_eq!(listed, found);
    });
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("caisson-fuzz-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        unpack::remove_directory(&self.0).unwrap();
    }
}

#[test]
fn any_tar_unpacks_inside_or_leaves_nothing() {
    let folder = Folder::new("unpack");
    let (work, canary) = (folder.0.join("work"), folder.0.join("canary"));
    fs::create_dir(&work).unwrap();
    fs::write(&canary, "canary").unwrap();
    let before = format!("{:?}", fs::metadata(&canary).unwrap());
    let (file, target) = (folder.0.join("layer"), work.join("rootfs"));
    let seeds = corpus("tar");
    let limits = Limits { bytes: 8 << 20, entries: 1000, depth: 64, ..Limits::default() };
    let policy = Policy {
        devices: Fallback::Skip,
        owners: Fallback::Skip,
        xattrs: Fallback::Skip,
        rootless: false,
        keep_dirlinks: false,
    };
    fuzz("tar", 4, |input| {
        fs::write(&file, input).unwrap();
        let below = &folder.0.join("below");
        fs::write(below, &seeds[input.len() % seeds.len()]).unwrap();
        let layers = vec![Blob::file(below), Blob::file(&file)];
        let request = Request { layers, target: target.clone(), limits, policy };
        let unpacked = unpack::unpack(&request, &Stop::default());
        let left: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), usize::from(unpacked.is_ok()), "{left:?}");
        unpack::remove_directory(&target).unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 4);
    });
    assert_eq!(format!("{:?}", fs::metadata(&canary).unwrap()), before);
    assert_eq!(fs::read(&canary).unwrap(), b"canary");
}

/// The decompressed content of a blob; `None` if it is refused.
fn decompressed(file: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = blob::read(&Blob::file(file), &Limits::default(), &Stop::default(), |source| {
        loop {
            let count = source.fill()?.len();
            if count == 0 {
                return Ok(());
            }
            content.extend_from_slice(&source.fill()?[..count]);
            source.consume(count);
        }
    });
    read.ok().map(|_| content)
}

#[test]
fn gzip_decompresses_to_what_flate2_makes_of_it() {
    let folder = Folder::new("gzip");
    let file = folder.0.join("blob");
    fuzz("gzip", 1, |input| {
        if !input.starts_with(&[0x1f, 0x8b]) {
            return; // taken for plain tar
        }
        fs::write(&file, input).unwrap();
        let ours = decompressed(&file);
        let mut theirs = Vec::new();
        // The reference decoder takes zeros after the last member for a damaged one.
        let end = input.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let fits = (end..=input.len().min(end + 16)).any(|end| {
            theirs.clear();
            flate2::read::MultiGzDecoder::new(&input[..end]).read_to_end(&mut theirs).is_ok()
        });
        assert_eq!(ours, fits.then_some(theirs));
    });
}

#[test]
fn zstd_decompresses_to_what_its_own_reader_makes_of_it() {
    let folder = Folder::new("zstd");
    let file = folder.0.join("blob");
    fuzz("zstd", 1, |input| {
        if !matches!(input, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return;
        }
        fs::write(&file, input).unwrap();
        let mut theirs = Vec::new();
        let fits = zstd::stream::read::Decoder::new(input).and_then(|mut all| all.read_to_end(&mut theirs));
        assert_eq!(decompressed(&file), fits.is_ok().then_some(theirs));
    });
}
