//! One pass over a blob: read, check size and digest, decompress, check the diffID, and hand the tar stream to a consumer.
//!
//! Three threads: this one consumes; one reads, hashes the blob and decompresses; one hashes what comes out. Chunks are
//! shared, not copied, and bounded channels keep memory at a few of them whatever the size of the layer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use caisson_digest::Hasher;

use crate::chunk::{CHUNK_SIZE, Chunk, ChunkSource, Fan, Pool, Source};
use crate::inflate::{Compression, Inflate};
use crate::{Error, Kind, Limits, Result, Stop};

/// Chunks on their way to each consumer.
const CHANNEL_DEPTH: usize = 6;

/// A layer as its descriptor and the image configuration describe it.
#[derive(Debug, Clone)]
pub struct Blob {
    pub path: PathBuf,
    /// Where in the file it begins: an archive is read in place.
    pub offset: u64,
    /// Of the file as it is; `None` for a file that stands for itself.
    pub digest: Option<String>,
    /// `None`: up to the end of the file.
    pub size: Option<u64>,
    /// Of the decompressed stream.
    pub diff_id: Option<String>,
    /// What the media type says; the first bytes win, and a disagreement is reported.
    pub compression: Option<Compression>,
}

/// What was seen while reading.
#[derive(Debug, Clone)]
pub struct Seen {
    pub diff_id: String,
    pub compressed: u64,
    pub decompressed: u64,
    pub warning: Option<String>,
}

/// Reads and verifies `blob` while `consume` works on its decompressed bytes. Whatever `consume` left is read as well:
/// digests cover the whole stream. The result is `Ok` only when everything matched.
pub fn read<T>(
    blob: &Blob,
    limits: &Limits,
    stop: &Stop,
    consume: impl FnOnce(&mut dyn Source) -> Result<T>,
) -> Result<(T, Seen)> {
    let file = open(blob)?;
    let failed = AtomicBool::new(false);
    let abandoned = AtomicBool::new(false);
    let (to_hasher, hasher_end) = sync_channel(CHANNEL_DEPTH);
    let (to_consumer, consumer_end) = sync_channel(CHANNEL_DEPTH);
    let diff_hasher = blob.diff_id.as_deref().map_or_else(|| Ok(Hasher::sha256()), Hasher::for_digest)?;

    let (consumed, produced, diff_id) = std::thread::scope(|scope| {
        let (failed, abandoned) = (&failed, &abandoned);
        let producer = scope.spawn(move || {
            let fan = Fan { hasher: to_hasher, consumer: to_consumer };
            let result = produce(file, blob, limits, stop, &fan, abandoned);
            if result.is_err() {
                failed.store(true, Ordering::Release); // before the channels close
            }
            result
        });
        let hasher = scope.spawn(move || hash(&hasher_end, diff_hasher));
        let mut source = ChunkSource::new(consumer_end, failed);
        let consumed = consume(&mut source).and_then(|value| drain(&mut source).map(|()| value));
        if consumed.as_ref().is_err_and(|error| error.kind != Kind::Invalid) {
            abandoned.store(true, Ordering::Relaxed);
        }
        drop(source);
        let lost = |_| Error::new(Kind::System, "a thread of the unpacker ended unexpectedly");
        let produced = producer.join().map_err(lost).and_then(|result| result);
        (consumed, produced, hasher.join().map_err(lost))
    });

    // A damaged blob often fails first as bad tar: the digest is the better answer.
    match (consumed, produced) {
        (Err(error), Ok(_)) => Err(error),
        (Err(error), Err(cause)) => {
            Err(if matches!(error.kind, Kind::Broken) || is_mismatch(&cause) { cause } else { error })
        }
        (Ok(_), Err(error)) => Err(error),
        (Ok(value), Ok((compressed, decompressed, warning))) => {
            let diff_id = diff_id?;
            if let Some(expected) = blob.diff_id.as_ref().filter(|expected| **expected != diff_id) {
                return Err(Error::new(
                    Kind::DigestMismatch,
                    format!("layer {}: its content has the diffID {diff_id}, the image configuration says {expected}", name(blob)),
                )
                .on(blob.path.to_string_lossy()));
            }
            Ok((value, Seen { diff_id, compressed, decompressed, warning }))
        }
    }
}

/// For messages: the digest where there is one.
fn name(blob: &Blob) -> String {
    blob.digest.clone().unwrap_or_else(|| blob.path.to_string_lossy().into_owned())
}

fn is_mismatch(error: &Error) -> bool {
    matches!(error.kind, Kind::DigestMismatch | Kind::SizeMismatch)
}

