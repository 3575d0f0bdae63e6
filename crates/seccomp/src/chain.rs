//! Code for a call whose arguments decide. A test whose result is known on the way to it is not made again, and a word
//! that is in the accumulator is not loaded again.

use crate::assembler::{Assembler, Label, opcode};
use crate::condition::{Compare, Next, Step, Test, Word};
use crate::decision::Decision;

/// A test of one of the alternatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    alternative: usize,
    step: usize,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Test(Place),
    Return(u32),
}

/// Results of tests that hold wherever a path comes from.
type Facts = Vec<(Test, bool)>;

/// Both ways out of a test that can be reached.
struct Node {
    place: Place,
    test: Test,
    yes: Target,
    no: Target,
    /// Some path comes here without the word in the accumulator.
    loads: bool,
}

/// Emits the code; the label is its first instruction.
pub(crate) fn emit(assembler: &mut Assembler, decision: &Decision) -> Label {
    let (nodes, start) = graph(decision);
    let Target::Test(first) = start else { return target(assembler, start, None, &[]) };
    // The last test first: jumps only lead forward, from an alternative to itself or a later one.
    let mut emitted: Vec<(Place, Emitted)> = Vec::with_capacity(nodes.len());
    for node in nodes.iter().rev() {
        let keeps = (!is_clobbering(node.test.compare)).then_some(node.test.word);
        let yes = target(assembler, node.yes, keeps, &emitted);
        let no = target(assembler, node.no, keeps, &emitted);
        // Both ways lead to one place where later rules return what this one does.
        let loaded = if yes == no { yes } else { compare(assembler, node.test.compare, yes, no) };
        let cold =
            if node.loads && yes != no { assembler.load(node.test.word.offset, loaded) } else { loaded };
        emitted.push((node.place, Emitted { word: node.test.word, loaded, cold }));
    }
    target(assembler, Target::Test(first), None, &emitted)
}

/// Where a test is entered: with its word in the accumulator, or without.
struct Emitted {
    word: Word,
    loaded: Label,
    cold: Label,
}

fn target(assembler: &mut Assembler, to: Target, word: Option<Word>, emitted: &[(Place, Emitted)]) -> Label {
    match to {
        Target::Return(value) => assembler.return_value(value),
        Target::Test(place) => {
            let index = emitted.iter().position(|(other, _)| *other == place).unwrap_or_default();
            let Emitted { word: wanted, loaded, cold } = &emitted[index].1;
            if word == Some(*wanted) { *loaded } else { *cold }
        }
    }
}

fn compare(assembler: &mut Assembler, compare: Compare, yes: Label, no: Label) -> Label {
    match compare {
        Compare::Equal(k) => assembler.branch(opcode::EQUAL, k, yes, no),
        Compare::Greater(k) => assembler.branch(opcode::GREATER, k, yes, no),
        Compare::GreaterOrEqual(k) => assembler.branch(opcode::GREATER_OR_EQUAL, k, yes, no),
        Compare::Masked { mask, wanted: 0 } => assembler.branch(opcode::ANY_BIT, mask, no, yes),
        Compare::Masked { mask, wanted } if mask.is_power_of_two() && wanted == mask => {
            assembler.branch(opcode::ANY_BIT, mask, yes, no)
        }
        Compare::Masked { mask, wanted } => {
            let equal = assembler.branch(opcode::EQUAL, wanted, yes, no);
            assembler.and(mask, equal)
        }
    }
}

/// Whether the accumulator has another value after the test.
fn is_clobbering(compare: Compare) -> bool {
    matches!(compare, Compare::Masked { mask, wanted } if wanted != 0 && !(mask.is_power_of_two() && wanted == mask))
}

/// Every test that can be reached, in the order of the places, and where to begin.
fn graph(decision: &Decision) -> (Vec<Node>, Target) {
    let facts: Vec<Vec<Facts>> =
        decision.alternatives.iter().map(|alternative| local_facts(&alternative.steps)).collect();
    let start = enter(decision, 0, &Vec::new());
    let mut nodes: Vec<Node> = Vec::new();
    let mut waiting: Vec<(Place, bool)> = Vec::new();
    if let Target::Test(place) = start {
        waiting.push((place, true));
    }
    while let Some((place, loads)) = waiting.pop() {
        if let Some(node) = nodes.iter_mut().find(|node| node.place == place) {
            node.loads |= loads;
            continue;
        }
        let Step { test, on_true, on_false } = decision.alternatives[place.alternative].steps[place.step];
        let known = &facts[place.alternative][place.step];
        let way = |result: bool, next: Next| {
            let mut facts = known.clone();
            facts.push((test, result));
            follow(decision, place.alternative, next, &facts)
        };
        let (yes, no) = (way(true, on_true), way(false, on_false));
        for to in [yes, no] {
            if let Target::Test(next) = to {
                let word = decision.alternatives[next.alternative].steps[next.step].test.word;
                waiting.push((next, is_clobbering(test.compare) || word != test.word));
            }
        }
        nodes.push(Node { place, test, yes, no, loads });
    }
    nodes.sort_unstable_by_key(|node| node.place);
    (nodes, start)
}

/// What is known at each step of an alternative, whatever was known before it.
fn local_facts(steps: &[Step]) -> Vec<Facts> {
    let mut facts: Vec<Option<Facts>> = vec![None; steps.len()];
    if let Some(first) = facts.first_mut() {
        *first = Some(Vec::new());
    }
    for (index, step) in steps.iter().enumerate() {
        let here = facts[index].clone().unwrap_or_default();
        for (result, next) in [(true, step.on_true), (false, step.on_false)] {
            let Next::Test(to) = next else { continue };
            let mut there = here.clone();
            there.push((step.test, result));
            match &mut facts[to] {
                Some(known) => known.retain(|fact| there.contains(fact)),
                unknown => *unknown = Some(there),
            }
        }
    }
    facts.into_iter().map(Option::unwrap_or_default).collect()
}

/// From the first test of an alternative, or the value where there is no further alternative.
fn enter(decision: &Decision, alternative: usize, facts: &Facts) -> Target {
    if alternative == decision.alternatives.len() {
        Target::Return(decision.otherwise)
    } else {
        follow(decision, alternative, Next::Test(0), facts)
    }
}

/// Past all tests whose result is known.
fn follow(decision: &Decision, alternative: usize, mut next: Next, facts: &Facts) -> Target {
    let Some(current) = decision.alternatives.get(alternative) else {
        return Target::Return(decision.otherwise);
    };
    loop {
        match next {
            Next::Match => return Target::Return(current.value),
            Next::Fail => return enter(decision, alternative + 1, facts),
            Next::Test(step) => {
                let Step { test, on_true, on_false } = current.steps[step];
                next = match known(test, facts) {
                    Some(true) => on_true,
                    Some(false) => on_false,
                    None => return Target::Test(Place { alternative, step }),
                }
            }
        }
    }
}

/// The result of a test that follows from others: from the same one, or from the value of its word.
fn known(test: Test, facts: &Facts) -> Option<bool> {
    facts.iter().find_map(|(fact, result)| match fact.compare {
        _ if *fact == test => Some(*result),
        Compare::Equal(value) if *result && fact.word == test.word => Some(match test.compare {
            Compare::Equal(k) => value == k,
            Compare::Greater(k) => value > k,
            Compare::GreaterOrEqual(k) => value >= k,
            Compare::Masked { mask, wanted } => value & mask == wanted,
        }),
        _ => None,
    })
}
