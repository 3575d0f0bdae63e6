//! The guard: what is attached dies with its owner, and nothing of it stays.

mod support;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use caisson_plan::protocol::{GuardReply, GuardRequest, MAX_MESSAGE, decode, encode, fd};
use caisson_sys::pidfd::Exit;
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{descriptor, pidfd, poll, socket};

/// A guard that watches some process.
struct Guard {
    socket: Option<OwnedFd>,
    process: OwnedFd,
    pid: i32,
}

impl Guard {
    fn start(owner: &OwnedFd) -> Self {
        let program = support::program();
        let (socket, theirs) = socket::pair().unwrap();
        let null = descriptor::null().unwrap();
        let spawned = spawn(&Spawn {
            program: program.as_fd(),
            arguments: &[c"caisson-init", c"guard"],
            environment: &[],
            descriptors: &[
                (null.as_fd(), 0),
                (null.as_fd(), 1),
                (null.as_fd(), 2),
                (theirs.as_fd(), fd::CONTROL),
                (owner.as_fd(), fd::PLAN),
            ],
            namespaces: 0,
            cgroup: None,
        })
        .unwrap();
        Self { socket: Some(socket), process: spawned.pidfd, pid: spawned.pid }
    }

    fn send(&self, request: &GuardRequest, descriptors: &[&OwnedFd]) {
        socket::send(self.socket.as_ref().unwrap(), &encode(request).unwrap(), descriptors).unwrap();
    }

    fn register(&self, token: u64, state_directory: &str, cgroup_directories: &[PathBuf]) {
        let cgroup_directories = cgroup_directories.iter().map(|path| path.display().to_string()).collect();
        self.send(
            &GuardRequest::Register {
                token,
                state_directory: state_directory.to_owned(),
                cgroup_directories,
            },
            &[],
        );
        let reply = socket::receive(self.socket.as_ref().unwrap(), MAX_MESSAGE, true).unwrap().unwrap();
        assert_eq!(decode::<GuardReply>(&reply.bytes).unwrap(), GuardReply::Registered { token });
    }

    fn ended(&self) -> Exit {
        assert_eq!(poll::readable([&self.process], Some(Duration::from_secs(30))).unwrap(), [true]);
        pidfd::wait(&self.process, true).unwrap().unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = pidfd::send_signal(&self.process, 9);
        let _ = pidfd::wait(&self.process, true);
    }
}

/// A process that sleeps, killed with the value.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("300").stdin(Stdio::null()).spawn().unwrap())
    }
    fn pidfd(&self) -> OwnedFd {
        pidfd::open(self.0.id().cast_signed()).unwrap()
    }
    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A cgroup in every hierarchy that a container would use to be killed.
fn cgroups(name: &str) -> Vec<PathBuf> {
    let candidates = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/freezer"];
    let hierarchies = candidates.iter().filter(|path| PathBuf::from(path).join("cgroup.procs").exists());
    let made = hierarchies
        .map(|path| PathBuf::from(path).join(format!("caisson-test-{name}-{}", std::process::id())));
    made.filter(|path| fs::create_dir(path).is_ok()).collect()
}

fn state(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("caisson-guard-{name}-{}", std::process::id()));
    fs::create_dir(&path).unwrap();
    fs::write(path.join("state.json"), "{}").unwrap();
    path
}

#[test]
fn containers_die_with_their_owner_and_nothing_stays() {
    privileged!();
    let (owner, mut first, mut hidden) = (Sleeper::new(), Sleeper::new(), Sleeper::new());
    let guard = Guard::start(&owner.pidfd());
    let (cgroups, state) = (cgroups("die"), state("die"));
    guard.register(1, state.to_str().unwrap(), &cgroups);
    // The first process is known by its pidfd only, the other by its cgroup only.
    guard.send(&GuardRequest::Started { token: 1 }, &[&first.pidfd()]);
    for cgroup in &cgroups {
        fs::write(cgroup.join("cgroup.procs"), hidden.0.id().to_string()).unwrap();
    }
    drop(owner);
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(!first.is_alive());
    assert_eq!(hidden.is_alive(), cgroups.is_empty());
    assert!(!state.exists());
    assert!(cgroups.iter().all(|cgroup| !cgroup.exists()));
}

#[test]
fn the_end_of_the_socket_is_the_owners_end() {
    privileged!();
    let (owner, mut first) = (Sleeper::new(), Sleeper::new());
    let mut guard = Guard::start(&owner.pidfd());
    let state = state("end");
    guard.register(1, state.to_str().unwrap(), &[]);
    guard.send(&GuardRequest::Started { token: 1 }, &[&first.pidfd()]);
    guard.socket = None;
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(!first.is_alive());
    assert!(!state.exists());
}

#[test]
fn what_is_forgotten_lives_on() {
    privileged!();
    let (owner, mut first) = (Sleeper::new(), Sleeper::new());
    let guard = Guard::start(&owner.pidfd());
    let state = state("forget");
    guard.register(1, state.to_str().unwrap(), &[]);
    guard.send(&GuardRequest::Started { token: 1 }, &[&first.pidfd()]);
    guard.send(&GuardRequest::Forget { token: 1 }, &[]);
    drop(owner);
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(first.is_alive());
    assert!(state.exists());
    fs::remove_dir_all(&state).unwrap();
}

#[test]
fn it_sits_in_a_session_of_its_own_and_out_of_the_callers_cgroups() {
    privileged!();
    let owner = Sleeper::new();
    let guard = Guard::start(&owner.pidfd());
    let (cgroups, state) = (cgroups("session"), state("session"));
    guard.register(1, state.to_str().unwrap(), &cgroups);
    guard.register(2, state.to_str().unwrap(), &[]); // answered after it has moved
    let stat = fs::read_to_string(format!("/proc/{}/stat", guard.pid)).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_ascii_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, guard.pid.to_string());
    for cgroup in &cgroups {
        let procs = fs::read_to_string(cgroup.parent().unwrap().join("cgroup.procs")).unwrap();
        assert!(procs.lines().any(|pid| pid == guard.pid.to_string()), "{}", cgroup.display());
    }
    drop(owner);
    guard.ended();
}
