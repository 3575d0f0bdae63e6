//! Carries out the effects of a lifecycle step.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use caisson_code::Phase;
use caisson_plan::protocol::{Command, Start};
use caisson_sys::pidfd;
use caisson_sys::poll::Waker;

use super::Reactor;
use crate::failure::Failure;
use crate::lifecycle::{self, Effect, Task};
use crate::message::{Done, Message};
use crate::request::{Created, Event, Handle, Reply, Token};
use crate::task::prepare::{self, Prepared};
use crate::task::{Subject, agent, hooks, map_ids, net_devices, publish, remove};

impl Reactor {
    pub(super) fn carry_out(&mut self, handle: Handle, effect: Effect) {
        match effect {
            Effect::Proceed => self.send(handle, Command::Proceed, None),
            Effect::StartProgram => self.start_program(handle),
            Effect::Run(task) => self.run_task(handle, task),
            Effect::CancelTask => {
                if let Some(cancel) = self.containers.get(&handle).and_then(|c| c.cancel.as_ref()) {
                    cancel.wake();
                }
            }
            Effect::Deadline(limit) => {
                let Some(container) = self.containers.get_mut(&handle) else { return };
                let deadline = limit.map(|limit| Instant::now() + limit);
                if let Some(former) = std::mem::replace(&mut container.deadline, deadline) {
                    self.deadlines.remove(&(former, handle));
                }
                self.deadlines.extend(deadline.map(|deadline| (deadline, handle)));
            }
            Effect::AnswerCreate(token) => self.answer_create(handle, token),
            Effect::AnswerStart(token, result) => {
                self.shared.reply(token, result.map(|()| Reply::Started));
            }
            Effect::AnswerRemoved(token, result) => {
                self.shared.reply(token, result.map(|warnings| Reply::Destroyed { warnings }));
            }
            Effect::RefuseDelete(token) => self.refuse_delete(handle, token),
            Effect::ReportExit { exit, oom_killed } => {
                self.shared.emit(Event::Exit { handle, exit, oom_killed });
            }
            Effect::Forget => self.forget(handle),
        }
    }

    fn start_program(&mut self, handle: Handle) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let agent = container.agent.take();
        let command = Command::Start(Start { pid: container.first.pid });
        self.send(handle, command, agent);
    }

    fn send(&mut self, handle: Handle, command: Command, descriptor: Option<OwnedFd>) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let Some(control) = &container.first.control else { return };
        // The socket buffer holds many more commands than a helper is ever sent, so this does not block.
        if let Err(failure) = prepare::send(control, command, descriptor.as_ref()) {
            let failed = match command {
                Command::Proceed => lifecycle::Message::SetupFailed(failure),
                Command::Start(_) => lifecycle::Message::StartFailed(failure),
            };
            self.step(handle, failed);
        }
    }

    fn answer_create(&mut self, handle: Handle, token: Token) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let first = &mut container.first;
        let [stdin, stdout, stderr] = std::mem::take(&mut first.streams);
        let sent = container.record.as_ref().is_some_and(|record| record.console_socket.is_some());
        let console = first.console.take().filter(|_| !sent).and_then(Arc::into_inner);
        if let Some(master) = &console {
            // A write to a terminal whose program does not read must not block the caller. The flag affects our copy
            // only: the helper has closed its own.
            let _ = caisson_sys::console::set_nonblocking(master);
        }
        let created = Created {
            handle,
            pid: first.pid,
            start_time: first.start_time,
            stdin,
            stdout,
            stderr,
            console,
            warnings: std::mem::take(&mut container.warnings),
        };
        self.shared.reply(token, Ok(Reply::Created(created)));
    }

    fn run_task(&mut self, handle: Handle, task: Task) {
        let Some(container) = self.containers.get_mut(&handle) else { return };
        let shared = Arc::clone(&self.shared);
        if task == Task::Prepare {
            let Some(request) = container.request.take() else { return };
            return self.submit(move || {
                let prepared = guarded(|| prepare::prepare(&shared, *request, handle), Prepared::Nothing);
                shared.tell(Message::Done(handle, Done::Prepared(Box::new(prepared))));
            });
        }
        let Some(record) = container.record.clone() else { return };
        let cancellable = match task {
            Task::RuntimeHooks | Task::PoststartHooks => true,
            Task::Publish => record.console_socket.is_some(),
            Task::ReachAgent => true,
            _ => false,
        };
        container.cancel = if cancellable { Waker::new().ok().map(Arc::new) } else { None };
        let subject = Subject {
            record,
            pid: container.first.pid,
            pidfd: container.first.pidfd.clone(),
            cancelled: container.cancel.clone(),
        };
        let console = container.first.console.clone().filter(|_| task == Task::Publish);
        self.submit(move || {
            let done = match task {
                Task::Prepare => return,
                Task::MapIds => Done::IdsMapped(guarded(|| map_ids::map_ids(&subject), Err)),
                Task::RuntimeHooks => Done::HooksRan(guarded(
                    || net_devices::bring(&subject).and_then(|()| hooks::runtime(&subject)),
                    Err,
                )),
                Task::PoststartHooks => Done::HooksRan(guarded(|| hooks::poststart(&subject), Err)),
                Task::Publish => {
                    Done::Published(guarded(|| publish::publish(&subject, console.as_deref()), Err))
                }
                Task::ReachAgent => Done::AgentReached(guarded(|| agent::reach(&shared, &subject), Err)),
                Task::CountOom => Done::OomCounted(guarded(|| subject.oom_killed(), |_| false)),
                Task::Kill => guarded(|| subject.kill(), |_| None).map_or(Done::Killed, Done::Frozen),
                Task::Remove { poststop } => {
                    Done::Removed(guarded(|| remove::remove(&subject, poststop), Err))
                }
            };
            // The reactor's next reply must not share its descriptors with this task any more.
            drop(console);
            drop(subject);
            shared.tell(Message::Done(handle, done));
        });
    }

    fn forget(&mut self, handle: Handle) {
        let Some(container) = self.containers.remove(&handle) else { return };
        if let Some(deadline) = container.deadline {
            self.deadlines.remove(&(deadline, handle));
        }
        if let Some(record) = &container.record {
            let path = &record.directory.path;
            if self.by_directory.get(path) == Some(&handle) {
                self.by_directory.remove(path);
            }
        }
        if let Some(control) = &container.first.control {
            self.unwatch(control);
        }
        // The guard's reply came too late for the removal to wait for it.
        if let Some(pidfd) = container.first.pidfd.filter(|_| !container.first.collected) {
            self.unwatch(&pidfd);
            let _ = pidfd::send_signal(&*pidfd, 9);
            if let Ok(pidfd) = pidfd.try_clone() {
                self.collect(pidfd);
            }
        }
        self.shared.system_calls.close(handle);
        self.tell_closed();
    }
}

/// A panic in a task fails its own container only.
fn guarded<T>(task: impl FnOnce() -> T, failed: impl FnOnce(Failure) -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(task)).unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<String>().map(String::as_str);
        let reason = reason.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
        failed(Failure::internal(Phase::Setup, format!("internal error: {reason}")))
    })
}
