//! The hashing threads: at most one per processor available to the process, started for work and ended without it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::job::FileJob;

pub enum Work {
    File(FileJob),
    Other(Box<dyn FnOnce() + Send>),
}

impl Work {
    fn run(self) {
        match self {
            Work::File(job) => job.run(),
            Work::Other(task) => task(),
        }
    }
}

/// How long an idle thread waits for more work.
const PATIENCE: Duration = Duration::from_secs(2);

struct State {
    work: VecDeque<Work>,
    threads: usize,
    /// Threads that are idle, or about to look for work.
    idle: usize,
    /// Threads that read ahead for others.
    helping: usize,
}

static STATE: Mutex<State> = Mutex::new(State { work: VecDeque::new(), threads: 0, idle: 0, helping: 0 });
static MORE: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limit() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `work` as soon as a thread is free. Fails only if no thread can be started.
pub fn submit(work: Work) -> std::io::Result<()> {
    let mut state = state();
    state.work.push_back(work);
    if state.idle >= state.work.len() {
        MORE.notify_one();
    } else if state.threads < limit() {
        let thread = std::thread::Builder::new().name("caisson-digest".to_owned());
        match thread.spawn(serve) {
            Ok(_) => {
                state.threads += 1;
                state.idle += 1;
            }
            Err(error) if state.threads == 0 => {
                state.work.pop_back();
                return Err(error);
            }
            Err(_) => {} // the other threads take it
        }
    }
    Ok(())
}

fn serve() {
    let mut state = state();
    loop {
        if let Some(work) = state.work.pop_front() {
            state.idle -= 1;
            drop(state);
            // A panic loses the result of its own work only; the thread continues with the next.
            let _ = catch_unwind(AssertUnwindSafe(|| work.run()));
            state = self::state();
            state.idle += 1;
            continue;
        }
        let (next, waited) = MORE.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        state = next;
        if waited.timed_out() && state.work.is_empty() {
            state.idle -= 1;
            state.threads -= 1;
            return;
        }
    }
}

/// The next queued file that may share a thread, if no thread is free to take it alone.
pub fn adopt() -> Option<FileJob> {
    let mut state = state();
    match state.work.front() {
        Some(Work::File(job)) if state.idle == 0 && state.threads == limit() && job.pairs() => {}
        _ => return None,
    }
    match state.work.pop_front() {
        Some(Work::File(job)) => Some(job),
        _ => None,
    }
}

/// Whether there is more work than processors.
pub fn is_crowded() -> bool {
    let state = state();
    !state.work.is_empty() || state.threads - state.idle + state.helping > limit()
}

/// A permit for one more thread while it lives: a processor is free.
pub struct Spare(());

/// A permit, if a processor is free.
pub fn spare() -> Option<Spare> {
    let mut state = state();
    let busy = state.threads - state.idle + state.helping;
    (busy < limit() && state.work.is_empty()).then(|| {
        state.helping += 1;
        Spare(())
    })
}

impl Drop for Spare {
    fn drop(&mut self) {
        state().helping -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    fn other(task: impl FnOnce() + Send + 'static) -> Work {
        Work::Other(Box::new(task))
    }

    #[test]
    fn every_task_runs_and_never_more_at_once_than_there_are_processors() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let (done, ends) = channel();
        for number in 0..200 {
            let done = done.clone();
            submit(other(move || {
                let now = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(now, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                done.send(number).unwrap();
            }))
            .unwrap();
        }
        drop(done);
        let mut numbers: Vec<_> = ends.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..200).collect::<Vec<_>>());
        assert!(MOST.load(Ordering::SeqCst) <= limit());
    }

    #[test]
    fn a_task_that_panics_takes_nothing_along() {
        let (done, ends) = channel();
        for number in 0..limit() * 4 {
            let done = done.clone();
            submit(other(move || {
                done.send(number).unwrap();
                std::panic::resume_unwind(Box::new("on purpose"));
            }))
            .unwrap();
        }
        drop(done);
        assert_eq!(ends.iter().count(), limit() * 4);
    }
}