/// Opens a regular file where the blob begins. One that is too short is refused before anything is read.
fn open(blob: &Blob) -> Result<File> {
    let shown = || blob.path.to_string_lossy().into_owned();
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32)
        .open(&blob.path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new(Kind::BlobNotFound, format!("blob {} is missing at {}", name(blob), shown()))
                    .on(shown())
            }
            _ => io_error("open", &blob.path, &error),
        })?;
    let status = file.metadata().map_err(|error| io_error("fstat", &blob.path, &error))?;
    if !status.is_file() {
        return Err(Error::new(
            Kind::Image,
            format!("blob {} at {} is not a regular file", name(blob), shown()),
        )
        .on(shown()));
    }
    // A blob that begins at 0 without being the whole file stands at the head of an archive; `size` ends it.
    let available = status.size().saturating_sub(blob.offset);
    match blob.size {
        Some(size) if size > available => Err(size_mismatch(blob, available)),
        _ => {
            let seek = file.seek(SeekFrom::Start(blob.offset));
            seek.map(|_| file).map_err(|error| io_error("lseek", &blob.path, &error))
        }
    }
}

fn size_mismatch(blob: &Blob, found: u64) -> Error {
    let expected = blob.size.unwrap_or(0);
    Error::new(
        Kind::SizeMismatch,
        format!("blob {} has {found} bytes, its descriptor says {expected}", name(blob)),
    )
    .on(blob.path.to_string_lossy())
}

/// A failed call of the standard library on `path`.
pub(crate) fn io_error(call: &'static str, path: &Path, error: &std::io::Error) -> Error {
    let errno = rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO);
    Error::system(call, path.as_os_str().as_encoded_bytes(), errno)
}

/// Compressed bytes, decompressed bytes, and a word about a media type that does not fit.
type Produced = (u64, u64, Option<String>);

fn produce(
    file: File,
    blob: &Blob,
    limits: &Limits,
    stop: &Stop,
    fan: &Fan,
    abandoned: &AtomicBool,
) -> Result<Produced> {
    let mut hasher = blob.digest.as_deref().map(Hasher::for_digest).transpose()?;
    let mut file = file.take(blob.size.unwrap_or(u64::MAX));
    let mut buffer = vec![0; CHUNK_SIZE];
    let pool = Arc::new(Pool::default());
    let (mut compressed, mut warning) = (0, None);
    let mut inflate: Option<Inflate> = None;
    let mut trouble: Option<Error> = None;
    loop {
        stop.check()?;
        let count =
            read_full(&mut file, &mut buffer).map_err(|error| io_error("read", &blob.path, &error))?;
        if count == 0 {
            break;
        }
        let bytes = &buffer[..count];
        compressed += count as u64;
        stop.count_read(count as u64);
        if let Some(hasher) = &mut hasher {
            hasher.update(bytes);
        }
        if trouble.is_some() {
            continue;
        }
        let stream = match &mut inflate {
            Some(stream) => stream,
            None => {
                let found = Compression::of(bytes);
                warning = blob.compression.filter(|said| *said != found).map(|said| {
                    format!("layer {} is {}, its media type says {}", name(blob), found.name(), said.name())
                });
                inflate.insert(Inflate::new(found, &pool)?)
            }
        };
        let pushed = stream
            .push(bytes, &mut |chunk| fan.send(chunk))
            .and_then(|()| limits.check_ratio(compressed, stream.produced));
        if let Err(error) = pushed {
            // Read on only where the digest may tell more than the error at hand.
            if hasher.is_none() || error.kind == Kind::Limit || abandoned.load(Ordering::Relaxed) {
                return Err(error);
            }
            trouble = Some(error);
        }
    }
    if blob.size.is_some_and(|size| compressed != size) {
        return Err(size_mismatch(blob, compressed));
    }
    if let (Some(expected), Some(hasher)) = (&blob.digest, hasher) {
        let found = hasher.digest();
        if *expected != found {
            return Err(Error::new(Kind::DigestMismatch, format!("blob {expected} has the digest {found}"))
                .on(blob.path.to_string_lossy()));
        }
    }
    if let Some(error) = trouble {
        return Err(error);
    }
    let mut decompressed = 0;
    if let Some(mut stream) = inflate {
        stream.finish(&mut |chunk| fan.send(chunk))?;
        decompressed = stream.produced;
    }
    Ok((compressed, decompressed, warning))
}

fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match file.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn hash(chunks: &Receiver<Arc<Chunk>>, mut hasher: Hasher) -> String {
    while let Ok(chunk) = chunks.recv() {
        hasher.update(&chunk);
    }
    hasher.digest()
}

fn drain(source: &mut dyn Source) -> Result<()> {
    loop {
        let count = source.fill()?.len();
        if count == 0 {
            return Ok(());
        }
        source.consume(count);
    }
}
