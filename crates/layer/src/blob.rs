//! One pass over a blob: read, check size and digest, decompress, check the diffID, and hand the tar stream to a
//! consumer.
//!
//! Three threads: the caller's consumes, one reads and decompresses, one computes the digests. Chunks are shared, not
//! copied, and bounded channels limit memory to a few chunks whatever the size of the layer.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use caisson_digest::Hasher;
use rustix::io::Errno;

use crate::chunk::{CHUNK_SIZE, Chunk, ChunkSource, Pool, Source};
use crate::inflate::{Compression, Inflate};
use crate::verify::{Work, verify};
use crate::{Error, Kind, Limits, Result, Stop};

/// Chunks in flight to each consumer.
const CHANNEL_DEPTH: usize = 16;

/// A layer as its descriptor and the image configuration describe it.
#[derive(Debug, Clone)]
pub struct Blob {
    pub path: PathBuf,
    /// Offset of the blob in the file: archives are read in place.
    pub offset: u64,
    /// Digest of the stored bytes; `None` for a file without a descriptor.
    pub digest: Option<String>,
    /// `None` reads to the end of the file.
    pub size: Option<u64>,
    /// Digest of the decompressed stream.
    pub diff_id: Option<String>,
    /// The compression of the media type. The magic number takes precedence, and a mismatch is a warning.
    pub compression: Option<Compression>,
}

/// Observed while reading.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Digest of the stored bytes: the expected one, or SHA-256 where none was expected.
    pub digest: String,
    pub compression: Compression,
    pub diff_id: String,
    pub compressed: u64,
    pub decompressed: u64,
    pub warning: Option<String>,
}

/// Reads and verifies `blob` while `consume` works on its decompressed bytes. Bytes that `consume` leaves are read as
/// well: digests cover the whole stream. Returns `Ok` only if everything matches.
pub fn read<T>(
    blob: &Blob,
    limits: &Limits,
    stop: &Stop,
    consume: impl FnOnce(&mut dyn Source) -> Result<T>,
) -> Result<(T, Seen)> {
    let file = open(blob)?;
    let failed = AtomicBool::new(false);
    let abandoned = AtomicBool::new(false);
    let (to_verifier, verifier_end) = sync_channel(CHANNEL_DEPTH);
    let (to_consumer, consumer_end) = sync_channel(CHANNEL_DEPTH);
    let hasher =
        |digest: &Option<String>| digest.as_deref().map_or_else(|| Ok(Hasher::sha256()), Hasher::for_digest);
    let (stored, content) = (hasher(&blob.digest)?, hasher(&blob.diff_id)?);

    let (consumed, produced, verdict) = std::thread::scope(|scope| {
        let (failed, abandoned) = (&failed, &abandoned);
        let producer = scope.spawn(move || {
            let out = Outlets { verifier: to_verifier, consumer: to_consumer };
            let produced = produce(file, blob, limits, stop, &out, abandoned);
            if produced.trouble.is_some() {
                failed.store(true, Ordering::Release); // before the channels close
            }
            produced
        });
        let verifier = scope.spawn(move || verify(&verifier_end, stored, content));
        let mut source = ChunkSource::new(consumer_end, failed);
        let consumed = consume(&mut source).and_then(|value| drain(&mut source).map(|()| value));
        if consumed.as_ref().is_err_and(|error| error.kind != Kind::Invalid) {
            abandoned.store(true, Ordering::Relaxed);
        }
        drop(source);
        let lost = |_| Error::new(Kind::System, "a thread of the unpacker ended unexpectedly");
        (consumed, producer.join().map_err(lost), verifier.join().map_err(lost))
    });
    let (produced, verdict) = (produced?, verdict?);

    // A damaged blob often fails first as bad gzip or bad tar; the digest mismatch is the better error.
    if produced.whole {
        check_stored(blob, produced.stored, &verdict.stored)?;
    }
    let value = match (consumed, produced.trouble) {
        (Err(Error { kind: Kind::Broken, .. }), Some(cause)) | (Ok(_), Some(cause)) => {
            return Err(cause.of(&name(blob)));
        }
        (Err(error), _) => return Err(error.of(&name(blob))),
        (Ok(value), None) => value,
    };
    verdict.members.map_err(|error| error.of(&name(blob)))?;
    let diff_id = verdict.content;
    if let Some(expected) = blob.diff_id.as_ref().filter(|expected| **expected != diff_id) {
        return Err(Error::new(
            Kind::DigestMismatch,
            format!(
                "layer {}: its content has the diffID {diff_id}, the image configuration says {expected}",
                name(blob)
            ),
        )
        .on(blob.path.to_string_lossy()));
    }
    let Produced { stored, decompressed, compression, warning, .. } = produced;
    let digest = verdict.stored;
    Ok((value, Seen { digest, compression, diff_id, compressed: stored, decompressed, warning }))
}

