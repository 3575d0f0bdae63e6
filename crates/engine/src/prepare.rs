//! Everything that happens before the clone, and its undoing.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use caisson_plan::protocol::{self, fd};
use caisson_plan::{Config, Plan};
use caisson_sys::spawn::{Spawn, Spawned, spawn};
use caisson_sys::{descriptor, memfd, socket};

use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::program::Program;
use crate::request::{CreateRequest, Stdio};
use crate::state::{CgroupState, Phase, START_SOCKET, StateDirectory, StateFile, check_id};
use crate::{cgroups, clock, denied, idmap};

const CLONE_NEWPID: u64 = 0x2000_0000;

/// A decided container: nothing of it exists yet.
pub struct Decided {
    pub config: Config,
    pub bytes: Vec<u8>,
    pub plan: Plan,
    pub rootfs: PathBuf,
    pub placement: Option<caisson_cgroup::Placement>,
}

/// Reads, validates and plans. No side effect; `caisson plan` stops here.
pub fn decide(request: &CreateRequest, facts: &Facts) -> Result<Decided> {
    check_id(&request.id)?;
    let bytes = read_config(request)?;
    let config = Config::parse(&bytes)?;
    let rootless = facts.rootless(request.rootless);
    let (placement, warning) = if request.cgroup_disabled {
        (None, None)
    } else {
        let wanted =
            caisson_cgroup::Request { id: &request.id, cgroups_path: config.cgroups_path(), rootless };
        cgroups::place(&facts.cgroup, &wanted, config.resources())?
    };
    let options = caisson_plan::Options {
        id: request.id.clone(),
        bundle: request.bundle.display().to_string(),
        rootless,
        pivot: request.pivot,
        new_keyring: request.new_keyring,
        preserve_fds: request.preserve_fds,
        attached: request.attached,
    };
    let host = caisson_plan::Host {
        euid: facts.euid,
        egid: facts.egid,
        in_user_namespace: facts.in_user_namespace,
        cgroup: cgroups::view(&facts.cgroup, placement.as_ref()),
        kernel_capabilities: facts.capabilities,
        security_modules: facts.security_modules.clone(),
    };
    let mut plan = caisson_plan::plan(&config, &options, &host)?;
    plan.warnings.extend(warning);
    let rootfs = config.root_path(&request.bundle);
    check_rootfs(&rootfs)?;
    check_terminal(&config, request)?;
    Ok(Decided { config, bytes, plan, rootfs, placement })
}

fn read_config(request: &CreateRequest) -> Result<Vec<u8>> {
    let invalid = |message: String, path: &Path| {
        Failure::new("ERR_INVALID_BUNDLE", "validate", message).on(path.display().to_string())
    };
    let bundle = &request.bundle;
    match fs::metadata(bundle) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(invalid(format!("the bundle {} is not a directory", bundle.display()), bundle)),
        Err(error) => {
            return Err(invalid(
                format!("the bundle {} cannot be opened: {error}", bundle.display()),
                bundle,
            ));
        }
    }
    if let Some(text) = &request.config {
        return Ok(text.clone().into_bytes());
    }
    let path = bundle.join("config.json");
    fs::read(&path).map_err(|error| match error.kind() {
        // COMPAT(runc): its sentence for a bundle without a configuration.
        std::io::ErrorKind::NotFound => {
            invalid(format!("JSON specification file {} not found", path.display()), &path)
        }
        _ => invalid(format!("cannot read {}: {error}", path.display()), &path),
    })
}

/// SECURITY: CVE-2019-19921 and its kin — a root file system that is a symbolic link could be swapped after this check;
/// the helper refuses one again when it opens it.
fn check_rootfs(rootfs: &Path) -> Result<()> {
    let invalid = |message: String| {
        Failure::new("ERR_INVALID_BUNDLE", "validate", message).on(rootfs.display().to_string())
    };
    match fs::symlink_metadata(rootfs) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(metadata) if metadata.is_symlink() => Err(invalid(format!(
            "root.path {} is a symbolic link; name the directory itself",
            rootfs.display()
        ))),
        Ok(_) => Err(invalid(format!("root.path {} is not a directory", rootfs.display()))),
        Err(error) => Err(invalid(format!("root.path {} cannot be opened: {error}", rootfs.display()))),
    }
}

fn check_terminal(config: &Config, request: &CreateRequest) -> Result<()> {
    if request.console_socket.is_some() && !config.terminal() {
        // COMPAT(runc): its sentence.
        return Err(Failure::new(
            "ERR_INVALID_OPTION",
            "validate",
            "cannot use console socket if runc will not detach or allocate tty",
        ));
    }
    Ok(())
}

/// A clone that has happened, with all that belongs to it.
pub struct Begun {
    pub directory: StateDirectory,
    pub state: StateFile,
    pub cgroup: Option<caisson_cgroup::Cgroup>,
    pub spawned: Spawned,
    pub control: OwnedFd,
    pub streams: [Option<OwnedFd>; 3],
}

/// Makes state directory, cgroup, socket and streams, then clones. `register` is called when everything that would have
/// to be cleaned up is known, before the clone. On failure nothing is left.
pub fn begin(
    request: &CreateRequest,
    decided: &Decided,
    facts: &Facts,
    program: &Program,
    register: impl FnOnce(&Path, Vec<String>) -> Result<()>,
) -> Result<Begun> {
    let directory = StateDirectory::create(&request.root, &request.id)?;
    let mut cgroup = None;
    match begin_in(request, decided, facts, program, register, &directory, &mut cgroup) {
        Ok((state, spawned, control, streams)) => {
            Ok(Begun { directory, state, cgroup, spawned, control, streams })
        }
        Err(failure) => {
            if let Some(cgroup) = cgroup {
                let _ = cgroup.remove();
            }
            let _ = directory.remove();
            Err(failure)
        }
    }
}

