//! The reactor thread, the only owner of the containers. It waits on one epoll set, turns events into messages, steps
//! the lifecycles, and carries out their effects. Nothing else here blocks.

mod effects;
mod intake;
mod key;

use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use caisson_code::Phase;
use caisson_sys::pidfd;

use crate::container::Container;
use crate::engine::Shared;
use crate::failure::{Failure, Result};
use crate::guard::Guard;
use crate::lifecycle;
use crate::request::Handle;
use crate::watch::Watched;

use key::Key;
pub use key::WAKER;

/// How long an engine without containers keeps its threads and its guard for the next start.
const LINGER: Duration = Duration::from_secs(1);

/// Pause after a failed epoll_wait(2), which would fail again at once. Messages and deadlines are still handled.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Reactor {
    shared: Arc<Shared>,
    containers: HashMap<Handle, Container>,
    /// Prepared containers by state directory.
    by_directory: HashMap<PathBuf, Handle>,
    /// Containers of other processes whose exit is wanted.
    watched: HashMap<Handle, Watched>,
    guards: HashMap<u64, Arc<Guard>>,
    /// Children that only need to be reaped.
    strays: HashMap<u64, OwnedFd>,
    deadlines: BTreeSet<(Instant, Handle)>,
    /// Jobs that have not reported yet.
    jobs: usize,
    /// Dropped when no attached container is left; `Some` once the environment closes.
    closing: Option<Vec<Sender<()>>>,
}

impl Reactor {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            containers: HashMap::new(),
            by_directory: HashMap::new(),
            watched: HashMap::new(),
            guards: HashMap::new(),
            strays: HashMap::new(),
            deadlines: BTreeSet::new(),
            jobs: 0,
            closing: None,
        }
    }

    /// Runs the thread, which ends shortly after the last container.
    pub fn run(mut self) {
        let mut idle_since = None;
        loop {
            for message in self.shared.mailbox.take() {
                idle_since = None;
                self.receive(message);
            }
            if !self.is_idle() {
                idle_since = None;
            } else if idle_since.get_or_insert_with(Instant::now).elapsed() >= LINGER {
                self.guards.clear();
                self.shared.guards.retire();
                if self.shared.mailbox.leave() {
                    return;
                }
                continue;
            }
            let keys = self.shared.poller.wait(self.timeout(idle_since)).unwrap_or_else(|_| {
                std::thread::sleep(PAUSE);
                Vec::new()
            });
            for key in keys {
                self.ready(Key::decode(key));
            }
            self.expire();
        }
    }

    fn ready(&mut self, key: Key) {
        match key {
            Key::Waker => self.shared.mailbox.waker.drain(),
            Key::Control(handle) => self.read_control(handle),
            Key::Process(handle) => self.process_ended(handle),
            Key::Guard(serial) => self.read_guard(serial),
            Key::Watched(handle) => self.watched_ended(handle),
            Key::Stray(serial) => {
                if self.strays.get(&serial).is_none_or(|stray| !matches!(pidfd::wait(stray, false), Ok(None)))
                    && let Some(stray) = self.strays.remove(&serial)
                {
                    self.unwatch(&stray);
                }
            }
        }
    }

    /// Whether only new requests can arrive.
    fn is_idle(&self) -> bool {
        let over = |container: &Container| self.closing.is_some() && container.lifecycle.is_stopped();
        self.jobs == 0
            && self.strays.is_empty()
            && (self.closing.is_some() || self.watched.is_empty())
            && self.containers.values().all(over)
    }

    fn timeout(&self, idle_since: Option<Instant>) -> Option<Duration> {
        let now = Instant::now();
        let deadline = self.deadlines.first().map(|(when, _)| when.saturating_duration_since(now));
        let linger = idle_since.map(|since| (since + LINGER).saturating_duration_since(now));
        [deadline, linger, self.shared.pool.relieve()].into_iter().flatten().min()
    }

    fn expire(&mut self) {
        let now = Instant::now();
        while let Some((when, handle)) = self.deadlines.first().copied().filter(|(when, _)| *when <= now) {
            self.deadlines.remove(&(when, handle));
            if let Some(container) = self.containers.get_mut(&handle) {
                container.deadline = None;
            }
            self.step(handle, lifecycle::Message::Overdue);
        }
    }

    fn step(&mut self, handle: Handle, message: lifecycle::Message) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let effects = container.lifecycle.step(message);
        for effect in effects {
            self.carry_out(handle, effect);
        }
    }

    fn watch(&self, fd: &OwnedFd, key: Key) -> Result<()> {
        self.shared
            .poller
            .add(fd, key.encode())
            .map_err(|e| Failure::syscall(Phase::Prepare, "cannot watch a descriptor", &e))
    }

    /// Duplicates may live on in children, so closing alone does not remove a descriptor from the set.
    fn unwatch(&self, fd: &OwnedFd) {
        let _ = self.shared.poller.remove(fd);
    }

    /// Reaps a child without a container.
    fn collect(&mut self, pidfd: OwnedFd) {
        let serial = self.shared.next_serial();
        if self.watch(&pidfd, Key::Stray(serial)).is_ok() {
            self.strays.insert(serial, pidfd);
        }
    }
}
