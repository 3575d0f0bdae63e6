//! Runs the helper with plans made by hand, as root, on a busybox root file system that is gone with the test.
#![allow(dead_code, reason = "every test binary uses its own part")]

pub mod guard;
pub mod plans;
pub mod pod;
pub mod rootless;
pub mod user_namespace;

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use caisson_plan::Plan;
use caisson_plan::protocol::{
    Command, Failure, MAX_MESSAGE, Report, Start, StartReply, StartRequest, decode, encode,
};
use caisson_sys::pidfd::Exit;
use caisson_sys::{descriptor, memfd, pidfd, poll, seccomp, socket};
use guard::Guard;

/// Why privileged tests cannot run here; `None`: they can.
pub fn unable() -> Option<&'static str> {
    if caisson_sys::credentials::effective_uid() != 0 {
        return Some("needs root");
    }
    if !Path::new("/bin/busybox").exists() {
        return Some("needs /bin/busybox (Debian: apt-get install busybox-static)");
    }
    None
}

/// Leaves the test, counted as skipped, where it cannot run.
#[macro_export]
macro_rules! privileged {
    () => {
        if let Some(reason) = support::unable() {
            support::skip(reason);
            return;
        }
    };
}

#[allow(clippy::print_stdout, reason = "the test runner counts these lines")]
pub fn skip(reason: &str) {
    println!("SKIPPED: {reason}");
}

/// A directory with a root file system and one for sockets, gone with the value.
pub struct Bundle {
    pub top: PathBuf,
}

impl Bundle {
    pub fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let top = std::env::temp_dir().join(format!("caisson-init-{}-{serial}", std::process::id()));
        for folder in ["bin", "proc", "dev", "sys", "etc", "tmp"] {
            fs::create_dir_all(top.join("rootfs").join(folder)).unwrap();
        }
        fs::create_dir(top.join("state")).unwrap();
        fs::copy("/bin/busybox", top.join("rootfs/bin/busybox")).unwrap();
        for applet in
            ["sh", "true", "cat", "ls", "id", "mount", "stat", "grep", "hostname", "sleep", "readlink", "pwd"]
        {
            std::os::unix::fs::symlink("busybox", top.join("rootfs/bin").join(applet)).unwrap();
        }
        Self { top }
    }

    pub fn root(&self) -> PathBuf {
        self.top.join("rootfs")
    }

    pub fn root_text(&self) -> String {
        self.root().display().to_string()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.top).unwrap();
    }
}

/// A helper under way.
pub struct Helper {
    pub pid: i32,
    pub process: OwnedFd,
    pub control: Option<OwnedFd>,
    state: OwnedFd,
    output: File,
    pub warnings: Vec<String>,
    pub console: Option<OwnedFd>,
    _guard: Guard,
}

/// The program under test: the one that was built for release, where that is asked for.
pub fn program() -> OwnedFd {
    let path =
        std::env::var("CAISSON_INIT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_caisson-init").to_owned());
    memfd::executable("caisson-init", &fs::read(path).unwrap()).unwrap()
}

impl Helper {
    pub fn spawn(bundle: &Bundle, plan: &Plan) -> Self {
        Self::spawn_with(bundle, plan, &[])
    }

    pub fn spawn_with(bundle: &Bundle, plan: &Plan, preserved: &[OwnedFd]) -> Self {
        Self::try_spawn(bundle, plan, preserved).unwrap()
    }

    pub fn try_spawn(bundle: &Bundle, plan: &Plan, preserved: &[OwnedFd]) -> caisson_sys::Result<Self> {
        let state: OwnedFd = File::open(bundle.top.join("state")).unwrap().into();
        let _ = fs::remove_file(bundle.top.join("state/start.sock")); // of an earlier run
        let listener = socket::listen(&state, "start.sock").unwrap();
        let (control, theirs) = socket::pair().unwrap();
        let encoded = memfd::data("plan", &encode(plan).unwrap()).unwrap();
        let (output, write) = descriptor::pipe().unwrap();
        let null = descriptor::null().unwrap();
        let descriptors: Vec<_> =
            [&null, &write, &write, &theirs, &encoded, &listener].into_iter().chain(preserved).collect();
        let guard = Guard::start(&pidfd::open(std::process::id().cast_signed()).unwrap());
        let (pid, process) = guard.clone_process(1, plan, &descriptors, None)?;
        let helper = Self {
            pid,
            process,
            control: Some(control),
            state,
            output: output.into(),
            warnings: vec![],
            console: None,
            _guard: guard,
        };
        helper.proceed(); // its control groups, which it has none of
        Ok(helper)
    }