type Parts = (StateFile, Spawned, OwnedFd, [Option<OwnedFd>; 3]);

fn begin_in(
    request: &CreateRequest,
    decided: &Decided,
    facts: &Facts,
    program: &Program,
    register: impl FnOnce(&Path, Vec<String>) -> Result<()>,
    directory: &StateDirectory,
    cgroup: &mut Option<caisson_cgroup::Cgroup>,
) -> Result<Parts> {
    let directories: Vec<String> = decided
        .placement
        .iter()
        .flat_map(caisson_cgroup::Placement::directories)
        .map(|d| d.display().to_string())
        .collect();
    let state = initial_state(request, decided, facts, directories.clone());
    directory.write_config(&decided.bytes)?;
    directory.write_state(&state)?;
    if let Some(placement) = &decided.placement {
        *cgroup = Some(placement.create(decided.config.resources()).map_err(cgroups::failure)?);
    }
    let failed = |what: &str| {
        let what = what.to_owned();
        move |e: caisson_sys::Error| Failure::syscall("prepare", &what, &e)
    };
    let listener =
        socket::listen(&directory.fd, START_SOCKET).map_err(failed("cannot make the start socket"))?;
    let (control, theirs) = socket::pair().map_err(failed("cannot make the control socket"))?;
    let encoded = protocol::encode(&decided.plan)
        .map_err(|e| Failure::new("ERR_INVALID_SPEC", "prepare", e.to_string()))?;
    let plan = memfd::data("caisson-plan", &encoded).map_err(failed("cannot make the plan"))?;
    let (streams, mut inherited) = streams(&request.stdio, decided.config.terminal())?;
    inherited.extend([(theirs, fd::CONTROL), (plan, fd::PLAN), (listener, fd::START)]);
    for index in 0..request.preserve_fds.cast_signed() {
        let number = 3 + index;
        let copy = descriptor::duplicate(number).map_err(failed("cannot preserve a descriptor"))?;
        inherited.push((copy, fd::PRESERVED + index));
    }
    register(&directory.path, directories)?;

    let descriptors: Vec<_> = inherited.iter().map(|(ours, theirs)| (ours.as_fd(), *theirs)).collect();
    let unified = cgroup.as_ref().and_then(caisson_cgroup::Cgroup::unified_fd);
    let spawned = program
        .start(|program| {
            spawn(&Spawn {
                program,
                arguments: &[c"caisson-init", c"create"],
                environment: &[],
                descriptors: &descriptors,
                namespaces: decided.plan.clone_flags,
                cgroup: unified.as_ref().map(AsFd::as_fd),
            })
        })
        .map_err(|e| denied::clone_failure(&e, decided.plan.user_namespace.is_some(), facts.euid))?;
    let finished = (|| {
        if let Some(cgroup) = cgroup.as_ref().filter(|_| !spawned.in_cgroup) {
            cgroup.join_unified(spawned.pid).map_err(cgroups::failure)?;
        }
        if let Some(namespace) = decided.plan.user_namespace.as_ref().filter(|_| decided.plan.join.is_empty())
        {
            idmap::write(spawned.pid, namespace, facts.euid, facts.egid)?;
            send_proceed(&control)?;
        }
        Ok(())
    })();
    if let Err(failure) = finished {
        let _ = caisson_sys::pidfd::send_signal(&spawned.pidfd, 9);
        let _ = caisson_sys::pidfd::wait(&spawned.pidfd, true);
        return Err(failure);
    }
    Ok((state, spawned, control, streams))
}

pub fn send_proceed(control: &OwnedFd) -> Result<()> {
    let bytes = protocol::encode(&protocol::Command::Proceed)
        .map_err(|e| Failure::new("ERR_SYSCALL", "spawn", e.to_string()))?;
    match socket::send(control, &bytes, &[]) {
        // A helper that is gone has left its reason in the socket, or its exit status says it.
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
        // A joined one does not end with the container's first process.
        pid_namespace: (decided.plan.clone_flags | decided.plan.clone_after_join) & CLONE_NEWPID != 0,
    }
}

type Streams = ([Option<OwnedFd>; 3], Vec<(OwnedFd, i32)>);

/// Our ends of the pipes, and what the program gets as 0, 1 and 2. With a terminal the helper opens those itself.
fn streams(stdio: &[Stdio; 3], terminal: bool) -> Result<Streams> {
    let failed = |e: caisson_sys::Error| Failure::syscall("prepare", "cannot set up stdio", &e);
    let (mut ours, mut theirs) = ([None, None, None], Vec::new());
    for (number, stream) in (0i32..).zip(stdio) {
        let given = match stream {
            _ if terminal => descriptor::null().map_err(failed)?,
            Stdio::Null => descriptor::null().map_err(failed)?,
            Stdio::Descriptor(descriptor) => descriptor::duplicate(*descriptor).map_err(failed)?,
            Stdio::Pipe => {
                let (read, write) = descriptor::pipe().map_err(failed)?;
                let (mine, yours) = if number == 0 { (write, read) } else { (read, write) };
                ours[number.unsigned_abs() as usize] = Some(mine);
                yours
            }
        };
        theirs.push((given, number));
    }
    Ok((ours, theirs))
}
