//! A thread pool for work that may block: files, cgroups, hooks, peers. It starts threads on demand, and more when the
//! existing ones are blocked, so that a slow file system or hook delays only its own container.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Threads for work that does not block.
const USUAL: usize = 4;
/// Limit of threads when all others are blocked.
const MOST: usize = 256;
/// How long work waits for a thread before another one is started.
pub const HELD_UP: Duration = Duration::from_millis(5);
/// How long an idle thread lives.
const LINGER: Duration = Duration::from_secs(1);

pub type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub struct Pool {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Instant, Job)>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// Runs the job on a pool thread, or on the caller's if none can be started.
    pub fn submit(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.queue.push_back((Instant::now(), job));
        if state.idle >= state.queue.len() {
            drop(state);
            return self.wake.notify_one();
        }
        if state.threads < USUAL {
            self.add_thread(state);
        }
    }

    /// Adds a thread if work has waited for one. Returns when to call this again; `None` until there is new work.
    pub fn relieve(self: &Arc<Self>) -> Option<Duration> {
        let state = self.state();
        let (since, _) = state.queue.front()?;
        let waited = since.elapsed();
        if waited >= HELD_UP && state.threads < MOST {
            self.add_thread(state);
            return Some(HELD_UP);
        }
        Some(HELD_UP.saturating_sub(waited).max(Duration::from_millis(1)))
    }

    fn add_thread(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.threads += 1;
        drop(state);
        let this = Arc::clone(self);
        let started = thread::Builder::new().name("caisson-worker".into()).spawn(move || this.work());
        if started.is_err() {
            let mut state = self.state();
            state.threads -= 1;
            // The limit of processes is reached. The existing threads will take the work; without any, the caller does
            // it.
            if state.threads == 0
                && let Some((_, job)) = state.queue.pop_front()
            {
                drop(state);
                run(job);
            }
        }
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some((_, job)) = state.queue.pop_front() {
                drop(state);
                run(job);
                state = self.state();
                continue;
            }
            state.idle += 1;
            let (woken, timeout) =
                self.wake.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job reports its own panic; the thread continues.
fn run(job: Job) {
    let _ = catch_unwind(AssertUnwindSafe(job));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_that_wait_do_not_keep_others_from_running() {
        let pool = Arc::new(Pool::default());
        let (release, held) = channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..USUAL {
            let held = Arc::clone(&held);
            pool.submit(Box::new(move || assert!(held.lock().unwrap().recv().is_err())));
        }
        let (done, other) = channel();
        pool.submit(Box::new(move || done.send(()).unwrap()));
        while other.try_recv().is_err() {
            assert!(pool.relieve().is_some() || other.recv_timeout(Duration::from_secs(10)).is_ok());
            thread::sleep(Duration::from_millis(1));
        }
        drop(release);
    }

    #[test]
    fn a_panic_takes_no_thread_away() {
        let pool = Arc::new(Pool::default());
        for _ in 0..2 * USUAL {
            pool.submit(Box::new(|| panic!("on purpose")));
        }
        let (done, other) = channel();
        pool.submit(Box::new(move || done.send(()).unwrap()));
        other.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
