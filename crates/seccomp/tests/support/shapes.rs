//! Profiles as container engines write them: the shapes of Docker, podman and containerd.

use caisson_seccomp::{Action, Architecture, Argument, Context, Operator, Profile, Rule, default_profile};

/// Each with its name.
pub fn all() -> Vec<(&'static str, Profile)> {
    vec![
        ("default", own(&[])),
        ("default with capabilities", own(&["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_BPF"])),
        ("Docker", docker()),
        ("podman", podman()),
        ("a list of denied calls", denying()),
    ]
}

pub fn own(capabilities: &[&str]) -> Profile {
    let capabilities: Vec<String> = capabilities.iter().map(|name| (*name).to_owned()).collect();
    let native = Architecture::X86_64;
    default_profile(&Context { native, programs: native, capabilities: &capabilities })
}

/// EPERM by default, `socketcall` allowed, families of sockets by three ranges; containerd's is the same with fewer.
pub fn docker() -> Profile {
    let mut profile = own(&[]);
    let rules = profile.syscalls.get_or_insert_default();
    rules.retain(|rule| rule.names != ["socket"]);
    rules.push(rule(Action::Allow, &["socketcall"], &[]));
    for (op, value) in [(Operator::Less, 38), (Operator::Equal, 39), (Operator::Greater, 40)] {
        rules.push(rule(Action::Allow, &["socket"], &[argument(0, op, value)]));
    }
    profile
}

/// ENOSYS by default, EPERM for a list, and audit sockets by two arguments in four rules.
pub fn podman() -> Profile {
    let mut profile = docker();
    profile.default_errno_ret = Some(38);
    let rules = profile.syscalls.get_or_insert_default();
    rules.retain(|rule| rule.names != ["socket"]);
    rules.push(rule(
        Action::Errno,
        &["bdflush", "kexec_load", "swapon", "userfaultfd", "vm86", "setns"],
        &[],
    ));
    let audit = [argument(0, Operator::Equal, 16), argument(2, Operator::Equal, 9)];
    rules.push(Rule { errno_ret: Some(22), ..rule(Action::Errno, &["socket"], &audit) });
    rules.push(rule(Action::Allow, &["socket"], &[argument(2, Operator::NotEqual, 9)]));
    rules.push(rule(Action::Allow, &["socket"], &[argument(0, Operator::NotEqual, 16)]));
    profile
}

/// Everything is allowed but some calls, some of them by argument.
pub fn denying() -> Profile {
    Profile {
        default_action: Action::Allow,
        default_errno_ret: None,
        architectures: None,
        flags: Some(Vec::new()),
        listener_path: None,
        listener_metadata: None,
        syscalls: Some(vec![
            rule(Action::KillProcess, &["kexec_load", "init_module", "finit_module"], &[]),
            rule(Action::Errno, &["personality"], &[argument(0, Operator::NotEqual, 0)]),
            rule(Action::Errno, &["socket"], &[argument(0, Operator::Equal, 38)]),
            rule(
                Action::Trap,
                &["clone"],
                &[Argument {
                    value_two: Some(0x1000_0000),
                    ..argument(0, Operator::MaskedEqual, 0x1000_0000)
                }],
            ),
        ]),
    }
}

pub fn rule(action: Action, names: &[&str], args: &[Argument]) -> Rule {
    Rule {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        action,
        errno_ret: None,
        args: (!args.is_empty()).then(|| args.to_vec()),
    }
}

pub fn argument(index: u32, op: Operator, value: u64) -> Argument {
    Argument { index, value, value_two: None, op }
}
