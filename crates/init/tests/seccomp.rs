//! The filter is the last call before execve(2): profiles need to allow nothing of ours, and a listener reaches its
//! agent whatever is notified.

mod support;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use caisson_plan::{Filter, Hook, Instructions, Listener, Operation, Plan};
use caisson_seccomp::{Architecture, Profile, Target, compile, names};
use caisson_sys::pidfd::Exit;
use caisson_sys::seccomp::{Answer, Notification};
use caisson_sys::{errno, poll, seccomp, socket};
use serde_json::{Value, json};
use support::plans::{Parts, process, set_args, set_start_hooks};
use support::{Bundle, Helper, receive};

const SIGSYS: i32 = 31;
const SYS_ADMIN: u64 = 1 << 21;

/// A program of one system call: exit(7). It needs no set-up of a C library, which makes dozens.
fn exits_with_7() -> Vec<u8> {
    let (machine, code): (u16, &[u8]) = if cfg!(target_arch = "x86_64") {
        (62, &[0xbf, 7, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]) // mov edi, 7; mov eax, 60; syscall
    } else {
        (183, &[0xe0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4]) // mov x0, 7; mov x8, 93; svc 0
    };
    let (header, start) = (64 + 56, 0x40_0000u64);
    let size = (header + code.len()) as u64;
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend(2u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.extend(1u32.to_le_bytes());
    for word in [start + header as u64, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend([1u32, 5].map(u32::to_le_bytes).concat()); // PT_LOAD, read and execute
    for word in [0, start, start, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(code);
    elf
}

fn install(bundle: &Bundle, name: &str, bytes: &[u8]) {
    let path = bundle.root().join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn filter(profile: Value) -> Filter {
    let profile: Profile = serde_json::from_value(profile).unwrap();
    let target = Target { native: Architecture::NATIVE.unwrap(), listener: true };
    let compiled = compile(&profile, &target).unwrap();
    Filter {
        flags: compiled.flags,
        listener: compiled
            .notifies
            .then(|| Listener { path: None, message_prefix: r#"{"fds":["seccompFd"]"#.to_owned() }),
        skipped: vec![],
        instructions: Instructions(compiled.instructions),
    }
}

/// A profile that has `action` for everything but these. One of the newest calls is among them: later ones are ENOSYS.
fn only(names: &[&str], action: &str) -> Value {
    let rules = json!([
        {"names": ["mseal"], "action": "SCMP_ACT_ALLOW"},
        {"names": names, "action": "SCMP_ACT_ALLOW"},
    ]);
    json!({"defaultAction": action, "syscalls": rules})
}

fn notifies(names: &[&str]) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}]})
}

/// Who the program is, and by what right its filter is loaded.
#[derive(Debug, Clone, Copy)]
struct Rights {
    uid: u32,
    no_new_privileges: bool,
}

const RIGHTS: [Rights; 4] = [
    Rights { uid: 0, no_new_privileges: false },
    Rights { uid: 0, no_new_privileges: true },
    Rights { uid: 1000, no_new_privileges: false },
    Rights { uid: 1000, no_new_privileges: true },
];

fn plan(bundle: &Bundle, args: &[&str], rights: Rights, profile: Value) -> Plan {
    let mut process = process(args);
    (process.uid, process.gid) = (rights.uid, rights.uid);
    // Under no_new_privs the helper leaves it out: it would stay with the program.
    process.capabilities.until_exec = SYS_ADMIN;
    process.capabilities.bounding |= SYS_ADMIN; // it would stay with a root that has it there
    let mut parts = Parts { process: Some(process), ..Parts::new(&[]) };
    if !rights.no_new_privileges {
        parts.after_pivot.retain(|operation| *operation != Operation::NoNewPrivileges);
    }
    let mut plan = parts.plan(bundle);
    for operation in &mut plan.start {
        if let Operation::Exec(program) = operation {
            program.filter = Some(filter(profile.clone()));
        }
    }
    plan
}

fn created(bundle: &Bundle, plan: &Plan) -> Helper {
    let mut helper = Helper::spawn(bundle, plan);
    helper.created();
    helper
}

#[test]
fn a_profile_needs_to_allow_nothing_but_execve() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/seven", &exits_with_7());
    for rights in RIGHTS {
        for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"] {
            let helper =
                created(&bundle, &plan(&bundle, &["/bin/seven"], rights, only(&["execve", "exit"], action)));
            helper.start().unwrap();
            assert_eq!(helper.wait(), Exit::Code(7), "{rights:?} {action}");
        }
        // The filter is in force: exit, the first call after execve, is not allowed.
        let helper = created(
            &bundle,
            &plan(&bundle, &["/bin/seven"], rights, only(&["execve"], "SCMP_ACT_KILL_PROCESS")),
        );
        helper.start().unwrap();
        assert_eq!(helper.wait(), Exit::Signal(SIGSYS), "{rights:?}");
    }
}

