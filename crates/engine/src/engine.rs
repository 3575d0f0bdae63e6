//! The engine's API, and the state shared by its threads. A call posts a message and returns: no call waits for a
//! container.

use std::os::fd::{AsFd, RawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use caisson_code::Phase;
use caisson_sys::poll::Poller;
use caisson_sys::{descriptor, terminal};

use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::mailbox::{Mailbox, Posted};
use crate::message::Message;
use crate::pool::Pool;
use crate::program::Program;
use crate::reactor::{self, Reactor};
use crate::request::{Answer, CreateRequest, DestroyRequest, Event, Handle, Reply, Token};
use crate::spawner::{Guards, no_thread};
use crate::system_calls::SystemCalls;

/// How long closing an environment waits for its containers. The guard ends the rest.
const CLOSING: Duration = Duration::from_secs(10);

/// Shared by the threads. Containers are not in it: only the reactor has them.
pub struct Shared {
    sink: Box<dyn Fn(Event) + Send + Sync>,
    facts: Mutex<Option<Arc<Facts>>>,
    serial: AtomicU64,
    pub program: Program,
    pub poller: Poller,
    pub mailbox: Mailbox,
    pub pool: Arc<Pool>,
    pub guards: Guards,
    pub system_calls: SystemCalls,
}

/// An engine; two in one process share nothing.
pub struct Engine {
    shared: Arc<Shared>,
    tokens: AtomicU32,
}

impl Engine {
    /// `helper` is the path of caisson-init; `sink` is called on the engine's threads.
    pub fn new(helper: PathBuf, sink: impl Fn(Event) + Send + Sync + 'static) -> Result<Self> {
        let failed =
            |e: caisson_sys::Error| Failure::syscall(Phase::Prepare, "cannot set up the event loop", &e);
        let shared = Shared {
            sink: Box::new(sink),
            facts: Mutex::default(),
            serial: AtomicU64::new(1),
            program: Program::new(helper),
            poller: Poller::new().map_err(failed)?,
            mailbox: Mailbox::new().map_err(failed)?,
            pool: Arc::default(),
            guards: Guards::default(),
            system_calls: SystemCalls::default(),
        };
        shared.poller.add(&shared.mailbox.waker, reactor::WAKER).map_err(failed)?;
        Ok(Self { shared: Arc::new(shared), tokens: AtomicU32::new(1) })
    }

    /// The reply is [`Reply::Created`].
    pub fn create(&self, request: CreateRequest) -> Token {
        self.ask(|token| Message::Create { token, request: Box::new(request) })
    }

    /// Undoes the create of `token`, which then fails.
    pub fn cancel(&self, token: Token) {
        self.shared.tell(Message::Cancel { token });
    }

    /// Starts a created container of this engine or another process; the reply comes after poststart hooks.
    pub fn start(&self, root: PathBuf, id: String) -> Token {
        self.ask(|token| Message::Start { token, root, id })
    }

    /// The reply is [`Reply::Destroyed`] with the failures of poststop hooks as warnings.
    pub fn destroy(&self, request: DestroyRequest) -> Token {
        self.ask(|token| Message::Destroy { token, request })
    }

    /// Reports the exit of a container that another process created.
    pub fn watch(&self, root: PathBuf, id: String) -> Token {
        self.ask(|token| Message::Watch { token, root, id })
    }

    /// Reports the end of any process, told by its start time from others with its pid.
    pub fn watch_process(&self, pid: i32, start_time: String) -> Token {
        self.ask(|token| Message::WatchProcess { token, pid, start_time })
    }

    /// Copies between the terminal of `master` (duplicated, never closed) and descriptors 0 and 1 of this process until
    /// its last user or the container `handle` has ended. The reply is [`Reply::Ended`]. When this returns, the
    /// container's terminal passes line endings on unchanged; if our output is a terminal, it translates them.
    pub fn proxy_terminal(&self, master: RawFd, handle: Option<Handle>) -> Token {
        let ready = descriptor::duplicate(master)
            .and_then(|master| terminal::clear_onlcr(master.as_fd()).map(|()| master));
        match ready {
            Ok(master) => self.ask(|token| Message::Proxy { token, master, handle }),
            Err(error) => {
                let token = self.next_token();
                self.shared
                    .reply(token, Err(Failure::syscall(Phase::Start, "cannot proxy the terminal", &error)));
                token
            }
        }
    }

    /// Answers an [`Event::SystemCall`] by its id.
    pub fn answer(&self, handle: Handle, id: u64, answer: Answer) -> Result<()> {
        self.shared.system_calls.answer(handle, id, answer)
    }

    /// Reads at most `length` bytes at `address` of the process that waits in a system call, `call`: its id and pid.
    /// The reply is [`Reply::Memory`].
    pub fn read_memory(&self, handle: Handle, call: (u64, i32), address: u64, length: usize) -> Token {
        let token = self.next_token();
        self.shared.read_memory(token, handle, call, address, length);
        token
    }

    /// Detaches a container without touching it: its exit is not reported any more, but it is still our child and is
    /// reaped.
    pub fn release(&self, handle: Handle) {
        self.shared.tell(Message::Release(handle));
    }

    /// Kills this engine's attached containers and removes their resources. Called when the environment closes.
    pub fn close(&self) {
        if !self.shared.mailbox.is_served() {
            return;
        }
        let (open, closed) = channel();
        self.shared.tell(Message::Close(open));
        // The sender is dropped with the last container.
        let _ = closed.recv_timeout(CLOSING);
    }

    fn ask(&self, message: impl FnOnce(Token) -> Message) -> Token {
        let token = self.next_token();
        self.shared.tell(message(token));
        token
    }

    fn next_token(&self) -> Token {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Posts a message to the reactor, and starts one if none is running.
    pub fn tell(self: &Arc<Self>, message: Message) {
        if let Posted::Served = self.mailbox.post(message) {
            return;
        }
        let reactor = Reactor::new(Arc::clone(self));
        let started = thread::Builder::new().name("caisson-reactor".into()).spawn(move || reactor.run());
        if let Err(error) = started {
            for message in self.mailbox.give_up() {
                if let Some(token) = message.token() {
                    self.reply(token, Err(no_thread(&error)));
                }
            }
        }
    }

    /// Queried again after a change of ids.
    pub fn facts(&self) -> Result<Arc<Facts>> {
        let known = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(facts) = known.filter(|facts| facts.are_ours()) {
            return Ok(facts);
        }
        let facts = Arc::new(Facts::gather()?);
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&facts));
        Ok(facts)
    }

    pub fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    pub fn emit(&self, event: Event) {
        (self.sink)(event);
    }

    /// Sends the single reply of a request.
    pub fn reply(&self, token: Token, result: Result<Reply>) {
        self.emit(Event::Reply { token, result });
    }
}
