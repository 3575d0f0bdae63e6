//! Reading ahead on a second thread: while one buffer is hashed the kernel copies the next. Copying costs about a third of
//! what SHA-256 with the processor's instructions costs, so one large file takes that much less time.

use std::sync::mpsc::sync_channel;

use crate::file::Failure;
use crate::lane::BUFFER;

/// Below this a file is read before the thread is there.
pub(crate) const WORTHWHILE: u64 = 4 << 20;

/// Buffers under way: few, so that they stay in the caches.
const DEPTH: usize = 4;

/// Reads with `fill` on a thread of its own until it says 0 (then `true`) or `go_on` says no, and hands the bytes to `take`
/// in order.
pub(crate) fn read(
    fill: &mut (dyn FnMut(&mut [u8]) -> Result<usize, Failure> + Send),
    take: &mut dyn FnMut(&[u8]),
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<bool, Failure> {
    let (to_take, full) = sync_channel::<(Vec<u8>, usize)>(DEPTH);
    let (give_back, empty) = sync_channel::<Vec<u8>>(DEPTH);
    for _ in 0..DEPTH {
        let _ = give_back.send(vec![0; BUFFER]); // there is room for as many
    }
    std::thread::scope(|scope| {
        let reader = move || {
            while let Ok(mut buffer) = empty.recv() {
                if !go_on() {
                    return Ok(false);
                }
                let count = fill(&mut buffer)?;
                if count == 0 {
                    return Ok(true);
                }
                if to_take.send((buffer, count)).is_err() {
                    break; // the hashing thread panicked
                }
            }
            Ok(false)
        };
        let reader = std::thread::Builder::new()
            .name("caisson-read".to_owned())
            .spawn_scoped(scope, reader)
            .map_err(|error| caisson_sys::Error::from_io("clone", "a thread to read ahead", &error))?;
        for (buffer, count) in full {
            take(&buffer[..count]);
            let _ = give_back.send(buffer); // the reader may have ended
        }
        match reader.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
