//! From a decision to a first process: everything around it is made, and unmade where a part fails.

use std::os::fd::OwnedFd;

use caisson_plan::protocol::{self, Belongings, Command};
use caisson_sys::{descriptor, memfd, socket};

use crate::decide::Decided;
use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::guard::{Birth, Born, Guard};
use crate::request::{CreateRequest, Handle, Stdio};
use crate::state::{CgroupState, OverlayState, Phase, START_SOCKET, StateDirectory, StateFile};
use crate::{cgroups, clock, denied, idmap, idmapped};

const CLONE_NEWPID: u64 = 0x2000_0000;

/// A clone that has happened, with all that belongs to it.
pub struct Begun {
    pub directory: StateDirectory,
    pub state: StateFile,
    pub cgroup: Option<caisson_cgroup::Cgroup>,
    pub born: Born,
    pub control: OwnedFd,
    pub streams: [Option<OwnedFd>; 3],
}

/// Makes state directory, socket and streams, has the first process cloned, and makes its cgroup meanwhile. On failure
/// nothing is left.
pub fn begin(
    request: &CreateRequest,
    decided: &Decided,
    facts: &Facts,
    guard: &Guard,
    handle: Handle,
) -> Result<Begun> {
    let directory = StateDirectory::create(&request.root, &request.id)?;
    match begin_in(request, decided, facts, guard, handle, &directory) {
        Ok((state, cgroup, born, control, streams)) => {
            Ok(Begun { directory, state, cgroup, born, control, streams })
        }
        Err(failure) => {
            let _ = directory.remove();
            guard.forget(handle);
            Err(failure)
        }
    }
}

type Parts = (StateFile, Option<caisson_cgroup::Cgroup>, Born, OwnedFd, [Option<OwnedFd>; 3]);

fn begin_in(
    request: &CreateRequest,
    decided: &Decided,
    facts: &Facts,
    guard: &Guard,
    handle: Handle,
    directory: &StateDirectory,
) -> Result<Parts> {
    let placement = decided.placement.as_ref();
    let directories = placement.map(caisson_cgroup::Placement::directories).unwrap_or_default();
    let directories: Vec<String> = directories.iter().map(|d| d.display().to_string()).collect();
    let state = initial_state(request, decided, facts, directories.clone());
    directory.write_config(&decided.bytes)?;
    directory.write_state(&state)?;
    if request.overlay.is_some() {
        directory.make_rootfs()?;
    }
    let (control, streams, descriptors) = descriptors(request, decided, directory)?;
    let mut making = placement.map(caisson_cgroup::Placement::begin).transpose().map_err(cgroups::failure)?;
    let unified = making.as_ref().and_then(caisson_cgroup::Making::unified_fd);
    let state_directory = directory.path.display().to_string();
    guard.ask(&Birth {
        token: handle,
        descriptors: &descriptors,
        namespaces: decided.plan.clone_flags,
        maps_follow: decided.plan.user_namespace.is_some(),
        cgroup: unified.as_ref(),
        attached: request.attached.then_some(Belongings { state_directory, cgroup_directories: directories }),
    })?;
    drop(descriptors);
    // The first process waits for the rest of its cgroups, which are made while it is cloned.
    let cgroup = making.as_mut().map(|making| making.finish(decided.config.resources())).transpose();
    let told = if cgroup.is_ok() { send(&control, Command::Proceed, None) } else { Ok(()) };
    let born = match guard.born(handle) {
        Ok(born) => born,
        Err(failure) => {
            // Whatever the guard has begun ends with our end of the control socket.
            if let Ok(Some(cgroup)) = cgroup {
                let _ = cgroup.kill_all();
                let _ = cgroup.remove();
            }
            return Err(failure);
        }
    };
    let (cgroup, born) = match (cgroup, born) {
        (Ok(cgroup), Ok(born)) => (cgroup, born),
        (Err(error), born) => {
            let _ = born.map(|born| born.end());
            return Err(cgroups::failure(error));
        }
        (Ok(cgroup), Err(error)) => {
            let _ = cgroup.map(|cgroup| cgroup.remove());
            return Err(denied::clone_failure(&error, decided.plan.user_namespace.is_some(), facts.euid));
        }
    };
    match told.and_then(|()| map_ids(decided, facts, &born, &control)) {
        Ok(()) => Ok((state, cgroup, born, control, streams)),
        Err(failure) => {
            born.end();
            let _ = cgroup.map(|cgroup| cgroup.remove());
            Err(failure)
        }
    }
}

