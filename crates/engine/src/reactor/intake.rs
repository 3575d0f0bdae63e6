//! Input of the reactor: mail, reports of helpers, replies of guards, ends of processes. All of it becomes messages to
//! a lifecycle.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use caisson_cgroup::Cgroup;
use caisson_code::Phase;
use caisson_plan::protocol::{self, MAX_MESSAGE, Report};
use caisson_sys::socket::{self, Message as Datagram};
use caisson_sys::{errno, pidfd, poll, process};

use super::Reactor;
use super::key::Key;
use crate::container::Container;
use crate::execution::Executing;
use crate::failure::{Failure, Result};
use crate::lifecycle::{self, Lifecycle};
use crate::message::{Done, Message};
use crate::request::{CreateRequest, DestroyRequest, Handle, Reply, Token};
use crate::spawner::no_thread;
use crate::status::Status;
use crate::task::prepare::Prepared;
use crate::{denied, foreign, guard, proxy, watch};

impl Reactor {
    pub(super) fn receive(&mut self, message: Message) {
        match message {
            Message::Create { token, request } => self.create(token, request),
            Message::Cancel { token } => {
                let creates = |(_, c): &(&Handle, &Container)| c.lifecycle.creates(token);
                if let Some(handle) = self.containers.iter().find(creates).map(|(handle, _)| *handle) {
                    self.step(handle, lifecycle::Message::Cancel);
                }
            }
            Message::Start { token, root, id } => match self.own(&root, &id) {
                Some(handle) => self.step(handle, lifecycle::Message::Start(token)),
                None => self.answer_later(token, move || foreign::start(&root, &id).map(|()| Reply::Started)),
            },
            Message::Destroy { token, request } => match self.own(&request.root, &request.id) {
                Some(handle) => {
                    let force = request.force;
                    self.step(handle, lifecycle::Message::Delete { token, force });
                }
                None => self.answer_later(token, move || {
                    foreign::destroy(&request).map(|warnings| Reply::Destroyed { warnings })
                }),
            },
            Message::Watch { token, root, id } => {
                let shared = Arc::clone(&self.shared);
                self.submit(move || {
                    shared.tell(Message::Watching { token, result: watch::open(&root, &id) });
                });
            }
            Message::WatchProcess { token, pid, start_time } => {
                let shared = Arc::clone(&self.shared);
                self.submit(move || {
                    shared.tell(Message::Watching { token, result: watch::process(pid, &start_time) });
                });
            }
            Message::Proxy { token, master, handle } => {
                let container = handle.and_then(|handle| self.containers.get(&handle));
                let process = container.and_then(|container| container.first.pidfd.clone());
                let shared = Arc::clone(&self.shared);
                let work = move || {
                    let result = proxy::ours(&master, process.as_deref());
                    shared.reply(token, result.map(|()| Reply::Ended));
                };
                // A thread of its own: it lives as long as the terminal.
                if let Err(error) = std::thread::Builder::new().name("caisson-terminal".into()).spawn(work) {
                    self.shared.reply(token, Err(no_thread(&error)));
                }
            }
            Message::Release(handle) => {
                if let Some(watched) = self.watched.remove(&handle) {
                    self.unwatch(&watched.pidfd);
                }
                self.step(handle, lifecycle::Message::Release);
            }
            Message::Close(sender) => {
                self.closing.get_or_insert_default().push(sender);
                for handle in self.containers.keys().copied().collect::<Vec<_>>() {
                    self.step(handle, lifecycle::Message::Close);
                }
                self.tell_closed();
            }
            Message::Done(handle, done) => {
                self.jobs -= 1;
                self.done(handle, done);
            }
            Message::JobDone => self.jobs -= 1,
            Message::Watching { token, result } => {
                self.jobs -= 1;
                self.follow(token, result);
            }
            Message::GuardStarted(guard) => {
                let serial = guard.serial;
                if self.watch(guard.socket(), Key::Guard(serial)).is_ok() {
                    self.guards.insert(serial, guard);
                }
            }
        }
    }

