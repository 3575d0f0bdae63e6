//! The queue to the reactor for messages from the JavaScript thread and the workers. The lock is only held to push or
//! to take.

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
    /// Whether a reactor takes them.
    served: bool,
}

/// The result of posting a message.
pub enum Posted {
    /// The reactor was woken.
    Served,
    /// No reactor is running; the caller starts one.
    Unserved,
}

impl Mailbox {
    pub fn new() -> caisson_sys::Result<Self> {
        Ok(Self { state: Mutex::default(), waker: Waker::new()? })
    }

    /// `Unserved` is returned only once: its caller starts a reactor, or calls [`Mailbox::give_up`].
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

    /// Ends the reactor's service; `false` if a message arrived meanwhile.
    pub fn leave(&self) -> bool {
        let mut state = self.state();
        state.served = !state.messages.is_empty();
        !state.served
    }

    /// No reactor could be started: returns the queued messages.
    pub fn give_up(&self) -> VecDeque<Message> {
        let mut state = self.state();
        state.served = false;
        std::mem::take(&mut state.messages)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
