//! Messages to the reactor.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::failure::Result;
use crate::guard::Guard;
use crate::request::{CreateRequest, DestroyRequest, Handle, Token};
use crate::task::prepare::Prepared;
use crate::watch::Watched;

pub enum Message {
    Create {
        token: Token,
        request: Box<CreateRequest>,
    },
    /// Undo the create of `token`.
    Cancel {
        token: Token,
    },
    Start {
        token: Token,
        root: PathBuf,
        id: String,
    },
    Destroy {
        token: Token,
        request: DestroyRequest,
    },
    Watch {
        token: Token,
        root: PathBuf,
        id: String,
    },
    WatchProcess {
        token: Token,
        pid: i32,
        start_time: String,
    },
    /// Copy bytes between a terminal and our own descriptors.
    Proxy {
        token: Token,
        master: OwnedFd,
        handle: Option<Handle>,
    },
    Release(Handle),
    /// The environment closes. The sender is dropped when no attached container is left.
    Close(Sender<()>),
    /// A task of one of our containers has ended.
    Done(Handle, Done),
    /// A job for a container of another process has ended and has already replied.
    JobDone,
    Watching {
        token: Token,
        result: Result<Watched>,
    },
    GuardStarted(Arc<Guard>),
}

/// The result of a task.
pub enum Done {
    Prepared(Box<Prepared>),
    IdsMapped(Result<()>),
    HooksRan(Result<()>),
    /// Start time of the first process, in clock ticks since boot.
    Published(Result<u64>),
    /// Connected to the agent.
    AgentReached(Result<OwnedFd>),
    OomCounted(bool),
    Killed,
    /// It was killed, but the version 1 cgroup at this path keeps it frozen.
    Frozen(String),
    /// Warnings.
    Removed(Result<Vec<String>>),
}

impl Message {
    /// The request waiting for a reply.
    pub fn token(&self) -> Option<Token> {
        match self {
            Self::Create { token, .. }
            | Self::Start { token, .. }
            | Self::Destroy { token, .. }
            | Self::Watch { token, .. }
            | Self::Proxy { token, .. }
            | Self::Watching { token, .. } => Some(*token),
            _ => None,
        }
    }
}
