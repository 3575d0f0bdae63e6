//! Starts, watches and ends containers for one Node environment, with a spawner thread, a reactor thread, a guard
//! process and the state directory. It does not depend on Node; the binding converts. docs/internal/process-model.md
//! describes the processes.
#![forbid(unsafe_code)]

mod cgroups;
mod clock;
mod config_file;
mod container;
mod decide;
mod denied;
mod engine;
mod execution;
mod facts;
mod failure;
mod foreign;
mod guard;
mod idmap;
mod leftover;
mod lifecycle;
mod mailbox;
mod message;
mod owner;
mod pool;
mod program;
mod proxy;
mod rdt;
mod reactor;
mod record;
mod request;
mod spawner;
mod state;
mod status;
mod system_calls;
mod task;
mod watch;

pub use caisson_plan::protocol::Opening;
pub use decide::decide;
pub use engine::Engine;
pub use facts::Facts;
pub use failure::{Failure, Result};
pub use leftover::{prepare_root, reclaim};
pub use owner::Owner;
pub use request::{
    Answer, CreateRequest, Created, DestroyRequest, Event, Handle, ImageOrigin, Notification, OverlayRequest,
    Reply, Stdio, Token,
};
pub use state::{Progress, StateFile};
pub use status::{ContainerRecord, Status, configuration, record, records, signal, status};
