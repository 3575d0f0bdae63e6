//! The engine's face and what its threads share.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use caisson_sys::poll::{Poller, Waker};
use caisson_sys::{descriptor, process, terminal};

use crate::container::{Container, Stage};
use crate::destroy;
use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::guard::Guard;
use crate::program::Program;
use crate::proxy::{self, Streams};
use crate::request::{CreateRequest, DestroyRequest, Event, Handle, Reply, Token};
use crate::start::{self, StartConnection};
use crate::threads::{Job, no_thread};
use crate::watch::Watched;

/// Key of the waker in the epoll set; no handle reaches it.
pub(crate) const WAKER: u64 = u64::MAX;

/// Everything the threads share.
pub(crate) struct Shared {
    sink: Box<dyn Fn(Event) + Send + Sync>,
    facts: Mutex<Option<Arc<Facts>>>,
    pub program: Program,
    pub poller: Poller,
    pub waker: Waker,
    pub registry: Mutex<Registry>,
    /// One, unless this process changes its ids, or has containers with and without cgroups of their own.
    pub guards: Mutex<Vec<Arc<Guard>>>,
    /// The environment is gone: nobody hears events any more, and only living containers are a reason to go on.
    pub closed: AtomicBool,
    serial: AtomicU64,
    pub jobs: Mutex<Option<Sender<Job>>>,
}

#[derive(Default)]
pub(crate) struct Registry {
    pub containers: HashMap<Handle, Container>,
    pub starts: HashMap<u64, StartConnection>,
    pub watched: HashMap<Handle, Watched>,
    /// Why containers ended while runtime hooks ran for them: the answer of their `proceed`.
    pub failed_at_hooks: HashMap<Handle, Failure>,
    /// Requests that have no answer yet.
    pub pending: usize,
}

impl Registry {
    pub fn is_idle(&self, closed: bool) -> bool {
        let over = |container: &Container| closed && container.stage == Stage::Ended;
        self.pending == 0
            && self.starts.is_empty()
            && (closed || self.watched.is_empty())
            && self.containers.values().all(over)
    }
}

/// What an epoll key stands for; its low bits say which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Control(Handle),
    Process(Handle),
    Start(u64),
}

impl Key {
    pub fn encode(self) -> u64 {
        match self {
            Self::Control(serial) => serial << 2,
            Self::Process(serial) => (serial << 2) | 1,
            Self::Start(serial) => (serial << 2) | 2,
        }
    }

    pub fn decode(key: u64) -> Self {
        let serial = key >> 2;
        match key & 3 {
            0 => Self::Control(serial),
            1 => Self::Process(serial),
            _ => Self::Start(serial),
        }
    }
}

/// One engine; two in a process share nothing.
pub struct Engine {
    shared: Arc<Shared>,
    tokens: AtomicU32,
}