pub(crate) fn check_stored(blob: &Blob, size: u64, found: &str) -> Result<()> {
    if blob.size.is_some_and(|expected| size != expected) {
        return Err(size_mismatch(blob, size));
    }
    match &blob.digest {
        Some(expected) if expected != found => {
            let message = format!("blob {expected} has the digest {found}");
            Err(Error::new(Kind::DigestMismatch, message).on(blob.path.to_string_lossy()))
        }
        _ => Ok(()),
    }
}

impl Blob {
    /// A whole file without a descriptor: nothing is expected of it.
    pub fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, digest: None, size: None, diff_id: None, compression: None }
    }
}

/// Reads a blob to its end and returns its digests and compression.
pub fn identify(blob: &Blob, limits: &Limits, stop: &Stop) -> Result<Seen> {
    read(blob, limits, stop, |_| Ok(())).map(|((), seen)| seen)
}

/// The digest, if known, for messages.
fn name(blob: &Blob) -> String {
    blob.digest.clone().unwrap_or_else(|| blob.path.to_string_lossy().into_owned())
}

/// Opens a blob at its offset. A file that is too short is refused before anything is read.
pub(crate) fn open(blob: &Blob) -> Result<File> {
    let mut file = open_regular(&blob.path).map_err(|error| match (error.errno, &blob.digest) {
        (Some(Errno::NOENT), Some(digest)) => {
            let shown = blob.path.to_string_lossy().into_owned();
            Error::new(Kind::BlobNotFound, format!("blob {digest} is missing at {shown}")).on(shown)
        }
        _ => error,
    })?;
    let status = file.metadata().map_err(|error| io_error("fstat", &blob.path, &error))?;
    // A blob at offset 0 may be the first of several in an archive: then `size` limits it.
    let available = status.len().saturating_sub(blob.offset);
    match blob.size {
        Some(size) if size > available => Err(size_mismatch(blob, available)),
        _ => {
            let seek = file.seek(SeekFrom::Start(blob.offset));
            seek.map(|_| file).map_err(|error| io_error("lseek", &blob.path, &error))
        }
    }
}

/// Refuses FIFOs and devices, whose open(2) may block or have side effects.
pub(crate) fn open_regular(path: &Path) -> Result<File> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32)
        .open(path)
        .map_err(|error| io_error("open", path, &error))?;
    let status = file.metadata().map_err(|error| io_error("fstat", path, &error))?;
    if status.is_file() {
        return Ok(file);
    }
    let shown = path.to_string_lossy();
    Err(Error::new(Kind::Image, format!("{shown} is not a regular file")).on(shown))
}

pub(crate) fn size_mismatch(blob: &Blob, found: u64) -> Error {
    let expected = blob.size.unwrap_or(0);
    Error::new(
        Kind::SizeMismatch,
        format!("blob {} has {found} bytes, its descriptor says {expected}", name(blob)),
    )
    .on(blob.path.to_string_lossy())
}

/// An error of a standard library call on `path`.
pub(crate) fn io_error(call: &'static str, path: &Path, error: &std::io::Error) -> Error {
    let errno = rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO);
    Error::system(call, path.as_os_str().as_encoded_bytes(), errno)
}

/// The channels that chunks go to.
struct Outlets {
    verifier: SyncSender<Work>,
    consumer: SyncSender<Arc<Chunk>>,
}

impl Outlets {
    /// `Broken` when the receiver is gone: the receiver has the cause.
    fn verify(&self, work: Work) -> Result<()> {
        self.verifier.send(work).map_err(|_| Error::new(Kind::Broken, "the verifier stopped"))
    }

    /// Sends decompressed content to both channels.
    fn give(&self, chunk: Arc<Chunk>) -> Result<()> {
        self.verify(Work::Content(Arc::clone(&chunk)))?;
        self.consume(chunk)
    }

