//! A container in the reactor: its lifecycle, its first process, and the descriptors of the next reply.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use caisson_sys::Error;
use caisson_sys::poll::Waker;

use crate::execution::Executing;
use crate::lifecycle::Lifecycle;
use crate::record::Record;
use crate::request::CreateRequest;

pub struct Container {
    pub lifecycle: Lifecycle,
    /// `Some` until the prepare task takes it.
    pub request: Option<Box<CreateRequest>>,
    /// `Some` once the prepare task has ended.
    pub record: Option<Arc<Record>>,
    pub first: Process,
    /// The guard's refusal, kept until the record exists.
    pub refused: Option<Error>,
    pub warnings: Vec<String>,
    pub deadline: Option<Instant>,
    /// Wakes a task that can be cancelled.
    pub cancel: Option<Arc<Waker>>,
    /// Connection to the agent that answers system calls, sent to the helper with the start.
    pub agent: Option<OwnedFd>,
}

/// A process of a container, from its clone until it is reaped.
#[derive(Default)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks since boot; distinguishes reused pids.
    pub start_time: u64,
    pub pidfd: Option<Arc<OwnedFd>>,
    /// Open until the helper calls execve(2) or dies.
    pub control: Option<OwnedFd>,
    /// Whether it is in the epoll set.
    pub watched: bool,
    /// Whether its exit status was read.
    pub collected: bool,
    pub streams: [Option<OwnedFd>; 3],
    pub console: Option<Arc<OwnedFd>>,
    /// It executes its program behind a filter.
    pub executing: Option<Executing>,
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
            agent: None,
        }
    }
}