    fn create(&mut self, token: Token, request: Box<CreateRequest>) {
        if self.closing.is_some() {
            return self.shared.reply(token, Err(lifecycle::closed()));
        }
        let handle = self.shared.next_serial();
        let (lifecycle, effects) = Lifecycle::begin(token, &request.id, request.attached);
        self.containers.insert(handle, Container::new(lifecycle, request));
        for effect in effects {
            self.carry_out(handle, effect);
        }
    }

    fn own(&self, root: &Path, id: &str) -> Option<Handle> {
        self.by_directory.get(&root.join(id)).copied()
    }

    fn follow(&mut self, token: Token, result: Result<watch::Watched>) {
        let followed = result.and_then(|watched| {
            let handle = self.shared.next_serial();
            self.watch(&watched.pidfd, Key::Watched(handle))?;
            self.watched.insert(handle, watched);
            Ok(Reply::Watching(handle))
        });
        self.shared.reply(token, followed);
    }

    pub(super) fn watched_ended(&mut self, handle: Handle) {
        let Some(watched) = self.watched.remove(&handle) else { return };
        self.unwatch(&watched.pidfd);
        let shared = Arc::clone(&self.shared);
        self.submit(move || {
            shared.emit(watched.exit(handle));
            shared.tell(Message::JobDone);
        });
    }

    fn done(&mut self, handle: Handle, done: Done) {
        let message = match done {
            Done::Prepared(prepared) => return self.prepared(handle, *prepared),
            Done::IdsMapped(result) => lifecycle::Message::IdsMapped(result),
            Done::HooksRan(result) => lifecycle::Message::HooksRan(result),
            Done::Published(result) => lifecycle::Message::Published(result.map(|start_time| {
                if let Some(container) = self.containers.get_mut(&handle) {
                    container.first.start_time = start_time;
                }
            })),
            Done::AgentReached(result) => lifecycle::Message::AgentReached(result.map(|agent| {
                if let Some(container) = self.containers.get_mut(&handle) {
                    container.agent = Some(agent);
                }
            })),
            Done::OomCounted(oom_killed) => lifecycle::Message::OomCounted(oom_killed),
            Done::Killed => lifecycle::Message::Killed,
            Done::Frozen(cgroup) => lifecycle::Message::Frozen(cgroup),
            Done::Removed(result) => lifecycle::Message::Removed(result),
        };
        self.step(handle, message);
    }

    fn prepared(&mut self, handle: Handle, prepared: Prepared) {
        let (asked, result) = match prepared {
            Prepared::Nothing(failure) => (false, Err(failure)),
            Prepared::Asked { record, control, streams, placed } => {
                let Some(container) = self.containers.get_mut(&handle) else { return };
                container.first.control = Some(control);
                container.first.streams = streams;
                container.warnings.extend(record.plan.warnings.iter().cloned());
                self.by_directory.insert(record.directory.path.clone(), handle);
                let demands = Prepared::demands(&record);
                container.record = Some(record);
                (true, placed.map(|()| demands))
            }
        };
        self.step(handle, lifecycle::Message::Prepared { asked, result });
        self.join(handle);
    }