    fn consume(&self, chunk: Arc<Chunk>) -> Result<()> {
        self.consumer.send(chunk).map_err(|_| Error::new(Kind::Broken, "the unpacker stopped"))
    }
}

struct Produced {
    stored: u64,
    decompressed: u64,
    compression: Compression,
    /// Set when the media type does not match the compression.
    warning: Option<String>,
    /// Whether the blob was read to its end, with or without an error.
    whole: bool,
    trouble: Option<Error>,
}

fn produce(
    file: File,
    blob: &Blob,
    limits: &Limits,
    stop: &Stop,
    out: &Outlets,
    abandoned: &AtomicBool,
) -> Produced {
    let mut produced = Produced {
        stored: 0,
        decompressed: 0,
        compression: Compression::None,
        warning: None,
        whole: false,
        trouble: None,
    };
    if let Err(error) = read_all(file, blob, limits, stop, out, abandoned, &mut produced) {
        produced.trouble.get_or_insert(error);
    }
    produced
}

fn read_all(
    file: File,
    blob: &Blob,
    limits: &Limits,
    stop: &Stop,
    out: &Outlets,
    abandoned: &AtomicBool,
    produced: &mut Produced,
) -> Result<()> {
    let size = blob.size.unwrap_or(u64::MAX);
    let pool = Arc::new(Pool::default());
    let mut codec: Option<Codec> = None;
    loop {
        stop.check()?;
        let chunk = read_chunk(&file, size - produced.stored, &pool)
            .map_err(|errno| Error::system("read", blob.path.as_os_str().as_encoded_bytes(), errno))?;
        if chunk.is_empty() {
            break;
        }
        produced.stored += chunk.len() as u64;
        stop.count_read(chunk.len() as u64);
        let codec = match &mut codec {
            Some(codec) => codec,
            None => {
                let found = Compression::of(&chunk);
                produced.compression = found;
                produced.warning = blob.compression.filter(|said| *said != found).map(|said| {
                    format!("layer {} is {}, its media type says {}", name(blob), found.name(), said.name())
                });
                codec.insert(Codec::new(found, &pool)?)
            }
        };
        let pushed = match codec {
            Codec::Plain => {
                produced.decompressed = produced.stored;
                out.verify(Work::Plain(Arc::clone(&chunk)))?;
                if produced.trouble.is_some() { Ok(()) } else { out.consume(chunk) }
            }
            Codec::Packed(inflate) => {
                out.verify(Work::Stored(Arc::clone(&chunk)))?;
                if produced.trouble.is_some() {
                    continue;
                }
                let pushed = inflate.push(&chunk, &mut |chunk| out.give(chunk));
                produced.decompressed = inflate.produced;
                pushed.and_then(|()| limits.check_ratio(produced.stored, produced.decompressed))
            }
        };
        if let Err(error) = pushed {
            // Read on only where a digest mismatch may explain the error at hand.
            if blob.digest.is_none() || error.kind == Kind::Limit || abandoned.load(Ordering::Relaxed) {
                return Err(error);
            }
            produced.trouble = Some(error);
        }
    }
    produced.whole = true;
    if let (None, Some(Codec::Packed(inflate))) = (&produced.trouble, &mut codec) {
        inflate.finish(&mut |chunk| out.give(chunk))?;
        produced.decompressed = inflate.produced;
    }
    Ok(())
}

/// The detected compression.
enum Codec {
    /// Chunks are passed on unchanged.
    Plain,
    Packed(Inflate),
}

impl Codec {
    fn new(compression: Compression, pool: &Arc<Pool>) -> Result<Self> {
        match compression {
            Compression::None => Ok(Codec::Plain),
            packed => Inflate::new(packed, pool).map(Codec::Packed),
        }
    }
}

/// Reads at most one chunk or `left` bytes; empty at the end.
fn read_chunk(file: &File, left: u64, pool: &Arc<Pool>) -> rustix::io::Result<Arc<Chunk>> {
    let mut bytes = pool.take();
    let wanted = usize::try_from(left).unwrap_or(CHUNK_SIZE).min(CHUNK_SIZE);
    while bytes.len() < wanted {
        // The buffer has the capacity of one chunk; a blob that ends inside a larger file is truncated below.
        match rustix::io::read(file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    bytes.truncate(wanted);
    Ok(Chunk::new(bytes, None, pool))
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
