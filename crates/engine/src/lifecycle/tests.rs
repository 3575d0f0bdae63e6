use super::*;

fn failure(code: Code) -> Failure {
    Failure::new(code, Phase::Setup, "on purpose")
}

/// A container brought to a stage, and the last effects.
struct Case {
    lifecycle: Lifecycle,
    effects: Effects,
}

impl Case {
    fn begin() -> Self {
        let (lifecycle, effects) = Lifecycle::begin(1, "box", true);
        Self { lifecycle, effects }
    }

    fn step(mut self, message: Message) -> Self {
        self.effects = self.lifecycle.step(message);
        self
    }

    fn prepared(self, demands: Demands) -> Self {
        self.step(Message::Prepared { asked: true, result: Ok(demands) }).step(Message::Cloned(Ok(())))
    }

    fn created(demands: Demands) -> Self {
        Self::begin().prepared(demands).step(Message::SetUp).step(Message::Published(Ok(())))
    }

    fn running() -> Self {
        Self::created(Demands::default())
            .step(Message::Start(2))
            .step(Message::Starting)
            .step(Message::ControlClosed { alive: true })
    }

    fn has(&self, effect: &Effect) -> bool {
        self.effects.contains(effect)
    }

    fn ends_with(&self, code: Code, token: Token) {
        let found = self.effects.iter().any(|effect| match effect {
            Effect::AnswerStart(t, Err(f)) => *t == token && f.code == code,
            Effect::AnswerRemoved(t, Err(f)) => *t == token && f.code == code,
            _ => false,
        });
        assert!(found, "{code} for {token}: {:?}", self.effects);
    }
}

const REMOVE: Effect = Effect::Run(Task::Remove { poststop: false });
const REMOVE_WITH_HOOKS: Effect = Effect::Run(Task::Remove { poststop: true });
const EXIT: Option<Exit> = Some(Exit::Code(0));

#[test]
fn the_usual_life() {
    let case = Case::begin();
    assert!(case.has(&Effect::Run(Task::Prepare)));
    let case = case.step(Message::Prepared { asked: true, result: Ok(Demands::default()) });
    let case = case.step(Message::Cloned(Ok(()))).step(Message::SetUp);
    assert!(case.has(&Effect::Run(Task::Publish)));
    let case = case.step(Message::Published(Ok(())));
    assert_eq!(case.effects, [Effect::AnswerCreate(1)]);
    let case = case.step(Message::Start(2));
    assert_eq!(case.effects, [Effect::StartProgram]);
    let case = case.step(Message::Starting).step(Message::ControlClosed { alive: true });
    assert_eq!(case.effects, [Effect::AnswerStart(2, Ok(()))]);
    let case = case.step(Message::Exited(EXIT));
    assert_eq!(case.effects, [Effect::ReportExit { exit: EXIT, oom_killed: false }]);
    let case = case.step(Message::Delete { token: 3, force: false });
    assert!(case.has(&REMOVE_WITH_HOOKS));
    let case = case.step(Message::Removed(Ok(vec!["warning".into()])));
    assert_eq!(case.effects, [Effect::AnswerRemoved(3, Ok(vec!["warning".into()])), Effect::Forget]);
}

#[test]
fn an_agent_is_reached_before_the_start_and_may_be_tried_again() {
    let demands = Demands { agent: true, ..Demands::default() };
    let case = Case::created(demands).step(Message::Start(2));
    assert_eq!(case.effects, [Effect::Run(Task::ReachAgent)]);
    let case = case.step(Message::AgentReached(Err(failure(Code::Syscall))));
    case.ends_with(Code::Syscall, 2);
    let case = case.step(Message::Start(3)).step(Message::AgentReached(Ok(())));
    assert_eq!(case.effects, [Effect::StartProgram]);
}

