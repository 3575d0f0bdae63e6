//! The way to the reactor: messages from JavaScript's thread and from the workers. The lock is held to push or to take,
//! never longer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use caisson_sys::poll::Waker;

use crate::message::Message;

pub struct Mailbox {
    state: Mutex<State>,
    pub waker: Waker,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    /// A reactor takes them.
    served: bool,
}

/// What became of a message.
pub enum Posted {
    /// The reactor has been woken.
    Served,
    /// There is no reactor; the caller starts one.
    Unserved,
}

impl Mailbox {
    pub fn new() -> caisson_sys::Result<Self> {
        Ok(Self { state: Mutex::default(), waker: Waker::new()? })
    }

    /// `Unserved` is returned once: its caller starts a reactor, or calls [`Mailbox::give_up`].
    pub fn post(&self, message: Message) -> Posted {
        let mut state = self.state();
        state.messages.push_back(message);
        let served = std::mem::replace(&mut state.served, true);
        drop(state);
        if !served {
            return Posted::Unserved;
        }
        self.waker.wake();
        Posted::Served
    }

    pub fn is_served(&self) -> bool {
        self.state().served
    }

    pub fn take(&self) -> VecDeque<Message> {
        std::mem::take(&mut self.state().messages)
    }

    /// The reactor's good-bye: `false` when a message came in the meantime.
    pub fn leave(&self) -> bool {
        let mut state = self.state();
        state.served = !state.messages.is_empty();
        !state.served
    }

    /// No reactor could be started: what waits is handed back.
    pub fn give_up(&self) -> VecDeque<Message> {
        let mut state = self.state();
        state.served = false;
        std::mem::take(&mut state.messages)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
