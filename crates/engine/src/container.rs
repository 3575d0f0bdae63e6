//! One container as the reactor knows it: its lifecycle, its first process, and what the next answer gives away.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use caisson_sys::Error;
use caisson_sys::poll::Waker;

use crate::lifecycle::Lifecycle;
use crate::record::Record;
use crate::request::CreateRequest;

pub struct Container {
    pub lifecycle: Lifecycle,
    /// Until the prepare task takes it.
    pub request: Option<Box<CreateRequest>>,
    /// From the end of the prepare task on.
    pub record: Option<Arc<Record>>,
    pub first: Process,
    /// The guard's refusal, until the record says what was asked for.
    pub refused: Option<Error>,
    pub warnings: Vec<String>,
    pub deadline: Option<Instant>,
    /// Wakes a task that can give up.
    pub cancel: Option<Arc<Waker>>,
    /// The layers of the image with mapped owners: goes to the helper with the next word.
    pub mapped_store: Option<OwnedFd>,
}

/// A process of a container, from its clone to its collection.
#[derive(Default)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks since boot; tells a reused pid apart.
    pub start_time: u64,
    pub pidfd: Option<Arc<OwnedFd>>,
    /// Open until the helper execs or dies.
    pub control: Option<OwnedFd>,
    /// In the epoll set.
    pub watched: bool,
    /// Its exit status has been taken.
    pub collected: bool,
    pub streams: [Option<OwnedFd>; 3],
    pub console: Option<Arc<OwnedFd>>,
}

impl Container {
    pub fn new(lifecycle: Lifecycle, request: Box<CreateRequest>) -> Self {
        Self {
            lifecycle,
            request: Some(request),
            record: None,
            first: Process::default(),
            refused: None,
            warnings: Vec::new(),
            deadline: None,
            cancel: None,
            mapped_store: None,
        }
    }
}