#[test]
fn a_container_that_ends_does_not_wait_for_its_agent() {
    let demands = Demands { agent: true, ..Demands::default() };
    let case = Case::created(demands).step(Message::Start(2)).step(Message::Exited(EXIT));
    assert!(case.has(&Effect::CancelTask) && case.has(&Effect::ReportExit { exit: EXIT, oom_killed: false }));
    case.ends_with(Code::InvalidState, 2);
    let case = case.step(Message::AgentReached(Ok(())));
    assert_eq!(case.effects, []);
}

#[test]
fn the_guard_may_answer_before_the_preparation_is_done() {
    let case = Case::begin().step(Message::Cloned(Ok(())));
    assert!(case.effects.is_empty());
    let case = case.step(Message::Prepared { asked: true, result: Ok(Demands::default()) });
    assert!(case.step(Message::SetUp).has(&Effect::Run(Task::Publish)));
}

#[test]
fn id_maps_come_when_the_process_to_map_exists() {
    let demands = |id_maps| Demands { id_maps, ..Demands::default() };
    let case = Case::begin().prepared(demands(IdMaps::AfterClone));
    assert!(case.has(&Effect::Run(Task::MapIds)));
    assert!(case.step(Message::IdsMapped(Ok(()))).has(&Effect::Proceed));
    let case = Case::begin().prepared(demands(IdMaps::AfterJoin));
    assert!(!case.has(&Effect::Run(Task::MapIds)));
    let case = case.step(Message::Replaced);
    assert!(case.has(&Effect::Run(Task::MapIds)));
    assert!(case.step(Message::IdsMapped(Ok(()))).has(&Effect::Proceed));
}

#[test]
fn runtime_hooks_have_no_deadline_of_ours_and_their_failure_runs_poststop() {
    let case = Case::begin().prepared(Demands::default()).step(Message::NamespacesReady);
    assert_eq!(case.effects, [Effect::Deadline(None), Effect::Run(Task::RuntimeHooks)]);
    let case = case.step(Message::HooksRan(Err(failure(Code::Hook))));
    assert!(case.has(&Effect::Run(Task::Kill)) && !case.has(&REMOVE_WITH_HOOKS));
    let case = case.step(Message::Killed).step(Message::Exited(Some(Exit::Signal(9))));
    assert!(case.has(&REMOVE_WITH_HOOKS));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::Hook, 1);
}

#[test]
fn a_failed_preparation_leaves_nothing_to_wait_for() {
    let case = Case::begin().step(Message::Prepared { asked: false, result: Err(failure(Code::Exists)) });
    case.ends_with(Code::Exists, 1);
    assert!(case.has(&Effect::Forget));
}

#[test]
fn a_cgroup_that_cannot_be_made_is_unmade_after_the_process_born_in_it() {
    let case =
        Case::begin().step(Message::Prepared { asked: true, result: Err(failure(Code::CgroupUnavailable)) });
    assert!(!case.has(&REMOVE), "the guard has not answered");
    let case = case.step(Message::Cloned(Ok(())));
    assert!(case.has(&Effect::Run(Task::Kill)));
    let case = case.step(Message::Killed);
    assert!(!case.has(&REMOVE), "the process lives");
    let case = case.step(Message::Exited(Some(Exit::Signal(9))));
    assert!(case.has(&REMOVE));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::CgroupUnavailable, 1);
}

#[test]
fn a_refused_clone_is_the_creates_failure() {
    let case = Case::begin()
        .step(Message::Prepared { asked: true, result: Ok(Demands::default()) })
        .step(Message::Cloned(Err(failure(Code::UsernsDenied))));
    assert!(case.has(&REMOVE));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::UsernsDenied, 1);
}

#[test]
fn a_helper_that_dies_says_how_and_an_oom_kill_is_told_apart() {
    let killed = Message::Exited(Some(Exit::Signal(9)));
    let case = Case::begin().prepared(Demands::default()).step(killed);
    assert_eq!(case.effects, [Effect::Run(Task::CountOom)]);
    let case = case.step(Message::OomCounted(true));
    assert!(case.has(&REMOVE));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::Oom, 1);
}

