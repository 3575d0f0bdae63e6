//! Answers of this process to the system calls of its containers: one thread for each container takes calls eagerly,
//! so that a signal does not restart them for ever, and reads memory for the callback.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::poll::{self, Poller, Waker};
use caisson_sys::seccomp::{Answer, Listener, read_memory};
use caisson_sys::{Error, errno, socket};

use crate::engine::Shared;
use crate::failure::{Failure, Result};
use crate::request::{Event, Handle, Reply, Token};
use crate::spawner::no_thread;

/// Those whose system calls this process answers.
#[derive(Default)]
pub struct SystemCalls(Mutex<HashMap<Handle, Arc<Served>>>);

/// A container from its start until it is removed, or none of its processes is left.
struct Served {
    /// Set when the filter is loaded.
    listener: OnceLock<Listener>,
    reads: Mutex<VecDeque<Read>>,
    waker: Waker,
    closed: AtomicBool,
}

/// Memory that is wanted of the process that waits in the call `id`.
struct Read {
    token: Token,
    id: u64,
    pid: i32,
    address: u64,
    length: usize,
}

impl SystemCalls {
    /// Answers a call. One that was interrupted, or whose process is gone, needs no answer.
    pub fn answer(&self, handle: Handle, id: u64, answer: Answer) -> Result<()> {
        let Some(served) = self.find(handle) else { return Ok(()) };
        match served.listener.get().map(|listener| listener.answer(id, answer)) {
            Some(Err(error)) if error.errno() != errno::ENOENT => {
                Err(Failure::syscall(Phase::Start, "cannot answer a system call", &error))
            }
            _ => Ok(()),
        }
    }

    /// Ends the service of a container that is removed.
    pub fn close(&self, handle: Handle) {
        if let Some(served) = self.all().remove(&handle) {
            served.closed.store(true, Ordering::Release);
            served.waker.wake();
        }
    }

    fn find(&self, handle: Handle) -> Option<Arc<Served>> {
        self.all().get(&handle).cloned()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Handle, Arc<Served>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Reads memory of the process that waits in a call; the reply is [`Reply::Memory`].
    ///
    /// SECURITY: on the container's own thread. A process decides how long a page fault of its own takes
    /// (userfaultfd(2), FUSE), and so holds up only the calls of its own container.
    pub fn read_memory(&self, token: Token, handle: Handle, call: (u64, i32), address: u64, length: usize) {
        let Some(served) = self.system_calls.find(handle) else {
            return self.reply(token, Err(interrupted()));
        };
        let (id, pid) = call;
        served.reads().push_back(Read { token, id, pid, address, length });
        if served.closed.load(Ordering::Acquire) {
            served.refuse_reads(self);
        }
        served.waker.wake();
    }
}

/// Starts the thread for a container; returns the connection on which the helper sends the listener.
pub fn serve(shared: &Arc<Shared>, handle: Handle) -> Result<OwnedFd> {
    let failed = |e: Error| Failure::syscall(Phase::Start, "cannot answer the container's system calls", &e);
    let (ours, theirs) = socket::pair().map_err(failed)?;
    let served = Arc::new(Served {
        listener: OnceLock::new(),
        reads: Mutex::default(),
        waker: Waker::new().map_err(failed)?,
        closed: AtomicBool::new(false),
    });
    // An earlier start that failed has one.
    shared.system_calls.close(handle);
    shared.system_calls.all().insert(handle, Arc::clone(&served));
    let shared = Arc::clone(shared);
    let work = move || {
        // After an error nothing can be received, and the kernel answers the calls: ENOSYS.
        let _ = served.run(&shared, handle, &ours);
        served.closed.store(true, Ordering::Release);
        served.refuse_reads(&shared);
    };
    std::thread::Builder::new()
        .name("caisson-calls".into())
        .spawn(work)
        .map_err(|error| no_thread(&error))?;
    Ok(theirs)
}

/// The container process state has the annotations in it; a socket's buffer takes less.
const LONGEST_STATE: usize = 1 << 20;

const WAKER: u64 = 0;
const CALLS: u64 = 1;

impl Served {
    fn run(&self, shared: &Shared, handle: Handle, connection: &OwnedFd) -> caisson_sys::Result<()> {
        let poller = Poller::new()?;
        poller.add(&self.waker, WAKER)?;
        poller.add(connection, CALLS)?;
        while !poller.wait(None)?.contains(&CALLS) {
            if self.closed.load(Ordering::Acquire) {
                return Ok(());
            }
            self.waker.drain();
        }
        // End of file: the program was not executed.
        let Some(message) = socket::receive(connection, LONGEST_STATE, true)? else { return Ok(()) };
        let Some(fd) = message.descriptors.into_iter().next() else { return Ok(()) };
        poller.remove(connection)?;
        let listener = self.listener.get_or_init(|| Listener::new(fd));
        let _ = listener.wake_synchronously(); // Linux 6.6; only speed depends on it
        poller.add(listener, CALLS)?;
        loop {
            let ready = poller.wait(None)?;
            if ready.contains(&WAKER) {
                self.waker.drain();
                if self.closed.load(Ordering::Acquire) {
                    return Ok(());
                }
            }
            if ready.contains(&CALLS) {
                if poll::hung_up(listener, Duration::ZERO)? {
                    return Ok(());
                }
                if let Some(call) = listener.receive()? {
                    shared.emit(Event::SystemCall { handle, call });
                }
            }
            // One at a time: a call that comes meanwhile is taken first.
            let next = self.reads().pop_front();
            if let Some(read) = next {
                shared.reply(read.token, read.execute(listener).map(Reply::Memory));
                self.waker.wake();
            }
        }
    }

    fn reads(&self) -> MutexGuard<'_, VecDeque<Read>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse_reads(&self, shared: &Shared) {
        let reads = std::mem::take(&mut *self.reads());
        for read in reads {
            shared.reply(read.token, Err(interrupted()));
        }
    }
}

impl Read {
    fn execute(&self, listener: &Listener) -> Result<Vec<u8>> {
        let failed = |e: Error| Failure::syscall(Phase::Start, "cannot read memory of the process", &e);
        let bytes = read_memory(self.pid, self.address, self.length);
        // SECURITY: while the call waits the pid is its process's; otherwise it may have been another's.
        if listener.is_waiting(self.id) { bytes.map_err(failed) } else { Err(interrupted()) }
    }
}

fn interrupted() -> Failure {
    Failure::new(
        Code::InvalidState,
        Phase::Start,
        "the system call was interrupted, or its process has ended",
    )
}
