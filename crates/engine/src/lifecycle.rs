//! A container's transitions: `step(message) → effects`. Nothing here waits, locks, or makes a system call, so every
//! order of events can be tested without privileges. The reactor owns the values, passes messages in and carries the
//! effects out. docs/internal/engine.md has the table.

use std::collections::VecDeque;
use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::pidfd::Exit;

use crate::failure::{Failure, Result};
use crate::request::Token;

mod refusal;
#[cfg(test)]
mod tests;

use refusal::{deleted, died, too_slow};

pub use refusal::{cannot_start, cannot_start_running, closed, does_not_end, frozen};

/// Time limit of guard and helper from one report to the next.
const SETUP: Duration = Duration::from_secs(120);

/// How long a killed process may take to end; uninterruptible kernel work takes long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// When the parent writes the id maps of a new user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdMaps {
    #[default]
    None,
    AfterClone,
    /// After the second clone, which follows the joining of namespaces.
    AfterJoin,
}

/// Properties of the configuration that affect the lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    pub id_maps: IdMaps,
    pub poststart: bool,
    /// Its system calls are notified: an agent has to be reached before the start.
    pub agent: bool,
}

/// An event.
#[derive(Debug)]
pub enum Message {
    /// The prepare task has ended. If `asked`, the guard will reply with [`Cloned`](Self::Cloned).
    Prepared {
        asked: bool,
        result: Result<Demands>,
    },
    /// The guard's reply.
    Cloned(Result<()>),
    /// The helper has cloned itself again; the new process is the container's first process.
    Replaced,
    /// The helper has created its namespaces and waits for the runtime's hooks.
    NamespacesReady,
    /// The helper has finished the setup except for execve(2).
    SetUp,
    SetupFailed(Failure),
    /// The helper has accepted the start request.
    Starting,
    StartFailed(Failure),
    /// The helper's socket is closed: it has called execve(2) (`alive`) or ended.
    ControlClosed {
        alive: bool,
    },
    Exited(Option<Exit>),
    /// A task has ended.
    IdsMapped(Result<()>),
    HooksRan(Result<()>),
    Published(Result<()>),
    AgentReached(Result<()>),
    OomCounted(bool),
    Killed,
    /// It was killed, but a frozen cgroup other than its own keeps it from ending.
    Frozen(String),
    Removed(Result<Vec<String>>),
    /// The last [`Effect::Deadline`] has expired.
    Overdue,
    /// Requests.
    Start(Token),
    Delete {
        token: Token,
        force: bool,
    },
    Cancel,
    Release,
    /// The environment closes.
    Close,
}

/// An action to carry out.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the helper to continue.
    Proceed,
    /// Tell the helper to start the program.
    StartProgram,
    /// Run a task; a message reports its result. At most one task runs at a time.
    Run(Task),
    /// Cancel the running task, if it can be cancelled.
    CancelTask,
    Deadline(Option<Duration>),
    /// Reply to the successful create with pid and streams.
    AnswerCreate(Token),
    AnswerStart(Token, Result<()>),
    /// Includes warnings.
    AnswerRemoved(Token, Result<Vec<String>>),
    /// The container is not stopped and may not be killed: reply with its status.
    RefuseDelete(Token),
    ReportExit {
        exit: Option<Exit>,
        oom_killed: bool,
    },
    Forget,
}

/// Work that may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Prepare,
    MapIds,
    RuntimeHooks,
    /// Write `ready` to state.json, and send the console.
    Publish,
    /// Connect to the agent that answers its system calls.
    ReachAgent,
    PoststartHooks,
    CountOom,
    /// Send SIGKILL to every process.
    Kill,
    Remove {
        poststop: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Preparing,
    MappingIds,
    SettingUp,
    RuntimeHooks,
    Publishing,
    Created,
    Running,
    Stopped,
    /// A delete, or a create being undone.
    Ending,
    Gone,
}

/// Whether the guard has cloned the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloning {
    NotAsked,
    Pending,
    Answered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    None,
    Alive,
    Ended { exit: Option<Exit>, oom_killed: bool },
}

#[derive(Debug, Clone, Copy)]
struct Starting {
    token: Token,
    /// The helper has accepted the request: from now on end of file means success.
    taken: bool,
}

