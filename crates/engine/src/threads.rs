//! The threads: the spawner runs jobs in order, the reactor waits. They begin with the first job and end, one after the
//! other, about a second after the last container.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::engine::Shared;
use crate::failure::Failure;
use crate::request::{CreateRequest, DestroyRequest, Handle, Token};
use crate::{create, destroy, reactor, start, watch};

/// How long idle threads (and the guard) stay for the next start.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) enum Job {
    Create(Token, Box<CreateRequest>),
    Proceed(Token, Handle),
    Start(Token, PathBuf, String),
    Destroy(Token, DestroyRequest),
    Watch(Token, PathBuf, String),
    /// A create that failed after the clone: everything of it is undone, then the failure is the answer.
    Abandon(Handle, Box<Failure>),
}

impl Job {
    /// The request that waits for it.
    fn token(&self) -> Option<Token> {
        match self {
            Self::Create(token, _)
            | Self::Proceed(token, _)
            | Self::Start(token, ..)
            | Self::Destroy(token, _)
            | Self::Watch(token, ..) => Some(*token),
            Self::Abandon(..) => None,
        }
    }
}

impl Shared {
    /// Hands a job to the spawner, starting the threads where none run.
    pub fn post(&self, job: Job, this: &Arc<Self>) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match jobs.as_ref() {
            None => job,
            Some(sender) => match sender.send(job) {
                Ok(()) => return,
                Err(unsent) => unsent.0, // the spawner has died of a panic: a new one takes over
            },
        };
        let token = job.token();
        let (sender, receiver) = channel();
        // A receiver that was just made cannot be gone.
        let _ = sender.send(job);
        match Self::start_threads(this, receiver) {
            Ok(()) => *jobs = Some(sender),
            Err(error) => {
                drop(jobs);
                if let Some(token) = token {
                    self.reply(token, Err(no_thread(&error)));
                }
            }
        }
    }

    fn start_threads(this: &Arc<Self>, jobs: Receiver<Job>) -> std::io::Result<()> {
        let running = Arc::new(AtomicBool::new(true));
        let (spawner, waiter, runs) = (Arc::clone(this), Arc::clone(this), Arc::clone(&running));
        let waiter = thread::Builder::new()
            .name("caisson-reactor".into())
            .spawn(move || reactor::run(&waiter, &runs))?;
        let runs = Arc::clone(&running);
        let spawned = thread::Builder::new()
            .name("caisson-spawner".into())
            .spawn(move || spawner.serve(&jobs, &runs, waiter));
        if spawned.is_err() {
            running.store(false, Ordering::Release);
            this.waker.wake();
        }
        spawned.map(drop)
    }

    /// The spawner thread. Attached containers are killed by the kernel when it ends (PDEATHSIG), so it outlives them.
    fn serve(self: &Arc<Self>, jobs: &Receiver<Job>, running: &AtomicBool, reactor: JoinHandle<()>) {
        loop {
            match jobs.recv_timeout(LINGER) {
                Ok(job) => self.run(job),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let mut sender = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
                    if !self.registry().is_idle(self.closed.load(Ordering::Acquire)) {
                        continue;
                    }
                    // Under the lock nobody can send a job: what comes next waits for it and starts new threads, which
                    // therefore never meet the old reactor or the old guard.
                    running.store(false, Ordering::Release);
                    self.waker.wake();
                    let _ = reactor.join();
                    self.guards.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    *sender = None;
                    return;
                }
            }
        }
    }

    fn run(self: &Arc<Self>, job: Job) {
        match job {
            Job::Create(token, request) => create::create(self, token, &request),
            Job::Proceed(token, handle) => create::proceed(self, token, handle),
            Job::Start(token, root, id) => start::start(self, token, &root, &id),
            Job::Destroy(token, request) => destroy::destroy(self, token, &request),
            Job::Watch(token, root, id) => watch::watch(self, token, &root, &id),
            Job::Abandon(handle, failure) => destroy::abandon(self, handle, *failure),
        }
    }
}

pub(crate) fn no_thread(error: &std::io::Error) -> Failure {
    Failure::new("ERR_SYSCALL", "prepare", format!("cannot start a thread: {error}"))
        .hint("a limit on processes (ulimit -u, pids.max of the cgroup) is reached")
}