impl Engine {
    /// `helper` is the path of caisson-init; `sink` is called from the engine's threads.
    pub fn new(helper: PathBuf, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Self> {
        let failed = |e: caisson_sys::Error| Failure::syscall("prepare", "cannot set up the event loop", &e);
        let shared = Shared {
            sink: Box::new(sink),
            facts: Mutex::default(),
            program: Program::new(helper),
            poller: Poller::new().map_err(failed)?,
            waker: Waker::new().map_err(failed)?,
            registry: Mutex::default(),
            guards: Mutex::default(),
            closed: AtomicBool::new(false),
            serial: AtomicU64::new(1),
            jobs: Mutex::default(),
        };
        shared.poller.add(&shared.waker, WAKER).map_err(failed)?;
        Ok(Self { shared: Arc::new(shared), tokens: AtomicU32::new(1) })
    }

    /// Answered by [`Reply::Created`], with `hooks` set when runtime hooks are to run first.
    pub fn create(&self, request: CreateRequest) -> Token {
        self.submit(|token| Job::Create(token, Box::new(request)))
    }

    /// Runtime hooks have passed; answered by [`Reply::Created`].
    pub fn proceed(&self, handle: Handle) -> Token {
        self.submit(|token| Job::Proceed(token, handle))
    }

    /// Starts a created container, this engine's or another process's.
    pub fn start(&self, root: PathBuf, id: String) -> Token {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        self.shared.registry().pending += 1;
        if !start::start_own(&self.shared, token, &root, &id) {
            self.shared.post(Job::Start(token, root, id), &self.shared);
        }
        token
    }

    pub fn destroy(&self, request: DestroyRequest) -> Token {
        self.submit(|token| Job::Destroy(token, request))
    }

    /// Reports the exit of a container that another process created.
    pub fn watch(&self, root: PathBuf, id: String) -> Token {
        self.submit(|token| Job::Watch(token, root, id))
    }

    /// Copies between the terminal whose master is `master` (duplicated, never closed) and descriptors 0 and 1 of this
    /// process, until nobody uses it any more or the container `handle` has ended. Answered by [`Reply::Done`].
    /// When this returns, the terminal passes lines on as the program ends them: the end of a line is made by our own
    /// terminal, where there is one.
    pub fn proxy_terminal(&self, master: RawFd, handle: Option<Handle>) -> Token {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let mut registry = self.shared.registry();
        registry.pending += 1;
        let process =
            handle.and_then(|handle| registry.containers.get(&handle)).map(|c| Arc::clone(&c.pidfd));
        drop(registry);
        let shared = Arc::clone(&self.shared);
        let master = descriptor::duplicate(master)
            .and_then(|master| terminal::clear_onlcr(master.as_fd()).map(|()| master))
            .map_err(|e| Failure::syscall("start", "cannot proxy the terminal", &e));
        let work = move || {
            let streams = Streams { input: process::standard(0), output: process::standard(1) };
            let result = master.and_then(|master| proxy::proxy(&master, process.as_deref(), &streams));
            shared.reply(token, result.map(|()| Reply::Done));
        };
        if let Err(error) = thread::Builder::new().name("caisson-terminal".into()).spawn(work) {
            self.shared.reply(token, Err(no_thread(&error)));
        }
        token
    }

    /// Forgets a container without touching it: its exit is no longer reported, but it is still our child and collected.
    pub fn release(&self, handle: Handle) {
        let mut registry = self.shared.registry();
        if let Some(container) = registry.containers.get_mut(&handle) {
            container.released = true;
            if container.stage == Stage::Ended {
                registry.containers.remove(&handle);
            }
        }
        if let Some(watched) = registry.watched.remove(&handle) {
            let _ = self.shared.poller.remove(&watched.pidfd);
        }
    }

    /// Kills this engine's attached containers and removes all that belongs to them. Called when the environment ends.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        destroy::all_attached(&self.shared);
    }

    fn submit(&self, job: impl FnOnce(Token) -> Job) -> Token {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        self.shared.registry().pending += 1;
        self.shared.post(job(token), &self.shared);
        token
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asked again after a change of ids.
    pub fn facts(&self) -> Result<Arc<Facts>> {
        let mut known = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = known.as_ref().filter(|facts| facts.are_ours()) {
            return Ok(Arc::clone(facts));
        }
        let facts = Arc::new(Facts::gather()?);
        *known = Some(Arc::clone(&facts));
        Ok(facts)
    }

    pub fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    pub fn emit(&self, event: Event) {
        (self.sink)(event);
    }

    /// The one answer of a request.
    pub fn reply(&self, token: Token, result: Result<Reply>) {
        self.registry().pending -= 1;
        self.emit(Event::Reply { token, result });
    }

    /// Watches a descriptor; `key` says what it is.
    pub fn watch(&self, fd: &OwnedFd, key: Key) -> Result<()> {
        self.poller
            .add(fd, key.encode())
            .map_err(|e| Failure::syscall("prepare", "cannot watch a descriptor", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_keep_their_kind() {
        for key in [Key::Control(1), Key::Process(7), Key::Start(1 << 40)] {
            assert_eq!(Key::decode(key.encode()), key);
        }
    }
}
