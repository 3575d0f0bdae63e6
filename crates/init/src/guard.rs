//! Role `guard`: one process per engine that outlives it by the moment it takes to kill and remove what was attached to
//! it. PDEATHSIG alone would not do: the program can clear it, and it leaves cgroups and state behind.

mod cleanup;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use caisson_plan::protocol::{GuardReply, GuardRequest, MAX_MESSAGE, decode, encode, fd};
use caisson_sys::file::{self, CWD, O_DIRECTORY, O_PATH};
use caisson_sys::poll::Poller;
use caisson_sys::{Result, credentials, descriptor, process, signal, socket};

/// One attached container.
#[derive(Debug)]
struct Container {
    state_directory: String,
    cgroup_directories: Vec<String>,
    /// Its first process; `None` while it is being cloned.
    process: Option<OwnedFd>,
}

const CONTROL: u64 = 0;
const NODE: u64 = 1;

/// Runs the role. The status matters to nobody: whoever would look at it is gone.
pub fn run() -> i32 {
    match watch() {
        Ok(containers) => {
            cleanup::all(&containers);
            0
        }
        Err(_) => 1,
    }
}

/// Returns when the caller is gone, with what it has left behind.
fn watch() -> Result<BTreeMap<u64, Container>> {
    let control = descriptor::inherited(fd::CONTROL)?;
    let node = descriptor::inherited(fd::PLAN)?; // a guard has no plan, the caller's pidfd takes its place
    settle()?;
    let poller = Poller::new()?;
    poller.add(&control, CONTROL)?;
    poller.add(&node, NODE)?;
    let mut containers = BTreeMap::new();
    let mut moved_out = false;
    loop {
        let ready = poller.wait(None)?;
        if ready.contains(&CONTROL) {
            // End of file is the caller's death too, or the end of the worker thread that had the containers.
            let Some(message) = socket::receive(&control, MAX_MESSAGE, true)? else { return Ok(containers) };
            // What does not decode comes from another version of ourselves: nothing sensible can be done with it.
            let Ok(request) = decode(&message.bytes) else { continue };
            if let Some(token) = note(&mut containers, request, message.descriptors) {
                acknowledge(&control, token)?;
                if !moved_out {
                    leave_cgroups(&containers[&token]);
                    moved_out = true;
                }
            }
        } else if ready.contains(&NODE) {
            return Ok(containers);
        }
    }
}

/// A process of its own: nothing that hits the caller's terminal or process group hits it, and no directory of the
/// caller's is kept busy.
fn settle() -> Result<()> {
    credentials::set_name(c"caisson-guard")?;
    credentials::set_dumpable(false)?;
    signal::reset()?;
    let _ = process::new_session(); // leading one already is as good
    let top = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    process::change_directory(top.as_fd())
}

/// Keeps the books. The token of a registration, which is to be acknowledged.
fn note(
    containers: &mut BTreeMap<u64, Container>,
    request: GuardRequest,
    descriptors: Vec<OwnedFd>,
) -> Option<u64> {
    match request {
        GuardRequest::Register { token, state_directory, cgroup_directories } => {
            containers.insert(token, Container { state_directory, cgroup_directories, process: None });
            Some(token)
        }
        GuardRequest::Started { token } => {
            if let Some(container) = containers.get_mut(&token) {
                container.process = descriptors.into_iter().next();
            }
            None
        }
        GuardRequest::Forget { token } => {
            containers.remove(&token);
            None
        }
    }
}

fn acknowledge(control: &OwnedFd, token: u64) -> Result<()> {
    match encode(&GuardReply::Registered { token }) {
        Ok(bytes) => socket::send(control, &bytes, &[]),
        Err(_) => Ok(()), // a number always encodes; without an answer the caller gives up by itself
    }
}

/// Whoever stops a service kills by cgroup, all at once: in the root of each hierarchy the guard is out of the way.
/// Without the right to go there it stays where it is.
fn leave_cgroups(container: &Container) {
    for directory in &container.cgroup_directories {
        let procs = |directory: &str| format!("{directory}/cgroup.procs");
        let mut root = directory.as_str();
        while let Some((parent, _)) = root.rsplit_once('/') {
            if file::status_of(&procs(parent)).is_err() {
                break;
            }
            root = parent;
        }
        if let Ok(file) = file::open_at(CWD, &procs(root), file::O_WRONLY, 0) {
            let _ = file::write_once(file.as_fd(), b"0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_known_from_its_registration_until_it_is_forgotten() {
        let mut containers = BTreeMap::new();
        let register =
            GuardRequest::Register { token: 7, state_directory: "/s".into(), cgroup_directories: vec![] };
        assert_eq!(note(&mut containers, register, vec![]), Some(7));
        assert!(containers[&7].process.is_none());
        let (fd, _) = descriptor::pipe().unwrap();
        assert_eq!(note(&mut containers, GuardRequest::Started { token: 7 }, vec![fd]), None);
        assert!(containers[&7].process.is_some());
        assert_eq!(note(&mut containers, GuardRequest::Started { token: 8 }, vec![]), None);
        assert_eq!(note(&mut containers, GuardRequest::Forget { token: 7 }, vec![]), None);
        assert!(containers.is_empty());
    }
}
