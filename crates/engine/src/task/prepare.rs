//! From a request to a first process being cloned: creates its resources, and removes them after a failure.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use caisson_code::Phase;
use caisson_plan::protocol::{self, CleanupTargets, Command, MapsFollow};
use caisson_state::HostMounts;
use caisson_sys::{descriptor, memfd, socket};

use crate::decide::{self, Decided};
use crate::engine::Shared;
use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::guard::{Origin, SpawnRequest};
use crate::lifecycle::{Demands, IdMaps};
use crate::record::{Placed, Record};
use crate::request::{CreateRequest, Handle, Stdio};
use crate::state::{CgroupState, OverlayState, Progress, START_SOCKET, StateDirectory, StateFile, VERSION};
use crate::{cgroups, clock, rdt};

/// The result of the task.
pub enum Prepared {
    /// Nothing is left.
    Nothing(Failure),
    /// The guard was asked to clone the first process.
    Asked {
        record: Arc<Record>,
        control: OwnedFd,
        streams: [Option<OwnedFd>; 3],
        /// Whether the cgroups were created; the helper is told.
        placed: Result<()>,
    },
}

impl Prepared {
    pub fn demands(record: &Record) -> Demands {
        let id_maps = match (&record.plan.user_namespace, record.plan.join.is_empty()) {
            (None, _) => IdMaps::None,
            (Some(_), true) => IdMaps::AfterClone,
            (Some(_), false) => IdMaps::AfterJoin,
        };
        Demands {
            id_maps,
            poststart: !record.config.hooks("poststart").is_empty(),
            agent: record.plan.listener().is_some(),
        }
    }
}

/// Creates state directory, sockets and streams, has the first process cloned, and creates its cgroup meanwhile.
pub fn prepare(shared: &Arc<Shared>, request: CreateRequest, handle: Handle) -> Prepared {
    let decide = || {
        let facts = shared.facts()?;
        let decided = decide::decide(&request, &facts)?;
        super::agent::check(&decided.plan)?;
        let guard = shared.guard(Origin::now(facts.rights, decided.placement.is_some()))?;
        Ok((facts, decided, guard))
    };
    let (facts, decided, guard) = match decide() {
        Ok(decided) => decided,
        Err(failure) => return Prepared::Nothing(failure),
    };
    let directory = match StateDirectory::create(&request.root, &request.id) {
        Ok(directory) => directory,
        Err(failure) => return Prepared::Nothing(failure.into()),
    };
    let state = initial_state(&request, &decided, &facts);
    let undo = |directory: &StateDirectory, failure| {
        let _ = directory.remove();
        guard.forget(handle);
        Prepared::Nothing(failure)
    };
    let Ends { control, streams, inherited } = match fill(&request, &decided, &directory, &state) {
        Ok(ends) => ends,
        Err(failure) => return undo(&directory, failure),
    };
    if let Some(Err(error)) = decided.resctrl.as_ref().map(caisson_resctrl::Placement::make) {
        return undo(&directory, rdt::failure(error));
    }
    let undo = |directory: &StateDirectory, failure| {
        let _ = caisson_resctrl::remove(&state.resctrl);
        undo(directory, failure)
    };
    let making = decided.placement.as_ref().map(|placement| placement.begin(decided.cgroup));
    let mut making = match making.transpose() {
        Ok(making) => making,
        Err(error) => return undo(&directory, cgroups::failure(error)),
    };
    let unified = making.as_ref().and_then(caisson_cgroup::Making::unified_fd);
    let targets = CleanupTargets {
        state_directory: directory.path.display().to_string(),
        cgroup_directories: state.cgroup.directories.clone(),
        root: state.host_mounts.as_ref().map(|mounts| mounts.root.clone()).unwrap_or_default(),
        mounts_before: state.host_mounts.as_ref().map(|mounts| mounts.before.clone()),
        resctrl_directories: state.resctrl.clone(),
    };
    let asked = guard.ask(&SpawnRequest {
        token: handle,
        descriptors: &inherited,
        namespaces: decided.plan.clone_flags,
        maps: match &decided.plan.user_namespace {
            None => MapsFollow::No,
            Some(_) if facts.rights.writes_root_files() => MapsFollow::ByRoot,
            Some(_) => MapsFollow::ByOwner,
        },
        // What an ordinary user may not reach, its guard may not reach either.
        asks: decided.plan.asks() && facts.rights.writes_root_files(),
        cgroup: unified.as_ref(),
        attached: request.attached.then_some(targets),
    });
    drop(inherited);
    if let Err(failure) = asked {
        drop(making);
        return undo(&directory, failure);
    }
    // The first process waits for the rest of its cgroups, which are created while it is cloned.
    let (cgroup, placed) = match making.as_mut().map(caisson_cgroup::Making::finish) {
        None => (Placed::None, Ok(())),
        Some(Ok(cgroup)) => (Placed::Made(cgroup), Ok(())),
        Some(Err(error)) => (Placed::Partly(Mutex::new(making)), Err(cgroups::failure(error))),
    };
    let placed = placed.and_then(|()| send(&control, Command::Proceed, None));
    let record = Record {
        handle,
        root: request.root,
        directory,
        state,
        config: decided.config,
        plan: decided.plan,
        console_socket: request.console_socket,
        rights: facts.rights,
        attached: request.attached,
        guard: Arc::clone(&guard),
        cgroup,
    };
    Prepared::Asked { record: Arc::new(record), control, streams, placed }
}