#[test]
fn an_execve_that_fails_behind_the_filter_is_told() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/garbage", b"\x7fELF of no machine");
    install(&bundle, "bin/interpreted", b"#!/no/such/interpreter\n");
    install(&bundle, "bin/seven", &exits_with_7());
    // No call could report it, nor end the process as usual.
    let none = || only(&["execve"], "SCMP_ACT_KILL_PROCESS");
    for rights in RIGHTS {
        for (program, errno) in [("/bin/garbage", errno::ENOEXEC), ("/bin/interpreted", errno::ENOENT)] {
            let helper = created(&bundle, &plan(&bundle, &[program], rights, none()));
            assert_eq!(helper.start_with(None).unwrap(), Some(errno), "{program} {rights:?}");
            assert_eq!(helper.wait(), Exit::Signal(SIGSYS));
        }
        // Where exit_group is allowed the status is 1, and where it only fails the process ends all the same.
        let allowed = only(&["execve", "exit_group"], "SCMP_ACT_KILL_PROCESS");
        let helper = created(&bundle, &plan(&bundle, &["/bin/garbage"], rights, allowed));
        assert_eq!(helper.start_with(None).unwrap(), Some(errno::ENOEXEC));
        assert_eq!(helper.wait(), Exit::Code(1));
        let denied = json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13});
        let helper = created(&bundle, &plan(&bundle, &["/bin/seven"], rights, denied));
        assert_eq!(helper.start_with(None).unwrap(), Some(errno::EACCES));
        assert_eq!(helper.wait(), Exit::Signal(4));
    }
}

#[test]
fn no_capability_is_left_that_the_filter_needed() {
    privileged!();
    let bundle = Bundle::new();
    for rights in RIGHTS {
        for profile in [only(&["read"], "SCMP_ACT_LOG"), notifies(&["mount"])] {
            let args = ["/bin/grep", "-E", "Cap|Seccomp|NoNewPrivs", "/proc/self/status"];
            let mut helper = created(&bundle, &plan(&bundle, &args, rights, profile));
            let (agent, _other) = socket::pair().unwrap();
            assert_eq!(helper.start_with(Some(&agent)).unwrap(), None);
            let output = helper.output();
            let mask = format!("{:016x}", support::plans::DEFAULT_CAPABILITIES);
            let bounding = format!("{:016x}", support::plans::DEFAULT_CAPABILITIES | SYS_ADMIN);
            let own = match (rights.uid, rights.no_new_privileges) {
                // Under no_new_privs execve adds nothing to what was permitted.
                (0, true) => mask.as_str(),
                (0, false) => bounding.as_str(),
                _ => "0000000000000000",
            };
            let expected = format!(
                "CapInh:\t0000000000000000\nCapPrm:\t{own}\nCapEff:\t{own}\nCapBnd:\t{bounding}\nCapAmb:\t0000000000000000\n\
                 NoNewPrivs:\t{}\nSeccomp:\t2\nSeccomp_filters:\t1\n",
                u8::from(rights.no_new_privileges)
            );
            assert_eq!(output, expected, "{rights:?}");
        }
    }
}

#[test]
fn hooks_are_not_filtered() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/seven", &exits_with_7());
    let profile = only(&["execve", "exit"], "SCMP_ACT_KILL_PROCESS");
    let mut plan = plan(&bundle, &["/bin/seven"], RIGHTS[0], profile);
    plan.setup.retain(|operation| !matches!(operation, Operation::RemountReadonly { .. }));
    let script = "grep Seccomp: /proc/self/status > /tmp/hook";
    set_start_hooks(
        &mut plan,
        vec![Hook {
            list: "startContainer".to_owned(),
            index: 0,
            path: "/bin/sh".to_owned(),
            args: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: None,
            timeout: None,
        }],
    );
    let helper = created(&bundle, &plan);
    helper.start().unwrap();
    assert_eq!(helper.wait(), Exit::Code(7));
    assert_eq!(fs::read_to_string(bundle.root().join("tmp/hook")).unwrap(), "Seccomp:\t0\n");
}

/// The other end of the connection that comes with a start.
struct Agent {
    connection: OwnedFd,
    ours: OwnedFd,
}

impl Agent {
    fn new() -> Self {
        let (connection, ours) = socket::pair().unwrap();
        Self { connection, ours }
    }