/// A container created by this engine.
#[derive(Debug)]
pub struct Lifecycle {
    id: String,
    stage: Stage,
    attached: bool,
    demands: Demands,
    cloning: Cloning,
    first: First,
    running: Option<Task>,
    queued: VecDeque<Task>,
    create: Option<Token>,
    start: Option<Starting>,
    /// Waits for poststart hooks after execve(2).
    poststart: Option<Token>,
    /// Replied to after the removal, with its result or with the failure that caused it.
    ending: Vec<(Token, Option<Failure>)>,
    poststop: bool,
    overdue: bool,
    /// The create has succeeded: the exit is reported.
    announced: bool,
    /// execve(2) has happened.
    executed: bool,
    /// The exit is not wanted any more.
    released: bool,
}

type Effects = Vec<Effect>;

impl Lifecycle {
    /// Begins a create; returns the lifecycle and its first effects.
    pub fn begin(create: Token, id: &str, attached: bool) -> (Self, Effects) {
        let lifecycle = Self {
            id: id.to_owned(),
            stage: Stage::Preparing,
            attached,
            demands: Demands::default(),
            cloning: Cloning::NotAsked,
            first: First::None,
            running: Some(Task::Prepare),
            queued: VecDeque::new(),
            create: Some(create),
            start: None,
            poststart: None,
            ending: Vec::new(),
            poststop: false,
            overdue: false,
            announced: false,
            executed: false,
            released: false,
        };
        (lifecycle, vec![Effect::Run(Task::Prepare), Effect::Deadline(Some(SETUP))])
    }

    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// Whether the process has ended and nothing is in progress, so that the engine may become idle.
    pub fn is_stopped(&self) -> bool {
        self.stage == Stage::Stopped
    }

    /// Whether the program runs, as opposed to its set-up.
    pub fn is_running(&self) -> bool {
        self.stage == Stage::Running
    }

    /// Whether `token` is the create's.
    pub fn creates(&self, token: Token) -> bool {
        self.create == Some(token)
    }

    pub fn step(&mut self, message: Message) -> Effects {
        let mut effects = Vec::new();
        self.handle(message, &mut effects);
        effects
    }

    fn handle(&mut self, message: Message, out: &mut Effects) {
        match message {
            Message::Prepared { asked, result } => self.prepared(asked, result, out),
            Message::Cloned(result) => self.cloned(result, out),
            Message::Replaced => {
                if self.stage == Stage::SettingUp && self.demands.id_maps == IdMaps::AfterJoin {
                    self.stage = Stage::MappingIds;
                    self.run(Task::MapIds, out);
                }
            }
            Message::IdsMapped(result) => self.task_done(out, |this, out| match result {
                Ok(()) if this.stage == Stage::MappingIds => {
                    this.stage = Stage::SettingUp;
                    out.extend([Effect::Proceed, Effect::Deadline(Some(SETUP))]);
                }
                Ok(()) => {}
                Err(failure) => this.fail(failure, out),
            }),
            Message::NamespacesReady => {
                if self.stage == Stage::SettingUp {
                    self.stage = Stage::RuntimeHooks;
                    out.push(Effect::Deadline(None)); // hooks have their own time limits
                    self.run(Task::RuntimeHooks, out);
                }
            }
            Message::HooksRan(result) => self.task_done(out, |this, out| this.hooks_ran(result, out)),
            Message::SetUp => {
                if self.stage == Stage::SettingUp {
                    self.stage = Stage::Publishing;
                    out.push(Effect::Deadline(None));
                    self.run(Task::Publish, out);
                }
            }
            Message::Published(result) => self.task_done(out, |this, out| this.published(result, out)),
            Message::SetupFailed(failure) => self.fail(failure, out),
            Message::AgentReached(result) => self.task_done(out, |this, out| this.agent_reached(result, out)),
            Message::Starting => {
                if let Some(start) = &mut self.start {
                    start.taken = true;
                }
            }
            Message::StartFailed(failure) => self.start_failed(failure, out),
            Message::ControlClosed { alive } => self.control_closed(alive, out),
            Message::Exited(exit) => self.exited(exit, out),
            Message::OomCounted(oom_killed) => self.task_done(out, |this, out| {
                if let First::Ended { exit, .. } = this.first {
                    this.ended(exit, oom_killed, out);
                }
            }),
            Message::Killed => self.task_done(out, |_, _| {}),
            Message::Frozen(cgroup) => self.task_done(out, |this, out| {
                if this.stage == Stage::Ending && this.first == First::Alive {
                    this.overdue = true;
                    out.push(Effect::Deadline(None));
                    this.answer_all(Err(frozen(&this.id, &cgroup)), out);
                }
            }),
            Message::Removed(result) => self.removed(result, out),
            Message::Overdue => self.deadline_passed(out),
            Message::Start(token) => self.start(token, out),
            Message::Delete { token, force } => self.delete(token, force, out),
            Message::Cancel => self.fail(deleted("created"), out),
            Message::Release => {
                self.released = true;
                self.forget_if_released(out);
            }
            Message::Close => self.close(out),
        }
    }

