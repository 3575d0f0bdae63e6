//! The part of a container that does not change once it is prepared. Tasks share it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use caisson_cgroup::{Cgroup, Making};
use caisson_plan::{Config, Plan};
use caisson_rights::Rights;

use crate::guard::Guard;
use crate::request::Handle;
use crate::state::{StateDirectory, StateFile};

pub struct Record {
    pub handle: Handle,
    pub root: PathBuf,
    pub directory: StateDirectory,
    /// As first written: the tasks add pid and status.
    pub state: StateFile,
    pub config: Config,
    pub plan: Plan,
    pub console_socket: Option<String>,
    /// Of the caller.
    pub rights: Rights,
    pub attached: bool,
    /// The guard that clones it, and cleans up after it if it is attached.
    pub guard: Arc<Guard>,
    pub cgroup: Placed,
}

/// The container's cgroup.
pub enum Placed {
    None,
    Made(Cgroup),
    /// A part of it could not be created. The rest is removed once its process is gone.
    Partly(Mutex<Option<Making>>),
}

impl Record {
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match &self.cgroup {
            Placed::Made(cgroup) => Some(cgroup),
            Placed::None | Placed::Partly(_) => None,
        }
    }

    /// Removes the created part of an incomplete cgroup.
    pub fn unmake_cgroup(&self) {
        if let Placed::Partly(making) = &self.cgroup {
            drop(making.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