    /// Starts the program, and answers its calls until none of its processes is left.
    fn serve(
        &self,
        helper: &Helper,
        mut answer: impl FnMut(&Notification) -> Answer + Send,
    ) -> (Value, Option<i32>) {
        std::thread::scope(|scope| {
            let ours = &self.ours;
            let served = scope.spawn(move || {
                let message = receive(ours).unwrap();
                let listener =
                    seccomp::Listener::new(message.descriptors.into_iter().next().expect("a listener"));
                while !poll::hung_up(&listener, Duration::ZERO).unwrap() {
                    poll::ready([(std::os::fd::AsFd::as_fd(&listener), READ)], None).unwrap();
                    if poll::hung_up(&listener, Duration::ZERO).unwrap() {
                        break;
                    }
                    if let Some(call) = listener.receive().unwrap() {
                        let _ = listener.answer(call.id, answer(&call));
                    }
                }
                serde_json::from_slice(&message.bytes).unwrap()
            });
            let started = helper.start_with(Some(&self.connection)).unwrap();
            (served.join().unwrap(), started)
        })
    }
}

const READ: poll::Interest = poll::Interest { read: true, write: false };

fn name(call: &Notification) -> &'static str {
    names::name(Architecture::NATIVE.unwrap(), call.number.cast_unsigned()).unwrap()
}

#[test]
fn the_listener_reaches_its_agent_although_its_calls_are_notified() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/seven", &exits_with_7());
    let everything = json!({"defaultAction": "SCMP_ACT_NOTIFY"});
    let sending = notifies(&["write", "sendmsg", "close", "execve", "futex", "exit_group", "nanosleep"]);
    for rights in RIGHTS {
        for profile in [&everything, &sending] {
            let helper = created(&bundle, &plan(&bundle, &["/bin/seven"], rights, profile.clone()));
            let (agent, mut seen) = (Agent::new(), vec![]);
            let (state, errno) = agent.serve(&helper, |call| {
                seen.push(name(call));
                Answer::Continue
            });
            assert_eq!(errno, None);
            assert_eq!(helper.wait(), Exit::Code(7));
            assert_eq!(seen.first(), Some(&"execve"), "{rights:?}: {seen:?}");
            assert_eq!(state["fds"], json!(["seccompFd"]));
            assert_eq!(state["pid"], json!(helper.pid));
            assert_eq!(state["state"]["status"], json!("creating"));
            assert_eq!(state["state"]["pid"], json!(helper.pid));
        }
    }
}

#[test]
fn an_execve_that_the_agent_denies_fails_the_start() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/seven", &exits_with_7());
    let everything = json!({"defaultAction": "SCMP_ACT_NOTIFY"});
    let helper = created(&bundle, &plan(&bundle, &["/bin/seven"], RIGHTS[1], everything));
    let (_, errno) = Agent::new().serve(&helper, |_| Answer::Errno(errno::EBUSY));
    assert_eq!(errno, Some(errno::EBUSY));
    assert_eq!(helper.wait(), Exit::Code(1));
}

#[test]
fn a_value_takes_the_place_of_a_call() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = plan(&bundle, &[], RIGHTS[1], notifies(&["geteuid", "getuid"]));
    set_args(&mut plan, &["/bin/id", "-u"]);
    let mut helper = created(&bundle, &plan);
    let (_, errno) = Agent::new().serve(&helper, |_| Answer::Value(4321));
    assert_eq!((errno, helper.output().as_str()), (None, "4321\n"));
}

#[test]
fn a_start_without_an_agent_is_refused_and_may_be_tried_again() {
    privileged!();
    let bundle = Bundle::new();
    install(&bundle, "bin/seven", &exits_with_7());
    let helper = created(&bundle, &plan(&bundle, &["/bin/seven"], RIGHTS[0], notifies(&["mount"])));
    let failure = refused(&helper);
    assert!(failure.contains("only the process that made the container can start it"), "{failure}");
    assert_eq!(helper.start_with(Some(&Agent::new().connection)).unwrap(), None);
    assert_eq!(helper.wait(), Exit::Code(7));
}

fn refused(helper: &Helper) -> String {
    helper.start_with(None).unwrap_err().message
}

#[test]
fn an_agent_that_is_gone_fails_the_start_before_the_program_runs() {
    privileged!();
    let bundle = Bundle::new();
    let script = ["/bin/sh", "-c", "echo ran > /tmp/ran"];
    let mut plan = plan(&bundle, &script, RIGHTS[0], notifies(&["mount"]));
    plan.setup.retain(|operation| !matches!(operation, Operation::RemountReadonly { .. }));
    let helper = created(&bundle, &plan);
    let Agent { connection, ours } = Agent::new();
    drop(ours);
    let failure = helper.start_with(Some(&connection)).unwrap_err();
    assert!(failure.message.contains("the agent does not take the listener"), "{failure:?}");
    assert_eq!(helper.wait(), Exit::Code(1));
    assert!(!bundle.root().join("tmp/ran").exists());
}
