//! Read-ahead on a second thread: while one buffer is hashed the kernel copies the next. Copying costs about a third of
//! what SHA-256 with the processor's instructions costs. The hashing thread never waits for the other: if no buffer is
//! ready it reads itself, so that a second thread without a processor does no harm.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::file::Failure;

/// Smaller files are read before the second thread would start.
pub(crate) const WORTHWHILE: u64 = 4 << 20;

// Measured: smaller buffers cost more wake-ups; more or larger ones do not stay in the cache between the two
// processors.
const BUFFER: usize = 256 << 10;
const DEPTH: usize = 3;

/// Fills a buffer; 0 at the end.
pub(crate) type Fill<'f> = dyn FnMut(&mut [u8]) -> Result<usize, Failure> + Send + 'f;

struct Shared<'s, 'f> {
    fill: &'s mut Fill<'f>,
    /// Buffers in file order.
    full: VecDeque<(Vec<u8>, usize)>,
    free: Vec<Vec<u8>>,
    /// The result, set when reading has ended; `true` means that everything was read.
    end: Option<Result<bool, Failure>>,
}

impl Shared<'_, '_> {
    /// `None` if the buffer has nothing to hash: `end` has the reason.
    fn fill(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match (self.fill)(buffer) {
            Ok(0) => self.end = Some(Ok(true)),
            Ok(count) => return Some(count),
            Err(failure) => self.end = Some(Err(failure)),
        }
        None
    }
}

fn lock<'m, 's, 'f>(shared: &'m Mutex<Shared<'s, 'f>>) -> MutexGuard<'m, Shared<'s, 'f>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads with `fill` until it returns 0 (returns `true`) or `go_on` returns false (returns `false`), and passes the
/// bytes to `take` in order.
pub(crate) fn read(
    fill: &mut Fill<'_>,
    take: &mut dyn FnMut(&[u8]),
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<bool, Failure> {
    let free = (0..DEPTH).map(|_| vec![0; BUFFER]).collect();
    let shared = Mutex::new(Shared { fill, full: VecDeque::new(), free, end: None });
    let room = Condvar::new();
    std::thread::scope(|scope| {
        let reader = || read_ahead(&shared, &room, go_on);
        let thread = std::thread::Builder::new().name("caisson-read".to_owned());
        if thread.spawn_scoped(scope, reader).is_err() {
            return Ok(false); // the caller continues without it
        }
        let mut own = vec![0; BUFFER];
        let mut state = lock(&shared);
        loop {
            if let Some((buffer, count)) = state.full.pop_front() {
                drop(state);
                take(&buffer[..count]);
                state = lock(&shared);
                state.free.push(buffer);
                if state.free.len() >= DEPTH - 1 {
                    room.notify_one(); // one wake-up for several buffers
                }
            } else if let Some(end) = state.end.clone() {
                room.notify_one();
                return end;
            } else if let Some(count) = state.fill(&mut own) {
                drop(state);
                take(&own[..count]);
                state = lock(&shared);
            }
        }
    })
}

fn read_ahead(shared: &Mutex<Shared<'_, '_>>, room: &Condvar, go_on: &(dyn Fn() -> bool + Sync)) {
    let mut state = lock(shared);
    while state.end.is_none() {
        let Some(mut buffer) = state.free.pop() else {
            state = room.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        if !go_on() {
            state.end = Some(Ok(false));
        } else if let Some(count) = state.fill(&mut buffer) {
            state.full.push_back((buffer, count));
            drop(state); // lets the other thread run
            state = lock(shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Yields `count` pieces of growing length whose bytes are their index, then the end or a failure.
    fn pieces(
        count: usize,
        failure: Option<Failure>,
    ) -> impl FnMut(&mut [u8]) -> Result<usize, Failure> + Send {
        let mut number = 0;
        move |buffer| {
            number += 1;
            if number > count {
                return failure.clone().map_or(Ok(0), Err);
            }
            buffer[..number].fill(number as u8);
            Ok(number)
        }
    }

    fn expected(count: usize) -> Vec<u8> {
        (1..=count).flat_map(|number| std::iter::repeat_n(number as u8, number)).collect()
    }

    #[test]
    fn pieces_come_in_order_whoever_reads_them() {
        for count in [0, 1, 2, 7, 200] {
            let mut seen = Vec::new();
            let end = read(&mut pieces(count, None), &mut |bytes| seen.extend_from_slice(bytes), &|| true);
            assert_eq!((end, seen), (Ok(true), expected(count)));
        }
    }

    #[test]
    fn a_failure_comes_after_what_was_read_before_it() {
        let mut seen = Vec::new();
        let mut fill = pieces(50, Some(Failure::Stopped));
        let end = read(&mut fill, &mut |bytes| seen.extend_from_slice(bytes), &|| true);
        assert_eq!((end, seen), (Err(Failure::Stopped), expected(50)));
    }

    #[test]
    fn called_off_it_has_taken_all_that_it_read() {
        let (mut fill, mut seen) = (pieces(200, None), Vec::new());
        let asked = AtomicUsize::new(0);
        loop {
            let go_on = || asked.fetch_add(1, Ordering::Relaxed) % 5 < 4;
            match read(&mut fill, &mut |bytes| seen.extend_from_slice(bytes), &go_on) {
                Ok(true) => break,
                end => assert_eq!(end, Ok(false)),
            }
        }
        assert_eq!(seen, expected(200));
    }
}