    fn prepared(&mut self, asked: bool, result: Result<Demands>, out: &mut Effects) {
        if asked && self.cloning == Cloning::NotAsked {
            self.cloning = Cloning::Pending;
        }
        self.task_done(out, |this, out| match result {
            Ok(demands) => {
                this.demands = demands;
                this.go_on(out);
            }
            // Nothing of it is left, and the guard does not know it.
            Err(failure) if !asked => {
                this.answer_create(failure);
                this.answer_all(Ok(Vec::new()), out);
                this.forget(out);
            }
            Err(failure) => this.fail(failure, out),
        });
    }

    fn cloned(&mut self, result: Result<()>, out: &mut Effects) {
        self.cloning = Cloning::Answered;
        match result {
            Ok(()) => {
                self.first = First::Alive;
                if self.stage == Stage::Ending { self.run(Task::Kill, out) } else { self.go_on(out) }
            }
            Err(failure) => self.fail(failure, out),
        }
    }

    /// The first process and its resources exist.
    fn go_on(&mut self, out: &mut Effects) {
        if self.stage != Stage::Preparing || self.running.is_some() || self.cloning != Cloning::Answered {
            return;
        }
        if self.demands.id_maps == IdMaps::AfterClone {
            self.stage = Stage::MappingIds;
            self.run(Task::MapIds, out);
        } else {
            self.stage = Stage::SettingUp;
        }
        out.push(Effect::Deadline(Some(SETUP)));
    }

    fn hooks_ran(&mut self, result: Result<()>, out: &mut Effects) {
        match (self.poststart.take(), result) {
            (Some(token), Ok(())) => out.push(Effect::AnswerStart(token, Ok(()))),
            // runtime-spec, Lifecycle: after a failed hook the container is stopped and deleted.
            (Some(token), Err(failure)) => {
                self.ending.push((token, Some(failure)));
                self.poststop = true;
                self.end(out);
            }
            (None, Ok(())) if self.stage == Stage::RuntimeHooks => {
                self.stage = Stage::SettingUp;
                out.extend([Effect::Proceed, Effect::Deadline(Some(SETUP))]);
            }
            (None, Ok(())) => {}
            (None, Err(failure)) => self.fail(failure, out),
        }
    }

    fn published(&mut self, result: Result<()>, out: &mut Effects) {
        if self.stage != Stage::Publishing {
            return;
        }
        if let Err(failure) = result {
            return self.fail(failure, out);
        }
        self.stage = if self.executed { Stage::Running } else { Stage::Created };
        self.announced = true;
        if let Some(token) = self.create.take() {
            out.push(Effect::AnswerCreate(token));
        }
        // It was killed meanwhile: the caller gets a container, and its exit.
        if let First::Ended { exit, oom_killed } = self.first
            && self.running.is_none()
        {
            self.ended(exit, oom_killed, out);
        }
    }

    /// Whether nothing is in progress that the count of OOM kills would have to wait for.
    fn may_count_oom(&self) -> bool {
        match self.stage {
            Stage::Publishing | Stage::Created | Stage::Running => true,
            Stage::Ending | Stage::Gone => false,
            _ => self.running.is_none(),
        }
    }