#[test]
fn a_helper_that_dies_during_hooks_cancels_them() {
    let case = Case::begin().prepared(Demands::default()).step(Message::NamespacesReady);
    let case = case.step(Message::Exited(Some(Exit::Signal(9))));
    assert!(case.has(&Effect::CancelTask) && !case.has(&REMOVE));
    let case = case.step(Message::HooksRan(Err(failure(Code::Hook))));
    assert!(case.has(&REMOVE));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::Internal, 1);
}

#[test]
fn a_container_killed_while_it_is_published_is_created_and_has_an_exit() {
    let case = Case::begin().prepared(Demands::default()).step(Message::SetUp);
    let case = case.step(Message::Exited(Some(Exit::Signal(9)))).step(Message::Published(Ok(())));
    assert!(case.has(&Effect::AnswerCreate(1)) && case.has(&Effect::Run(Task::CountOom)));
    let case = case.step(Message::OomCounted(false));
    assert!(case.has(&Effect::ReportExit { exit: Some(Exit::Signal(9)), oom_killed: false }));
}

#[test]
fn a_program_that_ends_at_once_was_started_all_the_same() {
    let case = Case::created(Demands::default()).step(Message::Start(2)).step(Message::Starting);
    let case = case.step(Message::ControlClosed { alive: false });
    assert_eq!(case.effects, [Effect::AnswerStart(2, Ok(()))]);
    let case = case.step(Message::Exited(EXIT));
    assert_eq!(case.effects, [Effect::ReportExit { exit: EXIT, oom_killed: false }]);
}

#[test]
fn a_second_start_and_one_of_another_process_are_told_apart() {
    let case = Case::created(Demands::default()).step(Message::Start(2)).step(Message::Start(3));
    case.ends_with(Code::InvalidState, 3);
    // The helper has accepted the request of another process.
    let case = case.step(Message::ControlClosed { alive: true });
    case.ends_with(Code::InvalidState, 2);
    let case = case.step(Message::Delete { token: 4, force: false });
    assert_eq!(case.effects, [Effect::RefuseDelete(4)]);
}

#[test]
fn poststart_hooks_come_before_the_answer_and_their_failure_removes_the_container() {
    let demands = Demands { poststart: true, ..Demands::default() };
    let started = || {
        Case::created(demands)
            .step(Message::Start(2))
            .step(Message::Starting)
            .step(Message::ControlClosed { alive: true })
    };
    let case = started();
    assert_eq!(case.effects, [Effect::Run(Task::PoststartHooks)]);
    assert_eq!(case.step(Message::HooksRan(Ok(()))).effects, [Effect::AnswerStart(2, Ok(()))]);
    let case = started().step(Message::HooksRan(Err(failure(Code::Hook))));
    assert!(case.has(&Effect::Run(Task::Kill)));
    let case = case.step(Message::Killed).step(Message::Exited(Some(Exit::Signal(9))));
    assert!(case.has(&Effect::ReportExit { exit: Some(Exit::Signal(9)), oom_killed: false }));
    case.step(Message::Removed(Ok(vec![]))).ends_with(Code::Hook, 2);
}

#[test]
fn a_delete_without_force_leaves_a_running_container_alone() {
    let case = Case::running().step(Message::Delete { token: 5, force: false });
    assert_eq!(case.effects, [Effect::RefuseDelete(5)]);
    let case = case.step(Message::Delete { token: 6, force: true });
    assert!(case.has(&Effect::Run(Task::Kill)));
}

#[test]
fn a_process_that_does_not_die_is_told_and_goes_when_it_ends() {
    let case = Case::running().step(Message::Delete { token: 5, force: true }).step(Message::Killed);
    let case = case.step(Message::Overdue);
    case.ends_with(Code::Timeout, 5);
    let case = case.step(Message::Delete { token: 6, force: true });
    assert!(case.has(&Effect::Run(Task::Kill)));
    let case = case.step(Message::Killed).step(Message::Exited(Some(Exit::Signal(9))));
    let case = case.step(Message::Removed(Ok(vec![])));
    assert!(case.has(&Effect::AnswerRemoved(6, Ok(vec![]))) && case.has(&Effect::Forget));
}