/// Our ends of the control socket and the streams, and the descriptors of the first process in numeric order.
struct Ends {
    control: OwnedFd,
    streams: [Option<OwnedFd>; 3],
    inherited: Vec<OwnedFd>,
}

fn fill(
    request: &CreateRequest,
    decided: &Decided,
    directory: &StateDirectory,
    state: &StateFile,
) -> Result<Ends> {
    let failed = |what: &'static str| move |e: caisson_sys::Error| Failure::syscall(Phase::Prepare, what, &e);
    directory.write_config(&decided.bytes)?;
    directory.write_state(state)?;
    if request.overlay.is_some() {
        directory.make_rootfs()?;
    }
    let listener =
        socket::listen(&directory.fd, START_SOCKET).map_err(failed("cannot make the start socket"))?;
    let (control, theirs) = socket::pair().map_err(failed("cannot make the control socket"))?;
    let encoded =
        protocol::encode(&decided.plan).map_err(|e| Failure::internal(Phase::Prepare, e.to_string()))?;
    let plan = memfd::data("caisson-plan", &encoded).map_err(failed("cannot make the plan"))?;
    let (streams, mut inherited) = streams(&request.stdio, decided.config.terminal())?;
    inherited.extend([theirs, plan, listener]); // fd::CONTROL, fd::PLAN, fd::START
    for number in (3..).take(request.preserve_fds as usize) {
        inherited.push(descriptor::duplicate(number).map_err(failed("cannot preserve a descriptor"))?);
    }
    Ok(Ends { control, streams, inherited })
}

/// Sends a command to a helper, with the descriptor it needs. If the helper is gone, its report in the socket or its
/// exit status tells why.
pub fn send(control: &OwnedFd, command: Command, descriptor: Option<&OwnedFd>) -> Result<()> {
    let bytes = protocol::encode(&command).map_err(|e| Failure::internal(Phase::Spawn, e.to_string()))?;
    match socket::send(control, &bytes, descriptor.as_slice()) {
        Err(error) if error.errno() != rustix::io::Errno::PIPE.raw_os_error() => {
            Err(Failure::syscall(Phase::Spawn, "cannot let the container proceed", &error))
        }
        _ => Ok(()),
    }
}

fn initial_state(request: &CreateRequest, decided: &Decided, facts: &Facts) -> StateFile {
    let rootfs = decided.rootfs.display().to_string();
    let host_mounts = decided.plan.mounts_outlive_it().then(|| HostMounts::before(&decided.rootfs));
    let directories = decided.placement.as_ref().map(|placement| placement.directories()).unwrap_or_default();
    StateFile {
        version: VERSION,
        id: request.id.clone(),
        oci_version: decided.config.oci_version().to_owned(),
        bundle: request.bundle.display().to_string(),
        rootfs,
        annotations: decided.config.annotations(),
        created: clock::now(),
        owner: facts.owner.clone(),
        status: Progress::Creating,
        attached: request.attached,
        owner_pid: facts.pid,
        owner_start_time: facts.start_time.to_string(),
        boot_id: facts.boot_id.clone(),
        pid: None,
        start_time: None,
        cgroup: CgroupState {
            mode: facts.cgroup.mode.name().to_owned(),
            directories: directories.iter().map(|d| d.display().to_string()).collect(),
        },
        resctrl: removed_groups(decided),
        terminal: decided.config.terminal(),
        overlay: request.overlay.as_ref().map(|overlay| OverlayState {
            store: overlay.store.display().to_string(),
            container: overlay.container.clone(),
            tmpfs: overlay.tmpfs,
        }),
        image: request.image.clone(),
        directory: request.directory.clone(),
        listener_path: decided.plan.listener().and_then(|listener| listener.path.clone()),
        // A joined namespace does not end with the container's first process.
        pid_namespace: (decided.plan.clone_flags | decided.plan.clone_after_join)
            .contains(caisson_plan::Namespaces::PID),
        host_mounts,
    }
}

fn removed_groups(decided: &Decided) -> Vec<String> {
    let removed = decided.resctrl.iter().flat_map(|placement| &placement.removed);
    removed.map(|directory| directory.display().to_string()).collect()
}

type Streams = ([Option<OwnedFd>; 3], Vec<OwnedFd>);

/// Our ends of the pipes, and the program's descriptors 0, 1 and 2. With a terminal the helper opens those itself.
fn streams(stdio: &[Stdio; 3], terminal: bool) -> Result<Streams> {
    let failed = |e: caisson_sys::Error| Failure::syscall(Phase::Prepare, "cannot set up stdio", &e);
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
