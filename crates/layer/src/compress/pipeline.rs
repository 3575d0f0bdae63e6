//! The threads that write a blob, and the channels between them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::Settings;
use super::gzip;
use super::sink::Sink;
use crate::chunk::{Chunk, Pool};
use crate::inflate::Compression;
use crate::{Error, Kind, Result, Stop};
use caisson_digest::Hasher;

/// Size of a compression block. Changing it changes the digest of every gzip layer.
pub const BLOCK_SIZE: usize = 1 << 20;

/// The blob that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Digest and size of the compressed blob.
    pub digest: String,
    pub size: u64,
    /// Digest and size of the input.
    pub diff_id: String,
    pub length: u64,
}

/// A block for a worker.
struct Task {
    before: Option<Arc<Chunk>>,
    block: Arc<Chunk>,
    last: bool,
    reply: SyncSender<Result<Vec<u8>>>,
}

/// Input of the writing thread, in order.
enum Piece {
    /// Compressed by a worker, now or soon.
    Compressed(Receiver<Result<Vec<u8>>>),
    /// To be compressed by the writing thread, or stored uncompressed.
    Raw(Arc<Chunk>),
}

/// Accepts bytes in pieces of any size.
pub struct Writing<'p> {
    current: Vec<u8>,
    before: Option<Arc<Chunk>>,
    pool: Arc<Pool>,
    hasher: SyncSender<Arc<Chunk>>,
    workers: Option<SyncSender<Task>>,
    writer: SyncSender<Piece>,
    stop: &'p Stop,
}

impl Writing<'_> {
    /// `Broken` when the writing thread is gone: that thread has the cause.
    pub fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let count = bytes.len().min(BLOCK_SIZE - self.current.len());
            self.current.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.current.len() == BLOCK_SIZE {
                self.block(false)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, last: bool) -> Result<()> {
        self.stop.check()?;
        let broken = || Error::new(Kind::Broken, "the blob could not be written");
        let full = std::mem::replace(&mut self.current, self.pool.take());
        let block = Chunk::new(full, None, &self.pool);
        self.hasher.send(Arc::clone(&block)).map_err(|_| broken())?;
        self.stop.count_read(block.len() as u64);
        let piece = match &self.workers {
            None => Piece::Raw(block),
            Some(workers) => {
                let (reply, answer) = sync_channel(1);
                let before = self.before.replace(Arc::clone(&block));
                workers.send(Task { before, block, last, reply }).map_err(|_| broken())?;
                Piece::Compressed(answer)
            }
        };
        self.writer.send(piece).map_err(|_| broken())
    }
}