#[test]
fn a_frozen_process_is_told_at_once_and_goes_when_it_is_thawed() {
    let case = Case::running().step(Message::Delete { token: 5, force: true });
    let case = case.step(Message::Frozen("/sys/fs/cgroup/freezer/x".into()));
    case.ends_with(Code::InvalidState, 5);
    let case = case.step(Message::Delete { token: 6, force: true });
    assert!(case.has(&Effect::Run(Task::Kill)));
    let case = case.step(Message::Killed).step(Message::Exited(Some(Exit::Signal(9))));
    let case = case.step(Message::Removed(Ok(vec![])));
    assert!(case.has(&Effect::AnswerRemoved(6, Ok(vec![]))) && case.has(&Effect::Forget));
}

#[test]
fn a_cancelled_create_fails_and_a_finished_one_is_left_alone() {
    let case = Case::begin().prepared(Demands::default()).step(Message::Cancel);
    assert!(case.has(&Effect::Run(Task::Kill)));
    assert!(Case::created(Demands::default()).step(Message::Cancel).effects.is_empty());
}

#[test]
fn a_released_container_is_collected_without_a_report() {
    let case = Case::running().step(Message::Release).step(Message::Exited(EXIT));
    assert_eq!(case.effects, [Effect::Forget]);
}

/// A small generator with a fixed sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The environment of a lifecycle: replies to its requests in any order and with any result.
#[derive(Default)]
struct World {
    tasks: Vec<Task>,
    asked: bool,
    clone_answered: bool,
    alive: bool,
    dead: bool,
    deadline: bool,
    open: std::collections::BTreeSet<Token>,
    forgotten: bool,
    announced: bool,
    exits: u32,
}

impl World {
    fn take(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Run(task) => {
                    assert!(self.tasks.is_empty(), "two tasks at once");
                    if matches!(task, Task::Remove { .. }) {
                        assert!(!self.alive, "removed while its process lives");
                    }
                    self.tasks.push(task);
                }
                Effect::Deadline(limit) => self.deadline = limit.is_some(),
                Effect::AnswerCreate(token) => {
                    self.announced = true;
                    assert!(self.open.remove(&token), "answered twice: {token}");
                }
                Effect::AnswerStart(token, _) | Effect::AnswerRemoved(token, _) => {
                    assert!(self.open.remove(&token), "answered twice: {token}");
                }
                Effect::RefuseDelete(token) => assert!(self.open.remove(&token)),
                Effect::ReportExit { .. } => {
                    assert!(self.announced, "the exit of a container that was never answered");
                    self.exits += 1;
                }
                Effect::Forget => {
                    assert!(self.tasks.is_empty(), "forgotten with {:?}", self.tasks);
                    assert!(!self.forgotten, "forgotten twice");
                    self.forgotten = true;
                }
                Effect::Proceed | Effect::StartProgram | Effect::CancelTask => {}
            }
        }
    }

    fn result(random: &mut Random, code: Code) -> Result<()> {
        if random.below(4) == 0 { Err(failure(code)) } else { Ok(()) }
    }

    /// A possible next event.
    fn next(&mut self, random: &mut Random, tokens: &mut Token) -> Option<Message> {
        let mut request = |world: &mut Self| {
            *tokens += 1;
            world.open.insert(*tokens);
            *tokens
        };
        Some(match random.below(14) {
            0 | 1 => {
                let task = self.tasks.pop()?;
                match task {
                    Task::Prepare => {
                        self.asked |= random.below(3) > 0 || self.clone_answered;
                        let result = Self::result(random, Code::CgroupUnavailable);
                        let result = if self.asked { result } else { Err(failure(Code::Exists)) };
                        let result = result.map(|()| Demands {
                            id_maps: [IdMaps::None, IdMaps::AfterClone][random.below(2) as usize],
                            poststart: random.below(2) == 0,
                            agent: random.below(2) == 0,
                        });
                        Message::Prepared { asked: self.asked, result }
                    }
                    Task::MapIds => Message::IdsMapped(Self::result(random, Code::Syscall)),
                    Task::RuntimeHooks | Task::PoststartHooks => {
                        Message::HooksRan(Self::result(random, Code::Hook))
                    }
                    Task::Publish => Message::Published(Self::result(random, Code::Syscall)),
                    Task::ReachAgent => Message::AgentReached(Self::result(random, Code::Syscall)),
                    Task::CountOom => Message::OomCounted(random.below(2) == 0),
                    Task::Kill => Message::Killed,
                    Task::Remove { .. } => {
                        Message::Removed(Self::result(random, Code::Syscall).map(|()| vec![]))
                    }
                }
            }
            2 if !self.clone_answered && (self.asked || self.tasks.contains(&Task::Prepare)) => {
                self.clone_answered = true;
                self.asked = true;
                let result = Self::result(random, Code::Syscall);
                self.alive = result.is_ok();
                Message::Cloned(result)
            }
            3 if self.alive && !self.tasks.contains(&Task::Prepare) => {
                self.alive = false;
                self.dead = true;
                Message::Exited([EXIT, Some(Exit::Signal(9)), None][random.below(3) as usize])
            }
            4 if self.alive => Message::NamespacesReady,
            5 if self.alive => Message::SetUp,
            6 if self.alive => Message::SetupFailed(failure(Code::Syscall)),
            7 if self.alive => Message::Starting,
            8 if self.alive => Message::StartFailed(failure(Code::ExecNotFound)),
            9 if self.clone_answered => Message::ControlClosed { alive: self.alive },
            10 if self.deadline => {
                self.deadline = false;
                Message::Overdue
            }
            11 => Message::Start(request(self)),
            12 => Message::Delete { token: request(self), force: random.below(2) == 0 },
            13 => [Message::Cancel, Message::Release, Message::Close]
                .into_iter()
                .nth(random.below(30) as usize)?,
            _ => return None,
        })
    }
}

