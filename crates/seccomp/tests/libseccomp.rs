//! Filters against those of libseccomp, where it is installed: the same verdict for every number and every class of
//! arguments, but for the differences that docs/internal/seccomp.md lists.
#![allow(clippy::print_stdout)] // the reason of a skipped test

mod support;

use caisson_seccomp::{Action, Architecture, Instruction, Profile, Rule, Target, compile, names};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use support::definition::value;
use support::interpreter::{Call, run};
use support::libseccomp::filters;
use support::random::{numbers, profile, values};
use support::shapes;

use Architecture::{X32, X86, X86_64};

/// Later calls are unknown to the libseccomp of stable distributions.
const NEWEST: u32 = 448;
const ENOSYS: u32 = 0x0005_0000 + 38;

/// A profile for the architectures of x86, with names that libseccomp knows as well.
fn comparable(profile: Profile) -> Profile {
    let is_old = |name: &String| {
        [X86_64, X86]
            .iter()
            .all(|architecture| names::number(*architecture, name).is_none_or(|number| number <= NEWEST))
            // Unknown to it, and so far down in the numbers that its filter of x86 begins with it and loads nothing.
            && name != "uretprobe"
            && name != "cacheflush"
    };
    let syscalls = profile.syscalls.map(|rules| {
        let rules = rules.into_iter().map(|rule| {
            let names = rule.names.into_iter().filter(is_old).collect();
            Rule { names, ..rule }
        });
        rules.filter(|rule| !rule.names.is_empty()).collect()
    });
    Profile { architectures: Some(vec![X86_64, X86, X32]), syscalls, ..profile }
}

/// A call for which two filters return different values.
#[derive(Debug)]
#[allow(dead_code)] // for the message of a failure
struct Difference {
    architecture: Architecture,
    number: u32,
    arguments: [u64; 6],
    ours: u32,
    theirs: u32,
}

/// Every difference, but for calls newer than the profile: libseccomp itself has no ENOSYS for them, runc adds it.
fn differences(
    profile: &Profile,
    theirs: &[Instruction],
    numbers: impl Fn(Architecture) -> Vec<u32>,
) -> Vec<Difference> {
    let ours = compile(profile, &Target { native: X86_64, listener: true }).expect("the filter");
    let default = value(profile.default_action, profile.default_errno_ret);
    let values = values(profile);
    let mut found = Vec::new();
    for architecture in [X86_64, X86, X32] {
        let named = profile.rules().iter().flat_map(|rule| &rule.names);
        let newest = named.filter_map(|name| names::number(architecture, name)).max().unwrap_or(u32::MAX);
        for number in numbers(architecture) {
            let is_x32 = architecture == X32;
            if is_x32 != (number & 0x4000_0000 != 0) {
                continue;
            }
            if architecture != X86_64 && has_wide_operand(profile, architecture, number) {
                continue;
            }
            // Each value once as every argument, and beside each of the others.
            for (index, first) in values.iter().enumerate() {
                let second = values[(index * 7 + 3) % values.len()];
                for arguments in [[*first; 6], [*first, second, *first, second, *first, second]] {
                    // libseccomp compares half of an argument where pointers have 32 bits.
                    let arguments = arguments
                        .map(|value| if architecture == X86_64 { value } else { value & 0xffff_ffff });
                    let call = Call {
                        number,
                        architecture: architecture.audit(),
                        arguments,
                        is_little_endian: true,
                    };
                    let (ours, theirs) = (run(&ours.instructions, &call).0, run(theirs, &call).0);
                    let is_newer = number > newest && ours == ENOSYS && theirs == default;
                    if ours != theirs && !is_newer {
                        found.push(Difference { architecture, number, arguments, ours, theirs });
                    }
                }
            }
        }
    }
    found
}

/// libseccomp cuts operands for 32-bit architectures, so that 0x100000004 is 4.
fn has_wide_operand(profile: &Profile, architecture: Architecture, number: u32) -> bool {
    let is_call = |name: &String| names::number(architecture, name) == Some(number);
    let rules = profile.rules().iter().filter(|rule| rule.names.iter().any(is_call));
    let operands =
        rules.flat_map(Rule::args).flat_map(|argument| [argument.value, argument.value_two.unwrap_or(0)]);
    operands.max().is_some_and(|operand| operand > u64::from(u32::MAX))
}

fn all_numbers(architecture: Architecture) -> Vec<u32> {
    let start = if architecture == X32 { 0x4000_0000 } else { 0 };
    (start..start + 600).chain([0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, u32::MAX]).collect()
}

