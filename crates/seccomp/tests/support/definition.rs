//! The verdict that a profile defines for a call, found by reading the profile and nothing else: the reference that
//! filters are compared with. It is slow, and shares no code with the compiler but the table of names.

use caisson_seccomp::{Action, Architecture, Argument, Operator, Profile, Rule, names};

const KILL_THREAD: u32 = 0;
const ENOSYS: u32 = 0x0005_0000 + 38;

/// Sub-calls of linux/net.h and linux/ipc.h that the tests use.
const SUB_CALLS: [(&str, &str, u64); 6] = [
    ("socket", "socketcall", 1),
    ("socketpair", "socketcall", 8),
    ("connect", "socketcall", 3),
    ("semop", "ipc", 1),
    ("shmat", "ipc", 21),
    ("msgget", "ipc", 13),
];

pub fn value(action: Action, errno: Option<u32>) -> u32 {
    match action {
        Action::Kill | Action::KillThread => KILL_THREAD,
        Action::KillProcess => 0x8000_0000,
        Action::Trap => 0x0003_0000,
        Action::Errno => 0x0005_0000 + errno.unwrap_or(1),
        Action::Notify => 0x7fc0_0000,
        Action::Trace => 0x7ff0_0000 + errno.unwrap_or(1),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}

/// `architecture`: the one that the caller uses; `listed`: all that the profile covers.
pub fn verdict(
    profile: &Profile,
    listed: &[Architecture],
    architecture: Architecture,
    number: u32,
    arguments: [u64; 6],
) -> u32 {
    let default = value(profile.default_action, profile.default_errno_ret);
    let is_x32 = |number: u32| number & 0x4000_0000 != 0;
    let mut architecture = architecture;
    if architecture.audit() == Architecture::X86_64.audit() {
        architecture = if is_x32(number) && listed.contains(&Architecture::X32) {
            Architecture::X32
        } else if is_x32(number) && number != u32::MAX {
            return KILL_THREAD;
        } else {
            Architecture::X86_64
        };
    }
    if !listed.contains(&architecture) {
        return KILL_THREAD;
    }
    let rules: Vec<&Rule> = profile.rules().iter().collect();
    let active: Vec<&Rule> =
        rules.iter().copied().filter(|rule| value(rule.action, rule.errno_ret) != default).collect();

    // The call itself.
    let names_it =
        |rule: &&Rule| rule.names.iter().any(|name| names::number(architecture, name) == Some(number));
    let own: Vec<&Rule> = active.iter().copied().filter(names_it).collect();
    if let Some(rule) = own.iter().find(|rule| rule.args().is_empty()) {
        return value(rule.action, rule.errno_ret);
    }
    let mut candidates: Vec<(Vec<Argument>, u32)> = Vec::new();
    for rule in own {
        let outcome = value(rule.action, rule.errno_ret);
        let mut indexes: Vec<u32> = rule.args().iter().map(|argument| argument.index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        if indexes.len() < rule.args().len() {
            candidates.extend(rule.args().iter().map(|argument| (vec![*argument], outcome)));
        } else {
            let mut arguments = rule.args().to_vec();
            arguments.sort_by_key(|argument| argument.index);
            candidates.push((arguments, outcome));
        }
    }
    // The same call through a multiplexer, which hides its arguments.
    for (name, multiplexer, code) in SUB_CALLS {
        if names::number(architecture, multiplexer) != Some(number) {
            continue;
        }
        let named: Vec<&Rule> =
            active.iter().copied().filter(|rule| rule.names.iter().any(|other| other == name)).collect();
        let outcome = match named.iter().find(|rule| rule.args().is_empty()) {
            Some(rule) => value(rule.action, rule.errno_ret),
            None => named
                .iter()
                .map(|rule| value(rule.action, rule.errno_ret))
                .chain([default])
                .min_by_key(|value| (value & 0xffff_0000) as i32)
                .unwrap_or(default),
        };
        let mask = if multiplexer == "ipc" { 0xffff } else { 0xffff_ffff };
        if outcome != default {
            let op = Operator::MaskedEqual;
            candidates.push((vec![Argument { index: 0, value: mask, value_two: Some(code), op }], outcome));
        }
    }
    candidates.sort_by(|(one, _), (other, _)| {
        let keys = |arguments: &[Argument]| arguments.iter().map(precedence).collect::<Vec<_>>();
        keys(one).cmp(&keys(other))
    });
    let is_narrow = architecture.audit() & 0x8000_0000 == 0;
    for (conditions, outcome) in candidates {
        let holds = |condition: &Argument| {
            let argument = arguments[condition.index as usize];
            matches(condition, if is_narrow { argument & 0xffff_ffff } else { argument })
        };
        if conditions.iter().all(holds) {
            return outcome;
        }
    }

    // Nothing says anything about the call: it is newer than the profile, or the default applies.
    let stub = !matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace);
    let named = rules.iter().flat_map(|rule| &rule.names);
    let is_private = |number: &u32| architecture == Architecture::Arm && *number >= 0xf_0000;
    let newest =
        named.filter_map(|name| names::number(architecture, name)).filter(|number| !is_private(number)).max();
    let is_named = active.iter().any(names_it);
    let is_s390 = matches!(architecture, Architecture::S390 | Architecture::S390x);
    match newest {
        Some(newest) if stub && (number > newest && !is_named || is_s390 && number == 0) => ENOSYS,
        _ => default,
    }
}

fn precedence(argument: &Argument) -> (u32, u32, u64) {
    let Argument { index, value, value_two, op } = *argument;
    let index = 5 - index;
    match op {
        Operator::Equal | Operator::NotEqual => (index, 0, !value),
        Operator::MaskedEqual => (index, 0, !(value_two.unwrap_or(0) & value)),
        Operator::Less | Operator::LessOrEqual => (index, 1, value),
        Operator::Greater | Operator::GreaterOrEqual => (index, 2, !value),
    }
}

pub fn matches(condition: &Argument, argument: u64) -> bool {
    let value = condition.value;
    match condition.op {
        Operator::NotEqual => argument != value,
        Operator::Less => argument < value,
        Operator::LessOrEqual => argument <= value,
        Operator::Equal => argument == value,
        Operator::GreaterOrEqual => argument >= value,
        Operator::Greater => argument > value,
        Operator::MaskedEqual => argument & value == condition.value_two.unwrap_or(0) & value,
    }
}