#[test]
fn whatever_happens_every_request_is_answered_once_and_everything_goes() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let (mut lifecycle, effects) = Lifecycle::begin(1, "box", random.below(2) == 0);
        let mut world = World { open: [1].into(), ..World::default() };
        world.take(effects);
        let mut tokens = 1;
        for _ in 0..60 {
            if world.forgotten {
                break;
            }
            if let Some(message) = world.next(&mut random, &mut tokens) {
                let effects = lifecycle.step(message);
                world.take(effects);
            }
        }
        // From here on everything ends, in the remaining order.
        if !world.forgotten {
            tokens += 1;
            world.open.insert(tokens);
            let effects = lifecycle.step(Message::Delete { token: tokens, force: true });
            world.take(effects);
        }
        for _ in 0..20 {
            if world.forgotten {
                break;
            }
            let message = if let Some(task) = world.tasks.pop() {
                match task {
                    Task::Prepare => {
                        world.asked = true;
                        Message::Prepared { asked: true, result: Ok(Demands::default()) }
                    }
                    Task::MapIds => Message::IdsMapped(Ok(())),
                    Task::RuntimeHooks | Task::PoststartHooks => Message::HooksRan(Ok(())),
                    Task::Publish => Message::Published(Ok(())),
                    Task::ReachAgent => Message::AgentReached(Ok(())),
                    Task::CountOom => Message::OomCounted(false),
                    Task::Kill => Message::Killed,
                    Task::Remove { .. } => Message::Removed(Ok(vec![])),
                }
            } else if !world.clone_answered {
                world.clone_answered = true;
                world.alive = true;
                Message::Cloned(Ok(()))
            } else if world.alive {
                world.alive = false;
                Message::Exited(Some(Exit::Signal(9)))
            } else {
                break;
            };
            let effects = lifecycle.step(message);
            world.take(effects);
        }
        assert!(world.forgotten, "seed {seed}: {lifecycle:?}");
        assert!(world.open.is_empty(), "seed {seed}: no answer for {:?}", world.open);
        assert!(world.exits <= 1, "seed {seed}: {} exits", world.exits);
    }
}