    /// The second clone, by which we learn that there is one to write maps for.
    pub fn replaced(&mut self) {
        let message = socket::receive(self.control.as_ref().unwrap(), MAX_MESSAGE, true).unwrap().unwrap();
        match decode(&message.bytes).unwrap() {
            Report::Replaced { pid } => self.become_process(pid, message.descriptors.into_iter().next()),
            other => panic!("{other:?}"),
        }
    }

    fn become_process(&mut self, pid: i32, pidfd: Option<OwnedFd>) {
        // The first process only had to tell us.
        assert_eq!(pidfd::wait(&self.process, true).unwrap(), Some(Exit::Code(0)));
        (self.pid, self.process) = (pid, pidfd.unwrap());
    }

    /// The next report other than a warning, console or replacement; `None` at end of file.
    pub fn report(&mut self) -> Option<Report> {
        loop {
            let message = socket::receive(self.control.as_ref()?, MAX_MESSAGE, true).unwrap()?;
            let mut descriptors = message.descriptors.into_iter();
            match decode(&message.bytes).unwrap() {
                Report::Warning(text) => self.warnings.push(text),
                Report::Console => self.console = descriptors.next(),
                Report::Replaced { pid } => self.become_process(pid, descriptors.next()),
                other => return Some(other),
            }
        }
    }

    pub fn proceed(&self) {
        socket::send(self.control.as_ref().unwrap(), &encode(&Command::Proceed).unwrap(), &[]).unwrap();
    }

    pub fn created(&mut self) {
        match self.report() {
            Some(Report::Created) => {}
            other => {
                panic!("{other:?}; exit {:?}; output {:?}", pidfd::wait(&self.process, false), self.output())
            }
        }
    }

    pub fn failed(&mut self) -> Failure {
        match self.report() {
            Some(Report::Failed(failure)) => {
                assert_eq!(pidfd::wait(&self.process, true).unwrap(), Some(Exit::Code(1)));
                failure
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn connect(&self) -> caisson_sys::Result<OwnedFd> {
        socket::connect(&self.state, "start.sock")
    }

    /// Asks for the start; the failure where there is one.
    pub fn start(&self) -> Result<(), Box<Failure>> {
        self.start_with(None).map(|errno| assert_eq!(errno, None, "execve"))
    }

    /// With a connection to an agent. What execve(2) failed with behind a filter.
    pub fn start_with(&self, agent: Option<&OwnedFd>) -> Result<Option<i32>, Box<Failure>> {
        let connection = self.connect().unwrap();
        let request = encode(&StartRequest::Start(Start { pid: self.pid })).unwrap();
        socket::send(&connection, &request, agent.as_slice()).unwrap();
        let (mut starting, mut page) = (false, None);
        while let Some(message) = receive(&connection) {
            match decode(&message.bytes).unwrap() {
                StartReply::Starting => starting = true,
                StartReply::Executing(_) => page = message.descriptors.into_iter().next(),
                StartReply::Failed(failure) => return Err(Box::new(failure)),
            }
        }
        assert!(starting, "the helper ended without an answer");
        Ok(page.and_then(|page| seccomp::failed_with(page).unwrap()))
    }

    pub fn wait(&self) -> Exit {
        let [ended] = poll::readable([&self.process], Some(Duration::from_secs(60))).unwrap();
        if !ended {
            pidfd::send_signal(&self.process, 9).unwrap();
            panic!("the container does not end");
        }
        pidfd::wait(&self.process, true).unwrap().unwrap()
    }

    pub fn output(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }

    /// Everything to the end: what it printed and how it ended.
    pub fn finish(mut self) -> (String, Exit) {
        self.created();
        self.start().unwrap();
        let output = self.output();
        (output, self.wait())
    }
}

/// The next message of a connection that does not block; `None` at end of file.
pub fn receive(connection: &OwnedFd) -> Option<socket::Message> {
    poll::readable([connection], Some(Duration::from_secs(60))).unwrap();
    socket::receive(connection, MAX_MESSAGE, false).unwrap()
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Nothing of a failed test stays.
        let _ = pidfd::send_signal(&self.process, 9);
        let _ = pidfd::wait(&self.process, true);
    }
}

/// Runs a shell script in a container of this plan; what it printed.
pub fn shell(bundle: &Bundle, plan: &Plan, script: &str) -> String {
    let mut plan = plan.clone();
    plans::set_args(&mut plan, &["/bin/sh", "-c", script]);
    let (output, exit) = Helper::spawn(bundle, &plan).finish();
    assert_eq!(exit, Exit::Code(0), "{output}");
    output
}
