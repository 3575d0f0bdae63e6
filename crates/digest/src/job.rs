//! From a source to its digests on a thread that is not the caller's.

use std::sync::{Arc, Mutex, PoisonError};

use crate::control::Control;
use crate::file::{Digests, Failure, Input, Source};
use crate::{Algorithm, pool};

/// Hashes `source` and hands the result to `done`, both on a native thread. Files wait for a free one of the pool; what
/// may wait for ever (pipes, sockets, terminals) gets a thread of its own, so that nothing waits for it.
pub fn hash(
    source: Source,
    algorithms: Vec<Algorithm>,
    control: Control,
    done: impl FnOnce(Result<Digests, Failure>) + Send + 'static,
) -> std::io::Result<()> {
    pool::submit(move || {
        let input = match Input::open(source) {
            Ok(input) if !control.is_stopped() => input,
            Ok(_) => return done(Err(Failure::Stopped)),
            Err(failure) => return done(Err(failure)),
        };
        if !input.may_wait() {
            return done(input.hash(&algorithms, &control, pool::spare));
        }
        // `done` is called exactly once, also where there is no thread to call it.
        let shared = Arc::new(Mutex::new(Some((input, done))));
        let theirs = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("caisson-digest".to_owned()).spawn(move || {
            if let Some((input, done)) = take(&theirs) {
                done(input.hash(&algorithms, &control, || None::<pool::Spare>));
            }
        });
        if let Err(error) = spawned
            && let Some((_, done)) = take(&shared)
        {
            done(Err(caisson_sys::Error::from_io("clone", "a thread that may wait", &error).into()));
        }
    })
}

fn take<T>(shared: &Mutex<Option<T>>) -> Option<T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).take()
}