    /// Both the preparation and the guard's reply have arrived: watches the helper and its process from now on.
    fn join(&mut self, handle: Handle) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let Some(record) = container.record.clone() else { return };
        if let Some(error) = container.refused.take() {
            let user_namespace = record.plan.user_namespace.is_some();
            let failure = denied::clone_failure(&error, user_namespace, &record.rights);
            return self.step(handle, lifecycle::Message::Cloned(Err(failure)));
        }
        let Some(pidfd) = container.first.pidfd.clone() else {
            // The guard ended before its reply could be read; its end was reported earlier.
            if !self.guards.contains_key(&record.guard.serial) {
                self.step(handle, lifecycle::Message::Cloned(Err(guard::died())));
            }
            return;
        };
        if std::mem::replace(&mut container.first.watched, true) {
            return;
        }
        let mut watched = self.watch(&pidfd, Key::Process(handle));
        if let Some(control) = self.containers.get(&handle).and_then(|c| c.first.control.as_ref()) {
            watched = watched.and_then(|()| self.watch(control, Key::Control(handle)));
        }
        if let Err(failure) = watched {
            self.step(handle, lifecycle::Message::SetupFailed(failure));
        }
    }

    pub(super) fn read_guard(&mut self, serial: u64) {
        let Some(guard) = self.guards.get(&serial).map(Arc::clone) else { return };
        loop {
            match guard.receive() {
                Ok(None) => return,
                Ok(Some((handle, Ok(spawned)))) => match self.containers.get_mut(&handle) {
                    Some(container) => {
                        container.first.pid = spawned.pid;
                        container.first.pidfd = Some(Arc::new(spawned.pidfd));
                        self.step(handle, lifecycle::Message::Cloned(Ok(())));
                        self.join(handle);
                    }
                    // The create was cancelled.
                    None => {
                        spawned.kill();
                        self.collect(spawned.pidfd);
                    }
                },
                Ok(Some((handle, Err(guard::Refusal { error, pid })))) => {
                    if let Some(pid) = pid {
                        let shared = Arc::clone(&self.shared);
                        self.submit(move || {
                            process::end_child(pid);
                            shared.tell(Message::JobDone);
                        });
                    }
                    if let Some(container) = self.containers.get_mut(&handle) {
                        container.refused = Some(error);
                    }
                    self.join(handle);
                }
                Err(failure) => return self.guard_lost(serial, &failure),
            }
        }
    }

    fn guard_lost(&mut self, serial: u64, failure: &Failure) {
        self.shared.guards.remove(serial);
        if let Some(guard) = self.guards.remove(&serial) {
            self.unwatch(guard.socket());
        }
        let waits = |container: &Container| {
            container.first.pidfd.is_none()
                && container.record.as_ref().is_some_and(|record| record.guard.serial == serial)
        };
        let waiting: Vec<_> =
            self.containers.iter().filter(|(_, c)| waits(c)).map(|(handle, _)| *handle).collect();
        for handle in waiting {
            self.step(handle, lifecycle::Message::Cloned(Err(failure.clone())));
        }
    }

    /// Reads everything that a helper has sent so far.
    pub(super) fn read_control(&mut self, handle: Handle) {
        while let Some(container) = self.containers.get_mut(&handle)
            && let Some(control) = &container.first.control
        {
            match socket::receive(control, MAX_MESSAGE, false) {
                Err(error) if error.errno() == errno::EAGAIN => return,
                Ok(Some(datagram)) => self.report(handle, datagram),
                // End of file: the helper has called execve(2) or died (then its exit status tells why).
                Ok(None) | Err(_) => {
                    let alive = container
                        .first
                        .pidfd
                        .as_deref()
                        .is_some_and(|pidfd| !poll::readable_now(pidfd).unwrap_or(true));
                    let failure = container.first.executing.take().and_then(|executing| executing.failure());
                    if let Some(control) = container.first.control.take() {
                        self.unwatch(&control);
                    }
                    if let Some(failure) = failure {
                        self.step(handle, lifecycle::Message::StartFailed(failure));
                    }
                    self.step(handle, lifecycle::Message::ControlClosed { alive });
                }
            }
        }
    }

    fn report(&mut self, handle: Handle, Datagram { bytes, mut descriptors }: Datagram) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let invalid = |reason: String| {
            let message = format!("caisson-init sent an invalid message: {reason}");
            lifecycle::Message::SetupFailed(Failure::internal(Phase::Setup, message))
        };
        let message = match (protocol::decode::<Report>(&bytes), descriptors.pop()) {
            (Ok(Report::Replaced { pid }), Some(pidfd)) => {
                let former = container.first.pidfd.replace(Arc::new(pidfd));
                container.first.pid = pid;
                if let Err(failure) = self.replaced(handle, former) {
                    lifecycle::Message::SetupFailed(failure)
                } else {
                    lifecycle::Message::Replaced
                }
            }
            (Ok(Report::Console), Some(master)) => {
                container.first.console = Some(Arc::new(master));
                return;
            }
            (Ok(Report::Executing(execution)), Some(page)) => {
                container.first.executing = Some(Executing { execution, page });
                return;
            }
            // Without the page a failure shows as the end of the process.
            (Ok(Report::Executing(_)), None) => return,
            (Ok(Report::Replaced { .. } | Report::Console), None) => {
                let failure = Failure::syscall(
                    Phase::Setup,
                    "cannot take a descriptor of caisson-init",
                    &guard::no_room(),
                );
                lifecycle::Message::SetupFailed(failure)
            }
            (Ok(Report::NamespacesReady), _) => lifecycle::Message::NamespacesReady,
            (Ok(Report::Warning(text)), _) => return container.warnings.push(text),
            (Ok(Report::Created), _) => lifecycle::Message::SetUp,
            (Ok(Report::Failed(failure)), _) => lifecycle::Message::SetupFailed(failure.into()),
            (Ok(Report::Starting), _) => lifecycle::Message::Starting,
            (Ok(Report::StartFailed(failure)), _) => lifecycle::Message::StartFailed(failure.into()),
            (Err(error), _) => invalid(error.to_string()),
        };
        self.step(handle, message);
    }

    /// The helper has cloned itself again: that process is the container's first process now. The former one ends by
    /// itself.
    fn replaced(&mut self, handle: Handle, former: Option<Arc<OwnedFd>>) -> Result<()> {
        if let Some(former) = former {
            self.unwatch(&former);
            if let Ok(former) = former.try_clone() {
                self.collect(former);
            }
        }
        match self.containers.get(&handle).and_then(|c| c.first.pidfd.clone()) {
            Some(fresh) => self.watch(&fresh, Key::Process(handle)),
            None => Ok(()),
        }
    }

    /// A process is reaped at once, whether waited for or not: a zombie in a pid namespace keeps its init from ending.
    pub(super) fn process_ended(&mut self, handle: Handle) {
        // The helper's last report comes before its exit.
        self.read_control(handle);
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let Some(process) = container.first.pidfd.clone() else { return };
        let exit = match pidfd::wait(&*process, false) {
            Ok(None) => return,
            Ok(Some(exit)) => Some(exit),
            Err(_) => pidfd::exit_of_stranger(&*process), // SIGCHLD is ignored, so the kernel reaps for us
        };
        container.first.collected = true;
        self.unwatch(&process);
        self.step(handle, lifecycle::Message::Exited(exit));
    }

    /// Runs a job for a container of another process; its result is the reply.
    fn answer_later(&mut self, token: Token, work: impl FnOnce() -> Result<Reply> + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.submit(move || {
            shared.reply(token, work());
            shared.tell(Message::JobDone);
        });
    }

    /// The engine knows its own process: the state file, which others may have changed, is not read for this.
    pub(super) fn refuse_delete(&mut self, handle: Handle, token: Token) {
        let Some(container) = self.containers.get(&handle) else { return };
        let Some(record) = container.record.clone() else { return };
        let (process, runs) = (container.first.pidfd.clone(), container.lifecycle.is_running());
        let shared = Arc::clone(&self.shared);
        self.submit(move || {
            let id = record.state.id.clone();
            if process.is_some_and(|process| poll::readable_now(&*process).unwrap_or(false)) {
                // It has just ended, and its exit is about to be reported.
                let request = DestroyRequest { root: record.root.clone(), id, force: false };
                shared.tell(Message::Destroy { token, request });
            } else {
                let frozen = record.cgroup().is_some_and(Cgroup::is_frozen);
                let status = match (runs, frozen) {
                    (false, _) => Status::Creating,
                    (true, true) => Status::Paused,
                    (true, false) => Status::Running,
                };
                shared.reply(token, Err(foreign::not_stopped(&id, status)));
            }
            shared.tell(Message::JobDone);
        });
    }

    pub(super) fn submit(&mut self, job: impl FnOnce() + Send + 'static) {
        self.jobs += 1;
        self.shared.pool.submit(Box::new(job));
    }

    pub(super) fn tell_closed(&mut self) {
        let attached = self.containers.values().any(|container| container.lifecycle.is_attached());
        if let Some(closing) = self.closing.as_mut().filter(|_| !attached) {
            closing.clear();
        }
    }
}
