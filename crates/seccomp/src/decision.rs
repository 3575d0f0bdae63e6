//! What a filter returns for a call: one value, or a value for each of several conditions.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::condition::{Condition, Next, Step};
use crate::{Architecture, Argument, Operator};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Return(u32),
    Decide(Rc<Decision>),
}

/// The first alternative that matches decides.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decision {
    pub alternatives: Vec<Alternative>,
    pub otherwise: u32,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alternative {
    pub steps: Vec<Step>,
    pub value: u32,
}

/// Conditions that must all hold, and the value that is returned then.
pub(crate) struct Conditional<'a> {
    pub arguments: &'a [Argument],
    pub value: u32,
}

/// The outcome for a call that only has conditional rules. Where several match, the order of libseccomp decides, not
/// that of the profile: see `rank`.
pub(crate) fn decide(mut rules: Vec<Conditional>, otherwise: u32, architecture: Architecture) -> Outcome {
    rules.sort_by_cached_key(|rule| {
        let mut ranks: Vec<_> = rule.arguments.iter().map(rank).collect();
        ranks.sort_unstable_by_key(|(Reverse(index), ..)| *index);
        ranks
    });
    let mut decision = Decision { alternatives: Vec::with_capacity(rules.len()), otherwise };
    for Conditional { arguments, value } in rules {
        match conjunction(arguments, architecture) {
            Condition::Never => {}
            Condition::Always => {
                decision.otherwise = value;
                break;
            }
            Condition::Steps(steps) => decision.alternatives.push(Alternative { steps, value }),
        }
    }
    while decision.alternatives.pop_if(|last| last.value == decision.otherwise).is_some() {}
    if decision.alternatives.is_empty() {
        Outcome::Return(decision.otherwise)
    } else {
        Outcome::Decide(Rc::new(decision))
    }
}

/// COMPAT(libseccomp): conditions on later arguments come first, equality before orderings, then the operand that
/// leaves fewer values; fewer conditions before more.
fn rank(argument: &Argument) -> (Reverse<u32>, u8, u64) {
    let Argument { index, value, value_two, op } = *argument;
    let (class, operand) = match op {
        Operator::Equal | Operator::NotEqual => (0, u64::MAX - value),
        Operator::MaskedEqual => (0, u64::MAX - (value_two.unwrap_or(0) & value)),
        Operator::Less | Operator::LessOrEqual => (1, value),
        Operator::Greater | Operator::GreaterOrEqual => (2, u64::MAX - value),
    };
    (Reverse(index), class, operand)
}

/// One list of steps for conditions that must all hold.
fn conjunction(arguments: &[Argument], architecture: Architecture) -> Condition {
    let mut steps: Vec<Step> = Vec::new();
    for argument in arguments {
        match Condition::new(argument, architecture) {
            Condition::Never => return Condition::Never,
            Condition::Always => {}
            Condition::Steps(more) => {
                let start = steps.len();
                let joined = |next| if next == Next::Match { Next::Test(start) } else { next };
                let shifted = |next| match next {
                    Next::Test(index) => Next::Test(start + index),
                    other => other,
                };
                for step in &mut steps {
                    step.on_true = joined(step.on_true);
                    step.on_false = joined(step.on_false);
                }
                steps.extend(more.into_iter().map(|step| Step {
                    on_true: shifted(step.on_true),
                    on_false: shifted(step.on_false),
                    ..step
                }));
            }
        }
    }
    if steps.is_empty() { Condition::Always } else { Condition::Steps(steps) }
}
