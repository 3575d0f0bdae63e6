//! Everything that is said to the reactor.

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
    /// Undo the create that `token` waits for.
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
    /// Carry bytes between a terminal and our own descriptors.
    Proxy {
        token: Token,
        master: OwnedFd,
        handle: Option<Handle>,
    },
    Release(Handle),
    /// The environment ends. The sender goes when no attached container is left.
    Close(Sender<()>),
    /// A task of one of our containers is done.
    Done(Handle, Done),
    /// A job for another process's container is done; it has answered by itself.
    JobDone,
    Watching {
        token: Token,
        result: Result<Watched>,
    },
    GuardStarted(Arc<Guard>),
}

/// What a task gives back.
pub enum Done {
    Prepared(Box<Prepared>),
    /// With the store of layers, mapped, where the plan asks for it.
    IdsMapped(Result<Option<OwnedFd>>),
    HooksRan(Result<()>),
    /// Start time of the first process, in clock ticks since boot.
    Published(Result<u64>),
    OomCounted(bool),
    Killed,
    /// Killed, but the version 1 cgroup of this path keeps it frozen.
    Frozen(String),
    /// Warnings.
    Removed(Result<Vec<String>>),
}

impl Message {
    /// The request that waits for an answer.
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
