//! The guard: what is attached dies with its owner, and nothing of it stays.

mod support;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use caisson_plan::protocol::{CleanupTargets, GuardRequest};
use caisson_sys::pidfd::Exit;
use caisson_sys::{descriptor, memfd, pidfd, socket};
use support::guard::Guard;
use support::plans::default_plan;
use support::{Bundle, Helper};

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

/// A state directory in a root of its own: the guard touches nothing below one that others may write to.
struct State {
    root: PathBuf,
    path: PathBuf,
}

impl State {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("caisson-guard-{name}-{}", std::process::id()));
        let path = root.join(name);
        for directory in [&root, &path] {
            fs::DirBuilder::new().mode(0o700).create(directory).unwrap();
        }
        fs::write(path.join("state.json"), "{}").unwrap();
        fs::set_permissions(path.join("state.json"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { root, path }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A first process that waits for its caller's word, which never comes.
struct Waiting {
    process: OwnedFd,
    _control: OwnedFd,
}

impl Waiting {
    fn new(guard: &Guard, token: u64, bundle: &Bundle, attached: Option<CleanupTargets>) -> Self {
        let plan = default_plan(bundle, &["true"]);
        let (control, theirs) = socket::pair().unwrap();
        let encoded = memfd::data("plan", &caisson_plan::protocol::encode(&plan).unwrap()).unwrap();
        let null = descriptor::null().unwrap();
        let (_, process) = guard
            .clone_process(token, &plan, &[&null, &null, &null, &theirs, &encoded, &null], attached)
            .unwrap();
        Self { process, _control: control }
    }

    fn is_alive(&self) -> bool {
        pidfd::wait(&self.process, false).unwrap().is_none()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = pidfd::send_signal(&self.process, 9);
        let _ = pidfd::wait(&self.process, true);
    }
}

fn targets(state: &Path, cgroups: &[PathBuf]) -> Option<CleanupTargets> {
    let state_directory = state.display().to_string();
    let cgroup_directories = cgroups.iter().map(|path| path.display().to_string()).collect();
    Some(CleanupTargets {
        state_directory,
        cgroup_directories,
        root: String::new(),
        mounts_before: None,
        resctrl_directories: vec![],
    })
}

#[test]
fn containers_die_with_their_owner_and_nothing_stays() {
    privileged!();
    let (owner, mut hidden, bundle) = (Sleeper::new(), Sleeper::new(), Bundle::new());
    let guard = Guard::start(&owner.pidfd());
    let (cgroups, state) = (cgroups("die"), State::new("die"));
    // The first process is known by its pidfd only, the other by its cgroup only.
    let first = Waiting::new(&guard, 1, &bundle, targets(&state.path, &cgroups));
    let detached = Waiting::new(&guard, 2, &bundle, None);
    for cgroup in &cgroups {
        fs::write(cgroup.join("cgroup.procs"), hidden.0.id().to_string()).unwrap();
    }
    drop(owner);
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(!first.is_alive());
    assert!(detached.is_alive());
    assert_eq!(hidden.is_alive(), cgroups.is_empty());
    assert!(!state.path.exists());
    assert!(cgroups.iter().all(|cgroup| !cgroup.exists()));
}

#[test]
fn the_end_of_the_socket_is_the_owners_end() {
    privileged!();
    let (owner, bundle) = (Sleeper::new(), Bundle::new());
    let mut guard = Guard::start(&owner.pidfd());
    let state = State::new("end");
    let first = Waiting::new(&guard, 1, &bundle, targets(&state.path, &[]));
    guard.socket = None; // and no copy of it is left in the first process
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(!first.is_alive());
    assert!(!state.path.exists());
}

#[test]
fn what_is_forgotten_lives_on() {
    privileged!();
    let (owner, bundle) = (Sleeper::new(), Bundle::new());
    let guard = Guard::start(&owner.pidfd());
    let state = State::new("forget");
    let first = Waiting::new(&guard, 1, &bundle, targets(&state.path, &[]));
    guard.send(&GuardRequest::Forget { token: 1 }, &[]);
    drop(owner);
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(first.is_alive());
    assert!(state.path.exists());
}

#[test]
fn a_refused_clone_is_told_and_leaves_nothing_to_guard() {
    privileged!();
    let (owner, bundle) = (Sleeper::new(), Bundle::new());
    let guard = Guard::start(&owner.pidfd());
    let state = State::new("refused");
    let mut plan = default_plan(&bundle, &["true"]);
    plan.clone_flags |= caisson_flags::Namespaces::from_bits(1 << 40); // no flag of any kernel so far
    let null = descriptor::null().unwrap();
    let attached = || targets(&state.path, &[]);
    let error = guard.clone_process(1, &plan, &[&null; 6], attached()).unwrap_err();
    assert_eq!((error.call(), error.errno_name().as_str()), ("clone3", "EINVAL"));
    let error = guard.clone_process(1, &default_plan(&bundle, &["true"]), &[&null], attached()).unwrap_err();
    assert_eq!(error.errno_name(), "EINVAL");
    drop(owner);
    assert_eq!(guard.ended(), Exit::Code(0));
    assert!(state.path.exists());
}

#[test]
fn first_processes_are_children_of_the_caller() {
    privileged!();
    let bundle = Bundle::new();
    let helper = Helper::spawn(&bundle, &default_plan(&bundle, &["true"]));
    let stat = fs::read_to_string(format!("/proc/{}/stat", helper.pid)).unwrap();
    let parent = stat.rsplit(')').next().unwrap().split_ascii_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(parent, std::process::id().to_string());
}

#[test]
fn it_sits_in_a_session_of_its_own_and_out_of_the_callers_cgroups() {
    privileged!();
    let (owner, bundle) = (Sleeper::new(), Bundle::new());
    let guard = Guard::start(&owner.pidfd());
    let (cgroups, state) = (cgroups("session"), State::new("session"));
    let _first = Waiting::new(&guard, 1, &bundle, targets(&state.path, &cgroups));
    let _second = Waiting::new(&guard, 2, &bundle, targets(&state.path, &[])); // answered after it has moved
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