/// The maps of a new user namespace, for which the first process waits. (After a second clone: in the reactor.)
fn map_ids(decided: &Decided, facts: &Facts, born: &Born, control: &OwnedFd) -> Result<()> {
    match decided.plan.user_namespace.as_ref().filter(|_| decided.plan.join.is_empty()) {
        Some(namespace) => {
            idmap::write(born.pid, namespace, facts.euid, facts.egid)?;
            send(control, Command::Proceed, idmapped::store_for(&decided.plan, born.pid)?.as_ref())
        }
        None => Ok(()),
    }
}

type Descriptors = (OwnedFd, [Option<OwnedFd>; 3], Vec<OwnedFd>);

/// Our end of the control socket, our ends of the streams, and what the first process gets, in the order of its numbers.
fn descriptors(
    request: &CreateRequest,
    decided: &Decided,
    directory: &StateDirectory,
) -> Result<Descriptors> {
    let failed = |what: &'static str| move |e: caisson_sys::Error| Failure::syscall("prepare", what, &e);
    let listener =
        socket::listen(&directory.fd, START_SOCKET).map_err(failed("cannot make the start socket"))?;
    let (control, theirs) = socket::pair().map_err(failed("cannot make the control socket"))?;
    let encoded = protocol::encode(&decided.plan)
        .map_err(|e| Failure::new("ERR_INVALID_SPEC", "prepare", e.to_string()))?;
    let plan = memfd::data("caisson-plan", &encoded).map_err(failed("cannot make the plan"))?;
    let (streams, mut inherited) = streams(&request.stdio, decided.config.terminal())?;
    inherited.extend([theirs, plan, listener]); // fd::CONTROL, fd::PLAN, fd::START
    for number in (3..).take(request.preserve_fds as usize) {
        inherited.push(descriptor::duplicate(number).map_err(failed("cannot preserve a descriptor"))?);
    }
    Ok((control, streams, inherited))
}

/// A word to a helper, with what it needs for it. One that is gone has left its reason in the socket, or its exit status says it.
pub fn send(control: &OwnedFd, command: Command, descriptor: Option<&OwnedFd>) -> Result<()> {
    let bytes =
        protocol::encode(&command).map_err(|e| Failure::new("ERR_SYSCALL", "spawn", e.to_string()))?;
    match socket::send(control, &bytes, descriptor.as_slice()) {
        Err(error) if error.errno() != rustix::io::Errno::PIPE.raw_os_error() => {
            Err(Failure::syscall("spawn", "cannot let the container proceed", &error))
        }
        _ => Ok(()),
    }
}

fn initial_state(
    request: &CreateRequest,
    decided: &Decided,
    facts: &Facts,
    directories: Vec<String>,
) -> StateFile {
    StateFile {
        version: 1,
        id: request.id.clone(),
        oci_version: decided.config.oci_version().to_owned(),
        bundle: request.bundle.display().to_string(),
        rootfs: decided.rootfs.display().to_string(),
        annotations: decided.config.annotations(),
        created: clock::now(),
        owner: facts.owner.clone(),
        status: Phase::Creating,
        attached: request.attached,
        owner_pid: facts.pid,
        owner_start_time: facts.start_time.to_string(),
        boot_id: facts.boot_id.clone(),
        pid: None,
        start_time: None,
        cgroup: CgroupState { mode: facts.cgroup.mode.name().to_owned(), directories },
        terminal: decided.config.terminal(),
        overlay: request.overlay.as_ref().map(|overlay| OverlayState {
            store: overlay.store.display().to_string(),
            container: overlay.container.clone(),
            tmpfs: overlay.tmpfs,
        }),
        image: request.image.clone(),
        directory: request.directory.clone(),
        // A joined one does not end with the container's first process.
        pid_namespace: (decided.plan.clone_flags | decided.plan.clone_after_join) & CLONE_NEWPID != 0,
    }
}

type Streams = ([Option<OwnedFd>; 3], Vec<OwnedFd>);

/// Our ends of the pipes, and what the program gets as 0, 1 and 2. With a terminal the helper opens those itself.
fn streams(stdio: &[Stdio; 3], terminal: bool) -> Result<Streams> {
    let failed = |e: caisson_sys::Error| Failure::syscall("prepare", "cannot set up stdio", &e);
    let (mut ours, mut theirs) = ([None, None, None], Vec::new());
    for (number, stream) in stdio.iter().enumerate() {
        let given = match stream {
            _ if terminal => descriptor::null().map_err(failed)?,
            Stdio::Null => descriptor::null().map_err(failed)?,
            Stdio::Descriptor(descriptor) => descriptor::duplicate(*descriptor).map_err(failed)?,
            Stdio::Pipe => {
                let (read, write) = descriptor::pipe().map_err(failed)?;
                let (mine, yours) = if number == 0 { (write, read) } else { (read, write) };
                ours[number] = Some(mine);
                yours
            }
        };
        theirs.push(given);
    }
    Ok((ours, theirs))
}