    fn exited(&mut self, exit: Option<Exit>, out: &mut Effects) {
        if self.running == Some(Task::ReachAgent) {
            out.push(Effect::CancelTask);
        }
        match exit {
            // SIGKILL, or the shell's exit status for it, may come from the out-of-memory killer.
            Some(Exit::Signal(9) | Exit::Code(137)) if self.may_count_oom() => {
                self.first = First::Ended { exit, oom_killed: false };
                self.run(Task::CountOom, out);
            }
            _ => self.ended(exit, false, out),
        }
    }

    fn ended(&mut self, exit: Option<Exit>, oom_killed: bool, out: &mut Effects) {
        self.first = First::Ended { exit, oom_killed };
        match self.stage {
            Stage::Created | Stage::Running => {
                self.stage = Stage::Stopped;
                if let Some(Starting { token, .. }) = self.start.take() {
                    out.push(Effect::AnswerStart(token, Err(cannot_start("has stopped"))));
                }
                self.report_exit(exit, oom_killed, out);
                self.forget_if_released(out);
            }
            // The reply to the create comes first.
            Stage::Publishing | Stage::Stopped | Stage::Gone => {}
            Stage::Ending => {
                if self.announced {
                    self.report_exit(exit, oom_killed, out);
                }
                self.advance_ending(out);
            }
            _ => self.fail(died(exit, oom_killed), out),
        }
    }

    fn report_exit(&self, exit: Option<Exit>, oom_killed: bool, out: &mut Effects) {
        if !self.released {
            out.push(Effect::ReportExit { exit, oom_killed });
        }
    }

    fn start(&mut self, token: Token, out: &mut Effects) {
        let refused = match self.stage {
            Stage::Created if self.start.is_none() => {
                self.start = Some(Starting { token, taken: false });
                if self.demands.agent {
                    self.run(Task::ReachAgent, out);
                } else {
                    out.push(Effect::StartProgram);
                }
                return;
            }
            Stage::Created | Stage::Running => cannot_start_running(),
            Stage::Stopped | Stage::Ending | Stage::Gone => cannot_start("has stopped"),
            _ => Failure::new(
                Code::InvalidState,
                Phase::Start,
                "cannot start a container in the creating state",
            ),
        };
        out.push(Effect::AnswerStart(token, Err(refused)));
    }

    /// A start that fails here may be tried again: nothing has been asked of the container.
    fn agent_reached(&mut self, result: Result<()>, out: &mut Effects) {
        match result {
            Ok(()) if self.stage == Stage::Created && self.start.is_some() => out.push(Effect::StartProgram),
            Ok(()) => {}
            Err(failure) => self.start_failed(failure, out),
        }
    }

    fn start_failed(&mut self, failure: Failure, out: &mut Effects) {
        let Some(Starting { token, .. }) = self.start.take() else { return };
        if failure.code == Code::Hook {
            self.ending.push((token, Some(failure)));
            self.poststop = true;
            return self.end(out);
        }
        out.push(Effect::AnswerStart(token, Err(failure)));
    }

    fn control_closed(&mut self, alive: bool, out: &mut Effects) {
        // A helper that accepted the request and closes the socket without a failure has called execve(2), however
        // short-lived its program. Otherwise a dead helper has not, and its exit status tells the rest.
        if !alive && !self.start.is_some_and(|start| start.taken) {
            return;
        }
        self.executed = true;
        if self.stage != Stage::Created {
            return;
        }
        self.stage = Stage::Running;
        match self.start.take() {
            Some(Starting { token, taken: true }) if self.demands.poststart => {
                self.poststart = Some(token);
                self.run(Task::PoststartHooks, out);
            }
            Some(Starting { token, taken: true }) => out.push(Effect::AnswerStart(token, Ok(()))),
            Some(Starting { token, taken: false }) => {
                out.push(Effect::AnswerStart(token, Err(cannot_start_running())));
            }
            None => {}
        }
    }

    fn delete(&mut self, token: Token, force: bool, out: &mut Effects) {
        match self.stage {
            Stage::Created | Stage::Stopped => {}
            Stage::Gone => return out.push(Effect::AnswerRemoved(token, Ok(Vec::new()))),
            Stage::Ending => {
                // A process that did not die in time is killed again.
                if std::mem::take(&mut self.overdue) && self.first == First::Alive {
                    out.push(Effect::Deadline(Some(PATIENCE)));
                    self.run(Task::Kill, out);
                }
            }
            _ if force => {}
            _ => return out.push(Effect::RefuseDelete(token)),
        }
        self.poststop |= self.create.is_none();
        self.ending.push((token, None));
        if self.stage != Stage::Ending {
            self.answer_create(deleted("created"));
            if let Some(Starting { token, .. }) = self.start.take() {
                out.push(Effect::AnswerStart(token, Err(deleted("started"))));
            }
            self.end(out);
        }
    }

