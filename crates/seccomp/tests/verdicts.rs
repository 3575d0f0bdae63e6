//! Verdicts that profiles in the field rely on, and cases that libseccomp compiles into another filter.

mod support;

use caisson_seccomp::{
    Action, Architecture, Argument, Filter, Operator, Profile, Rule, Target, compile, names,
};
use support::interpreter::{Call, run, verify};
use support::shapes::{argument, denying, docker, own, podman, rule};

use Architecture::{Aarch64, Arm, S390x, X32, X86, X86_64};

const ALLOW: u32 = 0x7fff_0000;
const KILL_THREAD: u32 = 0;
const KILL_PROCESS: u32 = 0x8000_0000;
const fn errno(number: u32) -> u32 {
    0x0005_0000 | number
}
const EPERM: u32 = errno(1);
const ENOSYS: u32 = errno(38);

fn profile(default_action: Action, rules: Vec<Rule>) -> Profile {
    Profile {
        default_action,
        default_errno_ret: None,
        architectures: Some(vec![X86_64, X86, X32, Arm, S390x]),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls: Some(rules),
    }
}

fn filter(profile: &Profile, native: Architecture) -> Filter {
    let filter = compile(profile, &Target { native, listener: false }).expect("a filter");
    verify(&filter.instructions);
    filter
}

fn verdict(filter: &Filter, architecture: Architecture, name: &str, arguments: &[u64]) -> u32 {
    let number = names::number(architecture, name).expect(name);
    by_number(filter, architecture, number, arguments)
}

fn by_number(filter: &Filter, architecture: Architecture, number: u32, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let audit = architecture.audit();
    let is_little_endian = audit & 0x4000_0000 != 0;
    run(&filter.instructions, &Call { number, architecture: audit, arguments: all, is_little_endian }).0
}

#[test]
fn the_first_unconditional_rule_decides_wherever_it_is() {
    let rules = vec![
        rule(Action::Trap, &["read"], &[argument(0, Operator::Equal, 1)]),
        rule(Action::Allow, &["read"], &[]),
        rule(Action::Log, &["read"], &[]),
    ];
    let filter = filter(&profile(Action::Errno, rules), X86_64);
    assert_eq!(verdict(&filter, X86_64, "read", &[1]), ALLOW);
}

#[test]
fn conditions_on_different_arguments_must_all_hold_and_on_one_argument_any() {
    let both = [argument(0, Operator::Equal, 1), argument(1, Operator::Equal, 2)];
    let either =
        [argument(0, Operator::Equal, 1), argument(0, Operator::Equal, 3), argument(1, Operator::Equal, 9)];
    let rules = vec![rule(Action::Allow, &["read"], &both), rule(Action::Allow, &["write"], &either)];
    let filter = filter(&profile(Action::Errno, rules), X86_64);
    for (name, arguments, wanted) in [
        ("read", [1, 2], ALLOW),
        ("read", [1, 3], EPERM),
        ("read", [2, 2], EPERM),
        ("write", [1, 0], ALLOW),
        ("write", [3, 0], ALLOW),
        ("write", [0, 9], ALLOW),
        ("write", [0, 0], EPERM),
    ] {
        assert_eq!(verdict(&filter, X86_64, name, &arguments), wanted, "{name} {arguments:?}");
    }
}

#[test]
fn later_arguments_and_equality_come_first_whatever_the_order_of_the_rules() {
    let one = rule(Action::Errno, &["read"], &[argument(0, Operator::Equal, 5)]);
    let two = rule(Action::Allow, &["read"], &[argument(0, Operator::Less, 10)]);
    let three = rule(Action::Trap, &["read"], &[argument(1, Operator::Equal, 7)]);
    for rules in [[&one, &two, &three], [&three, &two, &one], [&two, &one, &three]] {
        let filter = filter(&profile(Action::KillProcess, rules.into_iter().cloned().collect()), X86_64);
        assert_eq!(verdict(&filter, X86_64, "read", &[5, 0]), EPERM);
        assert_eq!(verdict(&filter, X86_64, "read", &[6, 0]), ALLOW);
        assert_eq!(verdict(&filter, X86_64, "read", &[5, 7]), 0x0003_0000);
        assert_eq!(verdict(&filter, X86_64, "read", &[11, 0]), KILL_PROCESS);
    }
}

