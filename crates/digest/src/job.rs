//! Hashes a source on a thread other than the caller's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Algorithm;
use crate::control::Control;
use crate::file::{Digests, Failure, Input, Source};
use crate::lane::{self, Done, Lane};
use crate::pool::{self, Work};

/// A file waiting for a thread.
pub struct FileJob {
    source: Source,
    algorithms: Vec<Algorithm>,
    control: Control,
    done: Done,
}

/// Hashes `source` and passes the result to `done`, both on a native thread. Files wait for a free thread of the pool;
/// sources that may block forever (pipes, sockets, terminals) get their own thread, so that they hold up nothing else.
pub fn hash(
    source: Source,
    algorithms: Vec<Algorithm>,
    control: Control,
    done: impl FnOnce(Result<Digests, Failure>) + Send + 'static,
) -> std::io::Result<()> {
    pool::submit(Work::File(FileJob { source, algorithms, control, done: Box::new(done) }))
}

impl FileJob {
    /// Whether it may share a thread with another job.
    pub(crate) fn pairs(&self) -> bool {
        Lane::pairs(self.algorithms.iter().copied())
    }

    /// Runs to the end on this thread, sharing it with other jobs of the queue when all threads are busy.
    pub(crate) fn run(self) {
        if let Some(lane) = self.open() {
            lane::run(lane, &|| pool::adopt().and_then(FileJob::open));
        }
    }

    /// `None` if nothing is left to do here.
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

/// Runs on a new thread, or on this one if none can be started: `done` is called in any case.
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
