//! A balanced search by number: neighbours with one outcome are one range, found in as many comparisons as the number
//! of ranges has bits.

use std::collections::HashMap;
use std::rc::Rc;

use crate::assembler::{Assembler, Label, opcode};
use crate::chain;
use crate::decision::{Decision, Outcome};

/// The end of a search.
struct Leaf<'a> {
    start: u32,
    outcome: &'a Outcome,
    /// One number within the range that has another outcome: one comparison finds it, where two ranges more take two.
    exception: Option<(u32, &'a Outcome)>,
}

/// Code for decisions that was emitted before: calls share it.
#[derive(Default)]
pub(crate) struct Shared(HashMap<Rc<Decision>, Label>);

/// Emits the search with the number in the accumulator; the label is its first instruction.
pub(crate) fn emit(assembler: &mut Assembler, shared: &mut Shared, ranges: &[(u32, Outcome)]) -> Label {
    search(assembler, shared, &leaves(ranges))
}

fn leaves(ranges: &[(u32, Outcome)]) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::with_capacity(ranges.len());
    let mut rest = ranges;
    while let Some((first, more)) = rest.split_first() {
        let (start, outcome) = (first.0, &first.1);
        let exception = match more {
            [(number, exception), (after, same), ..] if *after == number + 1 && same == outcome => {
                rest = &more[2..];
                Some((*number, exception))
            }
            _ => {
                rest = more;
                None
            }
        };
        leaves.push(Leaf { start, outcome, exception });
    }
    leaves
}

fn search(assembler: &mut Assembler, shared: &mut Shared, leaves: &[Leaf]) -> Label {
    if let [leaf] = leaves {
        return end(assembler, shared, leaf);
    }
    let (lower, upper) = leaves.split_at(leaves.len() / 2);
    let above = search(assembler, shared, upper);
    let below = search(assembler, shared, lower);
    assembler.branch(opcode::GREATER_OR_EQUAL, upper[0].start, above, below)
}

fn end(assembler: &mut Assembler, shared: &mut Shared, leaf: &Leaf) -> Label {
    let usual = outcome(assembler, shared, leaf.outcome);
    match leaf.exception {
        None => usual,
        Some((number, exception)) => {
            let exception = outcome(assembler, shared, exception);
            assembler.branch(opcode::EQUAL, number, exception, usual)
        }
    }
}

fn outcome(assembler: &mut Assembler, shared: &mut Shared, outcome: &Outcome) -> Label {
    match outcome {
        Outcome::Return(value) => assembler.return_value(*value),
        Outcome::Decide(decision) => {
            if let Some(label) = shared.0.get(decision) {
                return *label;
            }
            let label = chain::emit(assembler, decision);
            shared.0.insert(Rc::clone(decision), label);
            label
        }
    }
}