/// libseccomp 2.5.4 and 2.6.1 merge such comparisons of the upper halves: their filters allow what one rule denies.
#[test]
fn several_orderings_of_one_64_bit_argument_all_count() {
    let rules = vec![
        rule(Action::Errno, &["read"], &[argument(0, Operator::Less, 0x2_0000_0005)]),
        rule(Action::Errno, &["read"], &[argument(0, Operator::Less, 1)]),
        rule(Action::Errno, &["read"], &[argument(0, Operator::Greater, 0x7_0000_0000)]),
    ];
    let filter = filter(&profile(Action::Allow, rules), X86_64);
    for (value, wanted) in [
        (0, EPERM),
        (5, EPERM),
        (0x1_ffff_ffff, EPERM),
        (0x2_0000_0004, EPERM),
        (0x2_0000_0005, ALLOW),
        (0x7_0000_0000, ALLOW),
        (0x7_0000_0001, EPERM),
        (u64::MAX, EPERM),
    ] {
        assert_eq!(verdict(&filter, X86_64, "read", &[value]), wanted, "{value:#x}");
    }
}

#[test]
fn masks_apply_to_the_wanted_value_as_well() {
    let masked = Argument { value_two: Some(7), ..argument(0, Operator::MaskedEqual, 3) };
    let filter = filter(&profile(Action::Errno, vec![rule(Action::Allow, &["read"], &[masked])]), X86_64);
    assert_eq!(verdict(&filter, X86_64, "read", &[3]), ALLOW);
    assert_eq!(verdict(&filter, X86_64, "read", &[0xffff_ffff_0000_0007]), ALLOW);
    assert_eq!(verdict(&filter, X86_64, "read", &[2]), EPERM);
}

/// SECURITY: a caller of x32 has 64-bit registers; libseccomp compares their lower half only.
#[test]
fn x32_compares_the_whole_argument_and_x86_its_half() {
    let rules = vec![rule(Action::Allow, &["read"], &[argument(0, Operator::Equal, 4)])];
    let filter = filter(&profile(Action::Errno, rules), X86_64);
    assert_eq!(verdict(&filter, X32, "read", &[4]), ALLOW);
    assert_eq!(verdict(&filter, X32, "read", &[0x1_0000_0004]), EPERM);
    assert_eq!(verdict(&filter, X86, "read", &[4]), ALLOW);
}

#[test]
fn architectures_that_are_not_listed_are_killed() {
    let only = Profile { architectures: None, ..profile(Action::Allow, Vec::new()) };
    let filter = filter(&only, X86_64);
    assert_eq!(verdict(&filter, X86_64, "read", &[]), ALLOW);
    assert_eq!(verdict(&filter, X86, "read", &[]), KILL_THREAD);
    assert_eq!(verdict(&filter, X32, "read", &[]), KILL_THREAD);
    assert_eq!(by_number(&filter, X86_64, u32::MAX, &[]), ALLOW, "a call that a tracer skips");
    assert_eq!(by_number(&filter, X86_64, u32::MAX - 1, &[]), KILL_THREAD);
}

#[test]
fn the_native_architecture_is_always_covered() {
    let foreign = Profile {
        architectures: Some(vec![S390x]),
        ..profile(Action::Errno, vec![rule(Action::Allow, &["read"], &[])])
    };
    let filter = filter(&foreign, Aarch64);
    assert_eq!(verdict(&filter, Aarch64, "read", &[]), ALLOW);
    assert_eq!(verdict(&filter, Aarch64, "write", &[]), ENOSYS, "newer than the profile");
    assert_eq!(verdict(&filter, Arm, "read", &[]), KILL_THREAD);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let rules = vec![rule(Action::Allow, &["read", "openat2"], &[]), rule(Action::Allow, &["write"], &[])];
    let denying = filter(&profile(Action::Errno, rules.clone()), X86_64);
    assert_eq!(verdict(&denying, X86_64, "clone3", &[]), EPERM, "older than openat2");
    assert_eq!(verdict(&denying, X86_64, "mseal", &[]), ENOSYS);
    assert_eq!(by_number(&denying, X86_64, 100_000, &[]), ENOSYS);
    assert_eq!(by_number(&denying, X32, 0x4000_0000 + 500, &[]), ENOSYS, "x32 counts for itself");
    for action in [Action::Allow, Action::Log, Action::Trace] {
        let open = filter(&profile(action, rules.clone()), X86_64);
        assert_ne!(verdict(&open, X86_64, "mseal", &[]), ENOSYS, "{action}");
    }
    // A private number of ARM is far above, and still not newer.
    let arm = Profile {
        architectures: None,
        ..profile(Action::Errno, vec![rule(Action::Allow, &["read", "cacheflush"], &[])])
    };
    let arm = filter(&arm, Arm);
    assert_eq!(verdict(&arm, Arm, "cacheflush", &[]), ALLOW);
    assert_eq!(by_number(&arm, Arm, 500, &[]), ENOSYS);
    // The kernel of s390 reports unknown large numbers as 0.
    let s390 = filter(&profile(Action::Errno, rules), S390x);
    assert_eq!(by_number(&s390, S390x, 0, &[]), ENOSYS);
}

