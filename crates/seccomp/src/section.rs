//! The rules of a profile for one architecture: an outcome for every number.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::architecture::X32_BIT;
use crate::decision::{Conditional, Outcome, decide};
use crate::multiplex::SubCall;
use crate::names::Call;
use crate::{Architecture, Argument, Profile, Rule};

/// From this number to the next entry's, one outcome. The first entry is number 0.
pub(crate) type Ranges = Vec<(u32, Outcome)>;

/// `SECCOMP_RET_ERRNO` with ENOSYS.
const NOT_IMPLEMENTED: u32 = 0x0005_0000 | 38;
/// Calls that are private to 32-bit ARM have numbers far above all others (`__ARM_NR_BASE`).
const ARM_PRIVATE: u32 = 0x000f_0000;

/// A profile's rules with their names looked up, for all architectures.
pub(crate) struct Rules<'a> {
    default: u32,
    /// COMPAT(runc): calls that are newer than the profile return ENOSYS, for which C libraries have a fallback.
    hides_newer: bool,
    named: Vec<Named<'a>>,
}

struct Named<'a> {
    name: &'a str,
    call: Option<Call>,
    sub_call: Option<SubCall>,
    arguments: &'a [Argument],
    value: u32,
}

impl<'a> Rules<'a> {
    pub fn new(profile: &'a Profile) -> Self {
        let named = |rule: &'a Rule| {
            rule.names.iter().map(|name| Named {
                name,
                call: Call::find(name),
                sub_call: SubCall::of(name),
                arguments: rule.args(),
                value: rule.action.value(rule.errno_ret),
            })
        };
        Self {
            default: profile.default_action.value(profile.default_errno_ret),
            hides_newer: !matches!(profile.default_action, Action::Allow | Action::Log | Action::Trace),
            named: profile.rules().iter().flat_map(named).collect(),
        }
    }

    /// Names that none of the architectures has.
    pub fn skipped(&self, architectures: &[Architecture]) -> Vec<String> {
        let is_skipped = |named: &&Named| {
            let call = |call: Call| architectures.iter().any(|one| call.number(*one).is_some());
            !named.call.is_some_and(call) && named.multiplexed(architectures).next().is_none()
        };
        self.named.iter().filter(is_skipped).map(|named| named.name.to_owned()).collect()
    }

    /// The outcome of every number that belongs to the architecture.
    pub fn ranges(&self, architecture: Architecture) -> Ranges {
        let mut ranges = Vec::new();
        let mut end = first_number(architecture);
        for (number, outcome) in self.outcomes(architecture) {
            if number > end {
                push(&mut ranges, end, Outcome::Return(self.default));
            }
            push(&mut ranges, number, outcome);
            end = number + 1;
        }
        push(&mut ranges, end, Outcome::Return(self.default));
        self.newer(architecture, ranges)
    }

    /// Outcomes of the numbers that the profile names, in their order.
    fn outcomes(&self, architecture: Architecture) -> BTreeMap<u32, Outcome> {
        let mut rules: BTreeMap<u32, Vec<&Named>> = BTreeMap::new();
        // COMPAT(libseccomp): a rule whose action is the default one is left out, it does not hide others.
        for named in self.named.iter().filter(|named| named.value != self.default) {
            if let Some(number) = named.call.and_then(|call| call.number(architecture)) {
                rules.entry(number).or_default().push(named);
            }
        }
        let sub_calls = self.sub_calls(architecture);
        for number in sub_calls.keys() {
            rules.entry(*number).or_default();
        }
        let none = Vec::new();
        rules
            .into_iter()
            .map(|(number, rules)| {
                let derived = sub_calls.get(&number).unwrap_or(&none);
                (number, self.outcome(&rules, derived, architecture))
            })
            .collect()
    }

    /// The first unconditional rule of a call decides; without one, the conditions do.
    fn outcome(&self, rules: &[&Named], derived: &[(Argument, u32)], architecture: Architecture) -> Outcome {
        if let Some(rule) = rules.iter().find(|rule| rule.arguments.is_empty()) {
            return Outcome::Return(rule.value);
        }
        let mut conditional = Vec::new();
        for Named { arguments, value, .. } in rules {
            // COMPAT(libseccomp): it cannot have two conditions on one argument in a rule. The peers then make a rule
            // of each condition, so that any of them suffices.
            if has_duplicate_index(arguments) {
                conditional
                    .extend(arguments.chunks(1).map(|arguments| Conditional { arguments, value: *value }));
            } else {
                conditional.push(Conditional { arguments, value: *value });
            }
        }
        conditional.extend(derived.iter().map(|(argument, value)| Conditional {
            arguments: std::slice::from_ref(argument),
            value: *value,
        }));
        decide(conditional, self.default, architecture)
    }

    /// Conditions on multiplexers, by the multiplexer's number, for the calls that the profile names.
    ///
    /// SECURITY: conditions on a socket call's arguments cannot be checked here. An unconditional rule holds for the
    /// sub-call as well; of conditional ones and the default, the strictest action does. libseccomp drops the
    /// conditions and so allows what the profile denies.
    fn sub_calls(&self, architecture: Architecture) -> BTreeMap<u32, Vec<(Argument, u32)>> {
        let mut rules: BTreeMap<SubCall, Vec<&Named>> = BTreeMap::new();
        for named in self.named.iter().filter(|named| named.value != self.default) {
            for sub_call in named.multiplexed(&[architecture]) {
                rules.entry(sub_call).or_default().push(named);
            }
        }
        let mut conditions: BTreeMap<u32, Vec<(Argument, u32)>> = BTreeMap::new();
        for (sub_call, rules) in rules {
            let value = match rules.iter().find(|rule| rule.arguments.is_empty()) {
                Some(rule) => rule.value,
                None => rules
                    .iter()
                    .map(|rule| rule.value)
                    .chain([self.default])
                    .reduce(stricter)
                    .unwrap_or(self.default),
            };
            let multiplexer = Call::find(sub_call.multiplexer).and_then(|call| call.number(architecture));
            if let Some(number) = multiplexer.filter(|_| value != self.default) {
                conditions.entry(number).or_default().push((sub_call.condition(), value));
            }
        }
        conditions
    }

    fn newer(&self, architecture: Architecture, mut ranges: Ranges) -> Ranges {
        let numbers = self.named.iter().filter_map(|named| named.call?.number(architecture));
        let is_private = |number: &u32| architecture == Architecture::Arm && *number >= ARM_PRIVATE;
        let Some(newest) = numbers.filter(|number| !is_private(number)).max().filter(|_| self.hides_newer)
        else {
            return ranges;
        };
        for (start, outcome) in &mut ranges {
            if *start > newest && *outcome == Outcome::Return(self.default) {
                *outcome = Outcome::Return(NOT_IMPLEMENTED);
            }
        }
        let default = Outcome::Return(self.default);
        let at = ranges.partition_point(|(start, _)| *start <= newest);
        if ranges[at - 1].1 == default && newest < u32::MAX {
            ranges.insert(at, (newest + 1, Outcome::Return(NOT_IMPLEMENTED)));
        }
        // The kernel of s390 turns an unknown number of its large-number interface into 0.
        if matches!(architecture, Architecture::S390 | Architecture::S390x) && ranges[0].1 == default {
            ranges[0].1 = Outcome::Return(NOT_IMPLEMENTED);
            if ranges.get(1).is_none_or(|(start, _)| *start > 1) {
                ranges.insert(1, (1, default));
            }
        }
        ranges.dedup_by(|after, before| after.1 == before.1);
        ranges
    }
}

