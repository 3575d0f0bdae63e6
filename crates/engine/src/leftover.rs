//! Ends and removes what a state directory lists, for a delete and for containers of killed processes.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use caisson_cgroup::Cgroup;
use caisson_code::Phase;
use caisson_sys::{pidfd, poll, scheduling};

use crate::failure::{Failure, Result};
use crate::lifecycle::PATIENCE;
use crate::state::{self, StateDirectory, StateRoot};
use crate::task;

/// A directory without a state is a create in progress, or a leftover after this time.
const UNWRITTEN: Duration = Duration::from_secs(60);
/// Time limit of one sweep. The next one continues.
const SWEEP: Duration = Duration::from_secs(20);
const NICER: i32 = 10;
const SLICE: Duration = Duration::from_millis(1);

/// Kills the processes, and removes cgroups and state directory. The caller holds the lock.
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
        // Mounts end with a boot, and their ids begin anew.
        if let Some(mounts) =
            record.host_mounts.as_ref().filter(|_| record.boot_id == caisson_state::boot_id())
        {
            mounts.detach();
        }
        cgroup.remove().map_err(crate::cgroups::failure)?;
        caisson_resctrl::remove(&record.resctrl).map_err(crate::rdt::failure)?;
    }
    Ok(directory.remove()?)
}

fn await_end(process: &OwnedFd, id: &str) -> Result<()> {
    match poll::readable([process], Some(PATIENCE)) {
        Ok([true]) => Ok(()),
        Ok(_) => Err(crate::lifecycle::does_not_end(id)),
        Err(error) => Err(Failure::syscall(Phase::Delete, "cannot wait for the container's process", &error)),
    }
}

/// Creates a missing state root, checks that it is ours, and sweeps it in the background.
pub fn prepare_root(path: &Path) -> Result<()> {
    sweep_in_background(StateRoot::create(path)?);
    Ok(())
}

/// Removes an incomplete or attached container whose owner is gone; `false` for any other container.
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
        // Damaged, or owned by another user: a delete reports that.
        Err(_) => false,
    }
}

/// Roots with a sweep in progress.
static ACTIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Starts do not wait for this: a create whose id is taken by a leftover calls [`reclaim`].
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

/// What cannot be removed now is left for the next sweep.
fn sweep(root: &StateRoot, deadline: Instant) {
    for id in root.ids().unwrap_or_default() {
        if Instant::now() >= deadline {
            return;
        }
        let _ = StateDirectory::open_in(root, &id).map(|directory| reclaim_directory(&directory));
    }
}
