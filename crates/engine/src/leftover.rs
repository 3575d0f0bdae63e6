//! What a state directory names beside this engine's own containers, and how it is ended: for a delete, and for what killed
//! processes have left.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use caisson_cgroup::Cgroup;
use caisson_sys::{pidfd, poll, scheduling};

use crate::failure::{Failure, Result};
use crate::state::{self, StateDirectory, StateRoot};
use crate::task;

/// How long a killed process may take: uninterruptible work in the kernel is what takes long.
const PATIENCE: Duration = Duration::from_secs(10);
/// A directory without a state is a create of this moment, or a leftover after so long.
const UNWRITTEN: Duration = Duration::from_secs(60);
/// How long one sweep may work. What it does not reach is the next one's.
const SWEEP: Duration = Duration::from_secs(20);
const NICER: i32 = 10;
const SLICE: Duration = Duration::from_millis(1);

/// Kills the processes and removes cgroups and state directory. The caller holds the lock.
pub fn remove(directory: &StateDirectory) -> Result<()> {
    if let Some(record) = state::cleanup_record(directory)? {
        let cgroup = Cgroup::open(&record.cgroup.mode, &record.cgroup.directories);
        let _ = cgroup.kill_all();
        if let Some(process) = caisson_state::open_process(&record)? {
            let _ = pidfd::send_signal(&process, 9);
            if let Some(cgroup) = record.pid.and_then(|pid| task::frozen(&process, pid)) {
                return Err(crate::lifecycle::frozen(directory.id(), &cgroup));
            }
            await_end(&process, directory.id())?;
        }
        cgroup.remove().map_err(crate::cgroups::failure)?;
    }
    Ok(directory.remove()?)
}

fn await_end(process: &OwnedFd, id: &str) -> Result<()> {
    match poll::readable([process], Some(PATIENCE)) {
        Ok([true]) => Ok(()),
        Ok(_) => Err(crate::lifecycle::does_not_end(id, PATIENCE)),
        Err(error) => Err(Failure::syscall("delete", "cannot wait for the container's process", &error)),
    }
}

/// Makes a state root where it is missing, checks that it is ours, and sweeps it in the background.
pub fn prepare_root(path: &Path) -> Result<()> {
    sweep_in_background(StateRoot::create(path)?);
    Ok(())
}

/// Removes a container that is half made or attached and whose owner is gone; `false`: it is not one of those.
pub fn reclaim(root: &Path, id: &str) -> Result<bool> {
    match StateDirectory::open(root, id) {
        Ok(directory) => reclaim_directory(&directory),
        Err(error) if error.kind == state::Kind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn reclaim_directory(directory: &StateDirectory) -> Result<bool> {
    if !is_orphan(directory) {
        return Ok(false);
    }
    let Some(_lock) = directory.try_lock()? else { return Ok(false) };
    remove(directory).map(|()| true)
}

fn is_orphan(directory: &StateDirectory) -> bool {
    match directory.read_state() {
        Ok(Some(state)) => state.is_orphan(),
        Ok(None) => rustix::fs::fstat(&directory.fd).is_ok_and(|status| {
            let changed = UNIX_EPOCH + Duration::from_secs(status.st_mtime.try_into().unwrap_or(0));
            SystemTime::now().duration_since(changed).is_ok_and(|age| age > UNWRITTEN)
        }),
        // Damaged, or not ours to judge: a delete says so.
        Err(_) => false,
    }
}

/// Roots that are being swept.
static ACTIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// No start waits for this: a create whose id is taken by a leftover calls [`reclaim`].
fn sweep_in_background(root: StateRoot) {
    let path = root.path().to_path_buf();
    if !ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone()) {
        return;
    }
    let done = path.clone();
    let work = move || {
        let _ = scheduling::step_back(NICER, SLICE);
        sweep(&root, Instant::now() + SWEEP);
        ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&done);
    };
    if std::thread::Builder::new().name("caisson-sweep".into()).spawn(work).is_err() {
        ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&path);
    }
}

/// What cannot be removed now stays for the next sweep.
fn sweep(root: &StateRoot, deadline: Instant) {
    for id in root.ids().unwrap_or_default() {
        if Instant::now() >= deadline {
            return;
        }
        let _ = StateDirectory::open_in(root, &id).map(|directory| reclaim_directory(&directory));
    }
}