impl Named<'_> {
    /// The sub-call that the name represents, where an architecture has its multiplexer.
    fn multiplexed(&self, architectures: &[Architecture]) -> impl Iterator<Item = SubCall> {
        self.sub_call.into_iter().filter(|sub_call| {
            let multiplexer = Call::find(sub_call.multiplexer);
            architectures.iter().any(|one| multiplexer.and_then(|call| call.number(*one)).is_some())
        })
    }
}

/// Numbers below x32's bit belong to x86-64.
const fn first_number(architecture: Architecture) -> u32 {
    if matches!(architecture, Architecture::X32) { X32_BIT } else { 0 }
}

fn push(ranges: &mut Ranges, start: u32, outcome: Outcome) {
    if ranges.last().is_none_or(|(_, last)| *last != outcome) {
        ranges.push((start, outcome));
    }
}

fn has_duplicate_index(arguments: &[Argument]) -> bool {
    let mut seen = 0_u32;
    arguments.iter().any(|argument| {
        let bit = 1 << argument.index;
        let is_duplicate = seen & bit != 0;
        seen |= bit;
        is_duplicate
    })
}

/// The value that the kernel prefers among those of several filters: it compares the action as a signed number.
fn stricter(one: u32, other: u32) -> u32 {
    let strictness = |value: u32| (value & 0xffff_0000).cast_signed();
    if strictness(other) < strictness(one) { other } else { one }
}
