//! The guard: one process per engine, with one thread. It clones the first processes of containers, which a process
//! with threads and a large heap could not do, and it outlives its caller by the moment it takes to kill and remove
//! what was attached. PDEATHSIG alone would not do: the program can clear it, and it leaves cgroups and state behind.

mod answer;
mod cleanup;
mod copies;
mod mapped;
mod node;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use caisson_code::{Code, Phase};
use caisson_flags::Namespaces;
use caisson_plan::protocol::{
    CleanupTargets, GuardReply, GuardRequest, MAX_MESSAGE, MapsFollow, Report, decode, encode, fd,
};
use caisson_sys::file::{self, CWD, O_DIRECTORY, O_PATH};
use caisson_sys::poll::Poller;
use caisson_sys::sibling::{Clone, clone_sibling};
use caisson_sys::{Error, Result, credentials, descriptor, errno, process, signal, socket};

use copies::Copies;

use crate::control::Control;
use crate::create;
use crate::failure::SetupError;

/// One attached container.
#[derive(Debug)]
struct Container {
    targets: CleanupTargets,
    /// Its first process; `None` while it is being cloned.
    process: Option<OwnedFd>,
}

const CONTROL: u64 = 0;
const CALLER: u64 = 1;

/// Runs until the caller is gone. The exit status is not read: its reader is gone too.
pub fn run() -> i32 {
    let mut containers = BTreeMap::new();
    // A caller that dies in the middle of a conversation shows as an error, too: what it had is removed all the same.
    let ended = serve(&mut containers);
    cleanup::all(&containers);
    i32::from(ended.is_err())
}

/// Returns when the caller is gone; `containers` is what it has left behind.
fn serve(containers: &mut BTreeMap<u64, Container>) -> Result<()> {
    let control = descriptor::inherited(fd::CONTROL)?;
    let caller = descriptor::inherited(fd::CALLER)?;
    settle()?;
    let poller = Poller::new()?;
    poller.add(&control, CONTROL)?;
    poller.add(&caller, CALLER)?;
    let mut moved_out = false;
    let mut copies = Copies::default();
    loop {
        let ready = poller.wait(None)?;
        if ready.contains(&CONTROL) {
            // End of file is the caller's death too, or the end of the worker thread that had the containers.
            let Some(message) = socket::receive(&control, MAX_MESSAGE, true)? else {
                return Ok(());
            };
            // What does not decode comes from another version of ourselves: nothing sensible can be done with it.
            let Ok(request) = decode(&message.bytes) else { continue };
            match request {
                GuardRequest::Forget { token } => drop(containers.remove(&token)),
                GuardRequest::Spawn { token, namespaces, maps, asks, in_cgroup, attached } => {
                    if let Some(targets) = attached {
                        // Known before it exists: whatever becomes of the caller, it is found.
                        containers.insert(token, Container { targets, process: None });
                    }
                    let request =
                        SpawnRequest { namespaces, maps, asks, in_cgroup, descriptors: message.descriptors };
                    match request.clone_process() {
                        Ok((pid, pidfd, asks)) => {
                            if let Some(asks) = asks {
                                copies.add(&poller, asks)?;
                            }
                            let answered =
                                answer(&control, &GuardReply::Spawned { token, pid }, Some(&pidfd));
                            if let Some(container) = containers.get_mut(&token) {
                                container.process = Some(pidfd);
                            }
                            answered?;
                        }
                        Err(error) => {
                            containers.remove(&token);
                            let (arguments, errno) = (error.arguments().to_owned(), error.errno());
                            answer(&control, &GuardReply::Refused { token, arguments, errno }, None)?;
                        }
                    }
                }
            }
            if !moved_out {
                moved_out = containers.values().any(|container| leave_cgroups(&container.targets));
            }
        } else if ready.contains(&CALLER) {
            return Ok(());
        }
        for key in ready.into_iter().filter(|key| !matches!(*key, CONTROL | CALLER)) {
            copies.ready(&poller, key)?;
        }
    }
}

fn answer(control: &OwnedFd, reply: &GuardReply, pidfd: Option<&OwnedFd>) -> Result<()> {
    match encode(reply) {
        Ok(bytes) => socket::send(control, &bytes, pidfd.as_slice()),
        Err(_) => Ok(()), // plain numbers and a short text always encode; without an answer the caller gives up by itself
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

/// A first process that is asked for.
struct SpawnRequest {
    namespaces: Namespaces,
    maps: MapsFollow,
    asks: bool,
    in_cgroup: bool,
    descriptors: Vec<OwnedFd>,
}

impl SpawnRequest {
    /// Comes back in the guard alone; the copy goes on as the container's first process, which may ask on the socket.
    fn clone_process(mut self) -> Result<(i32, OwnedFd, Option<OwnedFd>)> {
        let cgroup = if self.in_cgroup { self.descriptors.pop() } else { None };
        if self.descriptors.len() < fd::PRESERVED as usize {
            return Err(Error::new("clone3", "too few descriptors", errno::EINVAL));
        }
        // SECURITY: CVE-2016-9962: root of another container, in the pid namespace that is joined or in the host's,
        // owns the new user namespace as well, and a dumpable process in it would lead it to the host's files. The
        // files of a process that is not dumpable belong to root, who writes the maps all the same. An ordinary user
        // could not; processes that may look at its own have all of its files already.
        credentials::set_dumpable(self.maps == MapsFollow::ByOwner)?;
        let mut asks = None;
        if self.asks {
            let (ours, theirs) = socket::pair()?;
            asks = Some(ours);
            self.descriptors.push(theirs);
        }
        let cloned = match clone_sibling(self.namespaces, cgroup.as_ref().map(AsFd::as_fd)) {
            Ok(Clone::Sibling { in_cgroup }) => self.go_on(cgroup.filter(|_| !in_cgroup)),
            Ok(Clone::Caller { pid, pidfd }) => Ok((pid, pidfd, asks)),
            Err(error) => Err(error),
        };
        credentials::set_dumpable(false)?;
        cloned
    }

    /// In the copy. `cgroup` is there where it could not be born in it.
    fn go_on(self, cgroup: Option<OwnedFd>) -> ! {
        let join = |cgroup: OwnedFd| {
            let file = file::open_at(cgroup.as_fd(), "cgroup.procs", file::O_WRONLY, 0)?;
            file::write_once(file.as_fd(), b"0")
        };
        let problem = match cgroup.map_or(Ok(()), join) {
            Ok(()) => {
                SetupError::from(descriptor::go_on_with(&self.descriptors, create::run)).about("caisson-init")
            }
            Err(error) => SetupError::from(error)
                .code(Code::CgroupUnavailable)
                .about("unable to apply cgroup configuration"),
        };
        if let Some(control) = self.descriptors.into_iter().nth(fd::CONTROL as usize) {
            Control::new(control).fail(problem.phase(Phase::Spawn).into_failure(), Report::Failed);
        }
        process::exit(1)
    }
}

/// A service manager kills by cgroup, all at once: in the root of each hierarchy the guard is out of the way.
/// Without the right to go there it stays where it is. `false` where there are no cgroups to go by.
fn leave_cgroups(targets: &CleanupTargets) -> bool {
    for directory in &targets.cgroup_directories {
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
    !targets.cgroup_directories.is_empty()
}
