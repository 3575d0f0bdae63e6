//! The rules of a profile for one architecture: an outcome for every number.

use crate::action::Action;
use crate::architecture::X32_BIT;
use crate::decision::{Conditional, Outcome, decide};
use crate::multiplex::{MULTIPLEXERS, SubCall};
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

/// A rule for a multiplexer that follows from one for a sub-call: its number, the condition, and the value.
type Derived = (u32, Argument, u32);

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
        let has = |call: Call| architectures.iter().any(|one| call.number(*one).is_some());
        let multiplexers = MULTIPLEXERS.map(|name| Call::find(name).is_some_and(has));
        let is_skipped = |named: &&Named| {
            !named.call.is_some_and(has)
                && !named.sub_call.is_some_and(|sub_call| multiplexers[sub_call.multiplexer])
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
    fn outcomes(&self, architecture: Architecture) -> impl Iterator<Item = (u32, Outcome)> {
        let number = |named: &'_ Named<'a>| named.call?.number(architecture);
        let mut entries: Vec<(u32, usize)> =
            self.active().filter_map(|(index, named)| number(named).map(|number| (number, index))).collect();
        let sub_calls = self.sub_calls(architecture);
        // A multiplexer without rules of its own.
        entries.extend(sub_calls.iter().map(|(number, ..)| (*number, usize::MAX)));
        entries.sort_unstable();
        let mut outcomes = Vec::with_capacity(entries.len());
        for entries in entries.chunk_by(|(one, _), (other, _)| one == other) {
            let number = entries[0].0;
            let rules = entries.iter().filter_map(|(_, index)| self.named.get(*index));
            let derived = sub_calls.iter().filter(|(multiplexer, ..)| *multiplexer == number);
            outcomes.push((number, self.outcome(rules, derived, architecture)));
        }
        outcomes.into_iter()
    }

    /// COMPAT(libseccomp): a rule whose action is the default one is left out, it does not hide others.
    fn active(&self) -> impl Iterator<Item = (usize, &Named<'a>)> {
        self.named.iter().enumerate().filter(|(_, named)| named.value != self.default)
    }

    /// The first unconditional rule of a call decides; without one, the conditions do.
    fn outcome<'r>(
        &self,
        rules: impl Iterator<Item = &'r Named<'r>> + Clone,
        derived: impl Iterator<Item = &'r Derived>,
        architecture: Architecture,
    ) -> Outcome {
        if let Some(rule) = rules.clone().find(|rule| rule.arguments.is_empty()) {
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
        conditional.extend(derived.map(|(_, argument, value)| Conditional {
            arguments: std::slice::from_ref(argument),
            value: *value,
        }));
        decide(conditional, self.default, architecture)
    }

    /// Conditions on multiplexers for the calls that the profile names.
    ///
    /// SECURITY: conditions on a socket call's arguments cannot be checked here. An unconditional rule holds for the
    /// sub-call as well; of conditional ones and the default, the strictest action does. libseccomp drops the
    /// conditions and so allows what the profile denies.
    fn sub_calls(&self, architecture: Architecture) -> Vec<Derived> {
        let multiplexers = MULTIPLEXERS.map(|name| Call::find(name)?.number(architecture));
        if multiplexers == [None; 2] {
            return Vec::new();
        }
        let mut rules: Vec<(SubCall, usize)> =
            self.active().filter_map(|(index, named)| Some((named.sub_call?, index))).collect();
        rules.sort_unstable();
        let mut derived = Vec::new();
        for rules in rules.chunk_by(|(one, _), (other, _)| one == other) {
            let sub_call = rules[0].0;
            let rules = rules.iter().map(|(_, index)| &self.named[*index]);
            let value = match rules.clone().find(|rule| rule.arguments.is_empty()) {
                Some(rule) => rule.value,
                None => rules
                    .map(|rule| rule.value)
                    .chain([self.default])
                    .reduce(stricter)
                    .unwrap_or(self.default),
            };
            if let Some(number) = multiplexers[sub_call.multiplexer].filter(|_| value != self.default) {
                derived.push((number, sub_call.condition(), value));
            }
        }
        derived
    }

    /// Numbers above all that the profile names, on the architecture, are not implemented.
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