    /// Fails a create: everything is undone first, then the failure is the reply.
    fn fail(&mut self, failure: Failure, out: &mut Effects) {
        match self.stage {
            Stage::Created | Stage::Running | Stage::Stopped | Stage::Gone => {}
            Stage::Ending => self.advance_ending(out),
            _ => {
                // runtime-spec, Lifecycle: after a failed hook the poststop hooks still run.
                self.poststop = failure.code == Code::Hook;
                self.answer_create(failure);
                self.end(out);
            }
        }
    }

    /// The create's reply follows when everything is undone.
    fn answer_create(&mut self, failure: Failure) {
        if let Some(token) = self.create.take() {
            self.ending.push((token, Some(failure)));
        }
    }

    fn close(&mut self, out: &mut Effects) {
        if !self.attached {
            self.released = true;
            return self.forget_if_released(out);
        }
        if matches!(self.stage, Stage::Ending | Stage::Gone) {
            return;
        }
        self.answer_create(closed());
        self.end(out);
    }

    fn end(&mut self, out: &mut Effects) {
        self.stage = Stage::Ending;
        self.queued.clear();
        if let Some(token) = self.poststart.take() {
            self.ending.push((token, Some(deleted("started"))));
        }
        if self.running.is_some() {
            out.push(Effect::CancelTask);
        }
        out.push(Effect::Deadline(Some(PATIENCE)));
        if self.first == First::Alive {
            self.run(Task::Kill, out);
        }
        self.advance_ending(out);
    }

    /// Takes the next step of the removal, until everything is gone.
    fn advance_ending(&mut self, out: &mut Effects) {
        let waits_for_clone = self.cloning == Cloning::Pending && !self.overdue;
        if self.stage != Stage::Ending
            || self.running.is_some()
            || waits_for_clone
            || self.first == First::Alive
        {
            return;
        }
        out.push(Effect::Deadline(None));
        self.run(Task::Remove { poststop: self.poststop }, out);
    }

    fn removed(&mut self, result: Result<Vec<String>>, out: &mut Effects) {
        self.running = None;
        self.answer_all(result, out);
        self.forget(out);
    }

    fn forget(&mut self, out: &mut Effects) {
        self.stage = Stage::Gone;
        out.push(Effect::Forget);
    }

    fn answer_all(&mut self, result: Result<Vec<String>>, out: &mut Effects) {
        for (token, failure) in self.ending.drain(..) {
            let answer = failure.map_or_else(|| result.clone(), Err);
            out.push(Effect::AnswerRemoved(token, answer));
        }
    }

    fn deadline_passed(&mut self, out: &mut Effects) {
        match self.stage {
            Stage::Created | Stage::Running | Stage::Stopped | Stage::Gone => {}
            Stage::Ending => {
                self.overdue = true;
                if self.first == First::Alive || self.running.is_some() {
                    // The removal continues when the process has ended; the callers are told now.
                    self.answer_all(Err(does_not_end(&self.id)), out);
                }
                self.advance_ending(out);
            }
            _ => self.fail(too_slow(SETUP), out),
        }
    }

    fn forget_if_released(&mut self, out: &mut Effects) {
        if self.released && self.stage == Stage::Stopped && self.running.is_none() {
            self.forget(out);
        }
    }

    /// Runs the task after those that are queued.
    fn run(&mut self, task: Task, out: &mut Effects) {
        if self.running.is_some() {
            self.queued.push_back(task);
        } else {
            self.running = Some(task);
            out.push(Effect::Run(task));
        }
    }

    fn task_done(&mut self, out: &mut Effects, then: impl FnOnce(&mut Self, &mut Effects)) {
        self.running = self.queued.pop_front();
        if let Some(next) = self.running {
            out.push(Effect::Run(next));
        }
        then(self, out);
        self.advance_ending(out);
        self.forget_if_released(out);
    }
}
