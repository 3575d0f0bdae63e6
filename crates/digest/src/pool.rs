//! The threads that hash: as many as the process may use processors, started when there is work, gone when there is none.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Task = Box<dyn FnOnce() + Send>;

/// How long a thread waits for more.
const PATIENCE: Duration = Duration::from_secs(2);

struct State {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    /// Threads that tasks have started to help them.
    helping: usize,
}

static STATE: Mutex<State> = Mutex::new(State { tasks: VecDeque::new(), threads: 0, idle: 0, helping: 0 });
static MORE: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limit() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `task` as soon as a thread is free. Fails only where not a single thread can be started.
pub fn submit(task: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let mut state = state();
    state.tasks.push_back(Box::new(task));
    if state.idle >= state.tasks.len() {
        MORE.notify_one();
    } else if state.threads < limit() {
        let thread = std::thread::Builder::new().name("caisson-digest".to_owned());
        match thread.spawn(work) {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                state.tasks.pop_back();
                return Err(error);
            }
            Err(_) => {} // the others take it
        }
    }
    Ok(())
}

fn work() {
    let mut state = state();
    loop {
        if let Some(task) = state.tasks.pop_front() {
            drop(state);
            // A task that panics has lost its own result; the thread goes on with the next.
            let _ = catch_unwind(AssertUnwindSafe(task));
            state = self::state();
            continue;
        }
        state.idle += 1;
        let (next, waited) = MORE.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        state = next;
        state.idle -= 1;
        if waited.timed_out() && state.tasks.is_empty() {
            state.threads -= 1;
            return;
        }
    }
}

/// The right to one more thread while it lives: there is a processor that nothing here uses.
pub struct Spare(());

/// One, if there is one.
pub fn spare() -> Option<Spare> {
    let mut state = state();
    let busy = state.threads - state.idle + state.helping;
    (busy < limit() && state.tasks.is_empty()).then(|| {
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

    #[test]
    fn every_task_runs_and_never_more_at_once_than_there_are_processors() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let (done, ends) = channel();
        for number in 0..200 {
            let done = done.clone();
            submit(move || {
                let now = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(now, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                done.send(number).unwrap();
            })
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
            submit(move || {
                done.send(number).unwrap();
                std::panic::resume_unwind(Box::new("on purpose"));
            })
            .unwrap();
        }
        drop(done);
        assert_eq!(ends.iter().count(), limit() * 4);
    }
}
