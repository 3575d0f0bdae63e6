//! From a source to its digests on a thread that is not the caller's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Algorithm;
use crate::control::Control;
use crate::file::{Digests, Failure, Input, Source};
use crate::lane::{self, Done, Lane};
use crate::pool::{self, Work};

/// A file that waits for a thread.
pub struct FileJob {
    source: Source,
    algorithms: Vec<Algorithm>,
    control: Control,
    done: Done,
}

/// Hashes `source` and hands the result to `done`, both on a native thread. Files wait for a free one of the pool; what
/// may wait for ever (pipes, sockets, terminals) gets a thread of its own, so that nothing waits for it.
pub fn hash(
    source: Source,
    algorithms: Vec<Algorithm>,
    control: Control,
    done: impl FnOnce(Result<Digests, Failure>) + Send + 'static,
) -> std::io::Result<()> {
    pool::submit(Work::File(FileJob { source, algorithms, control, done: Box::new(done) }))
}

impl FileJob {
    /// Whether it may run beside another on one thread.
    pub(crate) fn pairs(&self) -> bool {
        Lane::pairs(self.algorithms.iter().copied())
    }

    /// To its end, on this thread, with others of the queue beside it when all threads are busy.
    pub(crate) fn run(self) {
        if let Some(lane) = self.open() {
            lane::run(lane, &|| pool::adopt().and_then(FileJob::open));
        }
    }

    /// `None` where there is nothing left to do here.
    fn open(self) -> Option<Lane> {
        let Self { source, algorithms, control, done } = self;
        match Input::open(source) {
            Ok(_) if control.is_stopped() => done(Err(Failure::Stopped)),
            Ok(input) if input.may_wait() => wait_elsewhere(Lane::new(input, &algorithms, control, done)),
            Ok(input) => return Some(Lane::new(input, &algorithms, control, done)),
            Err(failure) => done(Err(failure)),
        }
        None
    }
}

/// On a thread of its own; where there is none left, on this one: `done` is called in any case.
fn wait_elsewhere(lane: Lane) {
    let shared = Arc::new(Mutex::new(Some(lane)));
    let theirs = Arc::clone(&shared);
    let take = |lane: &Mutex<Option<Lane>>| lane.lock().unwrap_or_else(PoisonError::into_inner).take();
    let spawned = std::thread::Builder::new().name("caisson-digest".to_owned()).spawn(move || {
        if let Some(lane) = take(&theirs) {
            lane.wait();
        }
    });
    if spawned.is_err()
        && let Some(lane) = take(&shared)
    {
        lane.wait();
    }
}
