//! Random profiles, and calls that are close to what a profile mentions.

use caisson_seccomp::{Action, Architecture, Argument, Flag, Operator, Profile, Rule, names};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Few names, so that rules meet: old and new calls, multiplexed ones, private and unknown ones.
const NAMES: [&str; 16] = [
    "read",
    "personality",
    "clone",
    "socket",
    "socketcall",
    "socketpair",
    "ipc",
    "semop",
    "shmat",
    "mseal",
    "setns",
    "clone3",
    "arch_prctl",
    "cacheflush",
    "no_such_call",
    "exit_group",
];

/// Values at the edges of words, where the comparisons of halves go wrong.
fn operand() -> impl Strategy<Value = u64> {
    let edges = [
        0,
        1,
        5,
        0x7fff_ffff,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0005,
        0x2_0000_0005,
        u64::MAX,
        u64::MAX - 1,
    ];
    prop_oneof![
        select(edges.to_vec()),
        0..8_u64,
        any::<u64>(),
        (0..3_u64, 0..3_u64).prop_map(|(high, low)| high << 32 | low)
    ]
}

fn argument() -> impl Strategy<Value = Argument> {
    (
        prop_oneof![4 => 0..2_u32, 1 => 0..6_u32],
        operand(),
        option::of(operand()),
        select(Operator::ALL.to_vec()),
    )
        .prop_map(|(index, value, value_two, op)| Argument { index, value, value_two, op })
}

fn action() -> impl Strategy<Value = (Action, Option<u32>)> {
    (select(Action::ALL.to_vec()), option::of(0..200_u32))
        .prop_map(|(action, errno)| (action, errno.filter(|_| action.takes_errno())))
}

fn rule() -> impl Strategy<Value = Rule> {
    (vec(select(NAMES.to_vec()), 1..4), action(), option::of(vec(argument(), 0..4))).prop_map(
        |(names, (action, errno_ret), args)| Rule {
            names: names.into_iter().map(str::to_owned).collect(),
            action,
            errno_ret,
            args,
        },
    )
}

pub fn profile() -> impl Strategy<Value = Profile> {
    let flags = option::of(vec(select(vec![Flag::Log, Flag::Tsync, Flag::SpecAllow]), 0..3));
    let architectures = option::of(vec(select(Architecture::ALL.to_vec()), 0..6));
    (action(), architectures, flags, vec(rule(), 0..10)).prop_map(
        |((default_action, default_errno_ret), architectures, flags, syscalls)| Profile {
            default_action,
            default_errno_ret,
            architectures,
            flags,
            listener_path: Some("/run/agent.sock".to_owned()),
            listener_metadata: None,
            syscalls: Some(syscalls),
        },
    )
}

/// Numbers that the profile mentions on an architecture, and their neighbours.
pub fn numbers(profile: &Profile, architecture: Architecture) -> Vec<u32> {
    let mut numbers = vec![0, 1, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, u32::MAX - 1, u32::MAX];
    for name in
        profile.rules().iter().flat_map(|rule| &rule.names).map(String::as_str).chain(["socketcall", "ipc"])
    {
        if let Some(number) = names::number(architecture, name) {
            numbers.extend([number.saturating_sub(1), number, number + 1]);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Values of one argument at which a condition of the profile can change, and some of a multiplexer.
pub fn values(profile: &Profile) -> Vec<u64> {
    let mut values = vec![0, 1, 2, 8, 21, 0x1_0001, 0x1_0000_0001, u64::MAX];
    for argument in profile.rules().iter().flat_map(Rule::args) {
        for value in [argument.value, argument.value_two.unwrap_or(0)] {
            values.extend([
                value,
                value.wrapping_add(1),
                value.wrapping_sub(1),
                value ^ 1 << 32,
                value & 0xffff_ffff,
            ]);
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}
