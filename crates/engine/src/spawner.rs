//! The guards, and the thread that clones them. PDEATHSIG of attached containers is tied to that thread: it does
//! nothing else, and ends after the last container.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::engine::Shared;
use crate::failure::{Failure, Result};
use crate::guard::{Guard, Origin};
use crate::message::Message;
use caisson_code::Phase;

#[derive(Default)]
pub struct Guards(Mutex<State>);

#[derive(Default)]
struct State {
    /// One, unless this process changes its ids, or has containers both with and without cgroups of their own.
    running: Vec<Arc<Guard>>,
    spawner: Option<Sender<Order>>,
}

enum Order {
    Start(Origin, Sender<Result<Arc<Guard>>>),
    /// End these guards.
    Retire(Vec<Arc<Guard>>),
}

impl Guards {
    /// Ends all guards, and then the spawner. The engine has no container any more.
    pub fn retire(&self) {
        let State { running, spawner } = std::mem::take(&mut *self.state());
        if let Some(spawner) = spawner {
            let _ = spawner.send(Order::Retire(running));
        }
    }

    /// Removes a guard that has ended.
    pub fn remove(&self, serial: u64) {
        self.state().running.retain(|guard| guard.serial != serial);
    }

    fn find(&self, origin: Origin) -> Option<Arc<Guard>> {
        let found = self.state().running.iter().find(|guard| guard.origin == origin).cloned()?;
        found.is_alive().then_some(found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A running guard of that origin; starts one if necessary.
    pub fn guard(self: &Arc<Self>, origin: Origin) -> Result<Arc<Guard>> {
        if let Some(guard) = self.guards.find(origin) {
            return Ok(guard);
        }
        let (answer, answered) = channel();
        let mut state = self.guards.state();
        if state.spawner.is_none() {
            let (sender, orders) = channel();
            let shared = Arc::clone(self);
            thread::Builder::new()
                .name("caisson-spawner".into())
                .spawn(move || serve(&shared, &orders))
                .map_err(|error| no_thread(&error))?;
            state.spawner = Some(sender);
        }
        let sent = state.spawner.as_ref().map(|spawner| spawner.send(Order::Start(origin, answer)));
        drop(state);
        let gone = || Failure::internal(Phase::Spawn, "the spawner thread has ended");
        match sent {
            Some(Ok(())) => answered.recv().unwrap_or_else(|_| Err(gone())),
            _ => Err(gone()),
        }
    }
}

fn serve(shared: &Arc<Shared>, orders: &Receiver<Order>) {
    for order in orders {
        match order {
            Order::Start(origin, answer) => drop(answer.send(start(shared, origin))),
            Order::Retire(guards) => drop(guards),
        }
    }
}

fn start(shared: &Arc<Shared>, origin: Origin) -> Result<Arc<Guard>> {
    // Two concurrent creates request the same one.
    if let Some(guard) = shared.guards.find(origin) {
        return Ok(guard);
    }
    let guard = Arc::new(Guard::start(&shared.program, shared.next_serial(), origin)?);
    let mut state = shared.guards.state();
    state.running.retain(|other| other.origin != origin);
    state.running.push(Arc::clone(&guard));
    drop(state);
    shared.tell(Message::GuardStarted(Arc::clone(&guard)));
    Ok(guard)
}

pub fn no_thread(error: &std::io::Error) -> Failure {
    let errno = error.raw_os_error().unwrap_or(0);
    let error = caisson_sys::Error::new("clone", "CLONE_THREAD", errno);
    Failure::syscall(Phase::Prepare, "cannot start a thread", &error)
        .hint("a limit on processes (ulimit -u, pids.max of the cgroup) is reached")
}