/// SECURITY: a family that the profile denies must not be open through the multiplexer, where it cannot be seen.
/// libseccomp drops the condition there.
#[test]
fn a_conditional_rule_does_not_open_the_multiplexer() {
    let allowing = vec![rule(Action::Allow, &["socket"], &[argument(0, Operator::NotEqual, 38)])];
    let filter_ = filter(&profile(Action::Errno, allowing), X86_64);
    assert_eq!(verdict(&filter_, X86, "socket", &[2]), ALLOW);
    assert_eq!(verdict(&filter_, X86, "socket", &[38]), EPERM);
    assert_eq!(verdict(&filter_, X86, "socketcall", &[1]), EPERM);
    let closed = filter(&denying(), X86);
    assert_eq!(verdict(&closed, X86, "socketcall", &[1]), EPERM, "one denied family denies them all there");
    assert_eq!(verdict(&closed, X86, "socketcall", &[2]), ALLOW);
}

/// SECURITY: the upper half of `ipc`'s argument is a version, which most sub-calls ignore.
#[test]
fn a_denied_sub_call_of_ipc_is_denied_in_every_version() {
    let rules = vec![rule(Action::Errno, &["shmat"], &[])];
    let filter = filter(&profile(Action::Allow, rules), X86_64);
    assert_eq!(verdict(&filter, X86, "ipc", &[21]), EPERM);
    assert_eq!(verdict(&filter, X86, "ipc", &[0x1_0015]), EPERM);
    assert_eq!(verdict(&filter, X86, "ipc", &[22]), ALLOW);
}

/// SECURITY: CVE-2026-31431 needs a socket of `AF_ALG`. The kernel takes the lower half of the argument, so that a rule
/// "greater than 40" lets it through.
#[test]
fn the_default_profile_denies_af_alg_however_it_is_written() {
    let ours = filter(&own(&[]), X86_64);
    let theirs = filter(&docker(), X86_64);
    let hidden = 1 << 32 | 38;
    assert_eq!(verdict(&theirs, X86_64, "socket", &[hidden]), ALLOW, "Docker's rules have the hole");
    for family in [38, 40, hidden, 1 << 63 | 40] {
        assert_eq!(verdict(&ours, X86_64, "socket", &[family]), EPERM, "{family:#x}");
    }
    for family in [1, 2, 10, 16, 17, 39, 41, 44, 45] {
        assert_eq!(verdict(&ours, X86_64, "socket", &[family]), ALLOW, "{family}");
    }
    assert_eq!(verdict(&ours, X86, "socketcall", &[1]), EPERM);
    assert_eq!(verdict(&ours, X86, "socketcall", &[3]), ALLOW);
}

#[test]
fn the_default_profile_follows_capabilities() {
    let plain = filter(&own(&[]), X86_64);
    let admin = filter(&own(&["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE"]), X86_64);
    for name in ["mount", "unshare", "setns", "bpf", "chroot", "pidfd_getfd", "fsopen"] {
        assert_eq!(verdict(&plain, X86_64, name, &[]), EPERM, "{name}");
        assert_eq!(verdict(&admin, X86_64, name, &[]), ALLOW, "{name}");
    }
    assert_eq!(verdict(&plain, X86_64, "clone3", &[]), ENOSYS);
    assert_eq!(verdict(&admin, X86_64, "clone3", &[]), ALLOW);
    let (new_user, thread) = (0x1000_0000, 0x003d_0f00);
    assert_eq!(verdict(&plain, X86_64, "clone", &[new_user]), EPERM);
    assert_eq!(verdict(&plain, X86_64, "clone", &[thread]), ALLOW);
    assert_eq!(verdict(&admin, X86_64, "clone", &[new_user]), ALLOW);
    for name in ["keyctl", "add_key", "kexec_load", "userfaultfd", "io_uring_setup", "init_module", "swapon"]
    {
        assert_eq!(verdict(&admin, X86_64, name, &[]), EPERM, "{name}");
    }
}

#[test]
fn filters_are_small() {
    for (profile, most) in [(own(&[]), 320), (docker(), 280), (podman(), 450)] {
        let length = filter(&profile, X86_64).instructions.len();
        assert!(length <= most, "{length} instructions, more than {most}");
    }
}

#[test]
fn names_that_no_architecture_has_are_reported_and_skipped() {
    let rules = vec![rule(Action::Allow, &["read", "no_such_call", "riscv_hwprobe", "semop", "recv"], &[])];
    let skipped = filter(&profile(Action::Errno, rules), X86_64).skipped;
    assert_eq!(skipped, ["no_such_call", "riscv_hwprobe"]);
}