#[test]
fn profiles_of_engines_have_the_verdicts_of_libseccomp() {
    let profiles: Vec<(&str, Profile)> =
        shapes::all().into_iter().map(|(name, profile)| (name, comparable(profile))).collect();
    let requests: Vec<Profile> = profiles.iter().map(|(_, profile)| profile.clone()).collect();
    let Some(filters) = filters(&requests) else {
        return println!("SKIPPED: libseccomp or Python is missing");
    };
    for ((name, profile), theirs) in profiles.iter().zip(filters) {
        let theirs = theirs.expect("the filter of libseccomp");
        let found = differences(profile, &theirs, all_numbers);
        // The family of a socket is in memory: libseccomp allows all where the profile allows some.
        let by_design = |difference: &&Difference| {
            difference.architecture == X86 && difference.number == 102 && difference.arguments[0] == 1
        };
        let (_, other): (Vec<_>, Vec<_>) = found.iter().partition(by_design);
        assert!(other.is_empty(), "{name}: {:#x?}", &other[..other.len().min(5)]);
    }
}

/// Calls that libseccomp adds to the filter of x86 without their conditions. Where they come first in it, the filter
/// does not load the number at all.
const MULTIPLEXED: [&str; 6] = ["ipc", "semop", "shmat", "socket", "socketcall", "socketpair"];

/// Random profiles; each call has a rule at most.
fn one_rule_each(count: usize) -> Vec<Profile> {
    random(count)
        .into_iter()
        .map(|profile| {
            let mut seen = Vec::new();
            let rules = profile.syscalls.iter().flatten().filter_map(|rule| {
                let mut names = rule.names.clone();
                names.retain(|name| !seen.contains(name) && !MULTIPLEXED.contains(&name.as_str()));
                names.dedup();
                seen.extend(names.iter().cloned());
                let mut args = rule.args.clone().unwrap_or_default();
                // Two conditions on one argument make two rules.
                args.sort_by_key(|argument| argument.index);
                args.dedup_by_key(|argument| argument.index);
                (!names.is_empty()).then(|| Rule { names, args: Some(args), ..rule.clone() })
            });
            let syscalls = Some(rules.collect());
            Profile { syscalls, ..profile }
        })
        .collect()
}

fn random(count: usize) -> Vec<Profile> {
    let mut runner = TestRunner::deterministic();
    let mut profiles = Vec::new();
    while profiles.len() < count {
        let profile = comparable(profile().new_tree(&mut runner).expect("a profile").current());
        if profile.default_action != Action::Notify
            && compile(&profile, &Target { native: X86_64, listener: true }).is_ok()
        {
            profiles.push(profile);
        }
    }
    profiles
}

#[test]
fn one_rule_for_a_call_has_the_verdict_of_libseccomp() {
    let profiles = one_rule_each(400);
    let Some(filters) = filters(&profiles) else {
        return println!("SKIPPED: libseccomp or Python is missing");
    };
    let mut compared = 0;
    for (profile, theirs) in profiles.iter().zip(filters) {
        let Ok(theirs) = theirs else { continue };
        compared += 1;
        let found = differences(profile, &theirs, |architecture| numbers(profile, architecture));
        assert!(
            found.is_empty(),
            "{:#x?} with {}",
            &found[..found.len().min(2)],
            serde_json::to_string_pretty(profile).unwrap_or_default()
        );
    }
    assert!(compared > 300, "libseccomp compiled {compared} of {}", profiles.len());
}

#[test]
fn several_rules_for_a_call_mostly_have_the_verdict_of_libseccomp() {
    let profiles = random(300);
    let Some(filters) = filters(&profiles) else {
        return println!("SKIPPED: libseccomp or Python is missing");
    };
    let (mut equal, mut different) = (0, 0);
    for (profile, theirs) in profiles.iter().zip(filters) {
        let Ok(theirs) = theirs else { continue };
        let found = differences(profile, &theirs, |architecture| numbers(profile, architecture));
        let native = found.iter().find(|difference| difference.architecture == X86_64);
        // Its trees lose orderings of one argument, so that the differences have an ordering or a multiplexer in them.
        if let Some(Difference { number, .. }) = native {
            let is_call = |name: &String| names::number(X86_64, name) == Some(*number);
            let rules = profile.rules().iter().filter(|rule| rule.names.iter().any(is_call));
            let conditions = rules.flat_map(Rule::args).count();
            assert!(conditions > 0, "{native:#x?} with {}", serde_json::to_string_pretty(profile).unwrap());
            different += 1;
        } else {
            equal += 1;
        }
    }
    assert!(equal > 9 * different, "{equal} profiles with its verdicts, {different} with others");
}