/// Lets a tar writer write here. An error keeps its kind and message inside the `io::Error`.
impl Write for Writing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses the output of `produce` into `out`.
pub fn write<T>(
    out: impl Write + Send,
    settings: &Settings,
    stop: &Stop,
    produce: impl FnOnce(&mut Writing<'_>) -> Result<T>,
) -> Result<(T, Sealed)> {
    let level = settings.level()?;
    let count = settings.threads();
    let blocks = settings.compression == Compression::Gzip;
    let (to_hasher, hasher_end) = sync_channel::<Arc<Chunk>>(count + 4);
    let (to_writer, writer_end) = sync_channel(2 * count + 2);
    let (to_workers, tasks) = sync_channel(count);
    let tasks = Mutex::new(tasks);
    let failed = AtomicBool::new(false);

    let (produced, hashed, written) = std::thread::scope(|scope| {
        let (tasks, failed) = (&tasks, &failed);
        let hasher = scope.spawn(move || hash(&hasher_end, blocks));
        if blocks {
            for _ in 0..count {
                scope.spawn(move || compress(tasks, level));
            }
        }
        let writer = scope.spawn(move || {
            let result = collect(&writer_end, out, settings.compression, level, count);
            failed.store(result.is_err(), Ordering::Release);
            drop(writer_end);
            result
        });
        let mut writing = Writing {
            current: Vec::new(),
            before: None,
            pool: Arc::new(Pool::default()),
            hasher: to_hasher,
            workers: blocks.then_some(to_workers),
            writer: to_writer,
            stop,
        };
        let produced = produce(&mut writing).and_then(|value| writing.block(true).map(|()| value));
        drop(writing); // closes the channels, which ends the threads
        let lost = |_| Error::new(Kind::System, "a thread of the layer writer ended unexpectedly");
        let hashed = hasher.join().map_err(lost);
        (produced, hashed, writer.join().map_err(lost).and_then(|result| result))
    });
    match (produced, written) {
        (Err(error), Err(cause)) if error.kind == Kind::Broken => Err(cause),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        (Ok(value), Ok(mut sink)) => {
            let Hashed { diff_id, crc, length } = hashed?;
            let failed = |error: io::Error| output_error("write", &error);
            if blocks {
                sink.write_all(&gzip::trailer(crc, length)).map_err(failed)?;
            }
            let (digest, size) = sink.finish().map_err(failed)?;
            Ok((value, Sealed { digest, size, diff_id, length }))
        }
    }
}

struct Hashed {
    diff_id: String,
    crc: u32,
    length: u64,
}

fn hash(chunks: &Receiver<Arc<Chunk>>, checksum: bool) -> Hashed {
    let (mut hasher, mut crc, mut length) = (Hasher::sha256(), flate2::Crc::new(), 0);
    while let Ok(chunk) = chunks.recv() {
        hasher.update(&chunk);
        if checksum {
            crc.update(&chunk);
        }
        length += chunk.len() as u64;
    }
    Hashed { diff_id: hasher.digest(), crc: crc.sum(), length }
}

fn compress(tasks: &Mutex<Receiver<Task>>, level: u32) {
    loop {
        let task = tasks.lock().map(|tasks| tasks.recv());
        let Ok(Ok(Task { before, block, last, reply })) = task else { return };
        let compressed = gzip::block(level, before.as_deref().map(|before| &**before), &block, last);
        let _ = reply.send(compressed); // no receiver is left if the writing thread has failed
    }
}

/// Takes the pieces in order. The sink still lacks the trailer, which only the hasher knows.
fn collect<W: Write>(
    pieces: &Receiver<Piece>,
    out: W,
    compression: Compression,
    level: u32,
    threads: usize,
) -> Result<Sink<W>> {
    let failed = |error: io::Error| output_error("write", &error);
    let mut sink = Sink::new(out);
    match compression {
        Compression::None => pass_on(pieces, &mut sink)?,
        Compression::Gzip => {
            sink.write_all(&gzip::header(level)).map_err(failed)?;
            pass_on(pieces, &mut sink)?;
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(sink, level.cast_signed()).map_err(failed)?;
            // At least one worker: zstd then uses jobs of a fixed size, and the output does not depend on their number.
            encoder.multithread(threads.max(1) as u32).map_err(failed)?;
            encoder.include_checksum(true).map_err(failed)?;
            pass_on(pieces, &mut encoder)?;
            sink = encoder.finish().map_err(failed)?;
        }
    }
    Ok(sink)
}

fn pass_on(pieces: &Receiver<Piece>, to: &mut dyn Write) -> Result<()> {
    let failed = |error: io::Error| output_error("write", &error);
    while let Ok(piece) = pieces.recv() {
        match piece {
            Piece::Raw(chunk) => to.write_all(&chunk).map_err(failed)?,
            Piece::Compressed(answer) => {
                let lost = |_| Error::new(Kind::Broken, "the layer was not written to its end");
                to.write_all(&answer.recv().map_err(lost)??).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// An error of a call on the output of the blob.
pub fn output_error(call: &'static str, error: &io::Error) -> Error {
    let errno = rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO);
    Error::system(call, b"the blob", errno)
}
