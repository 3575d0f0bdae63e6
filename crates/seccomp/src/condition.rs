//! A condition on a 64-bit argument as comparisons of 32-bit words: classic BPF has no others.

use crate::{Architecture, Argument, Operator};

/// One half of an argument, by its offset in `struct seccomp_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Word {
    pub offset: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Compare {
    Equal(u32),
    Greater(u32),
    GreaterOrEqual(u32),
    /// `word & mask == wanted`; `wanted` has no bit outside of the mask.
    Masked {
        mask: u32,
        wanted: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Test {
    pub word: Word,
    pub compare: Compare,
}

/// Where to go from a test: to another test of the same list, further ahead, or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    Test(usize),
    Match,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    pub test: Test,
    pub on_true: Next,
    pub on_false: Next,
}

/// What a condition comes to on an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    Never,
    /// From the first step on.
    Steps(Vec<Step>),
}

impl Condition {
    pub fn new(argument: &Argument, architecture: Architecture) -> Self {
        let negated = |condition: Self| condition.negated();
        let value = argument.value;
        let words = Words::of(argument.index, architecture);
        match argument.op {
            Operator::Equal => words.masked(u64::MAX, value),
            Operator::NotEqual => negated(words.masked(u64::MAX, value)),
            Operator::MaskedEqual => words.masked(value, argument.value_two.unwrap_or(0)),
            Operator::GreaterOrEqual => words.at_least(value),
            Operator::Less => negated(words.at_least(value)),
            Operator::Greater => words.above(value),
            Operator::LessOrEqual => negated(words.above(value)),
        }
    }

    fn negated(self) -> Self {
        let flip = |next| match next {
            Next::Match => Next::Fail,
            Next::Fail => Next::Match,
            Next::Test(index) => Next::Test(index),
        };
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Steps(steps) => Self::Steps(
                steps
                    .into_iter()
                    .map(|Step { test, on_true, on_false }| Step {
                        test,
                        on_true: flip(on_true),
                        on_false: flip(on_false),
                    })
                    .collect(),
            ),
        }
    }
}

/// The words of an argument. On a 32-bit architecture the upper one is not looked at: it is zero, or (32-bit MIPS on a
/// 64-bit kernel) the extended sign.
struct Words {
    high: Option<Word>,
    low: Word,
}

impl Words {
    fn of(index: u32, architecture: Architecture) -> Self {
        let start = 16 + 8 * index;
        let (low, high) =
            if architecture.is_little_endian() { (start, start + 4) } else { (start + 4, start) };
        let high = architecture.has_wide_arguments().then_some(Word { offset: high });
        Self { high, low: Word { offset: low } }
    }

    fn masked(&self, mask: u64, wanted: u64) -> Condition {
        let wanted = wanted & mask;
        let mut parts = Vec::new();
        for (word, mask, wanted) in
            [(self.high, upper(mask), upper(wanted)), (Some(self.low), lower(mask), lower(wanted))]
        {
            match (word, mask) {
                (None, _) if wanted != 0 => return Condition::Never,
                (None, _) | (_, 0) => {}
                (Some(word), u32::MAX) => parts.push(Test { word, compare: Compare::Equal(wanted) }),
                (Some(word), mask) => parts.push(Test { word, compare: Compare::Masked { mask, wanted } }),
            }
        }
        if parts.is_empty() {
            return Condition::Always;
        }
        let last = parts.len() - 1;
        let on_true = |index| if index == last { Next::Match } else { Next::Test(index + 1) };
        Condition::Steps(
            parts
                .into_iter()
                .enumerate()
                .map(|(index, test)| Step { test, on_true: on_true(index), on_false: Next::Fail })
                .collect(),
        )
    }

    fn above(&self, value: u64) -> Condition {
        if value == u64::MAX { Condition::Never } else { self.at_least(value + 1) }
    }

    fn at_least(&self, value: u64) -> Condition {
        if value == 0 {
            return Condition::Always;
        }
        let (upper, lower) = (upper(value), lower(value));
        let low = Step {
            test: Test { word: self.low, compare: Compare::GreaterOrEqual(lower) },
            on_true: Next::Match,
            on_false: Next::Fail,
        };
        let Some(high) = self.high else {
            return if upper > 0 { Condition::Never } else { Condition::Steps(vec![low]) };
        };
        if lower == 0 {
            let test = Test { word: high, compare: Compare::GreaterOrEqual(upper) };
            return Condition::Steps(vec![Step { test, on_true: Next::Match, on_false: Next::Fail }]);
        }
        let equal = Step {
            test: Test { word: high, compare: Compare::Equal(upper) },
            on_true: Next::Test(1),
            on_false: Next::Fail,
        };
        if upper == u32::MAX {
            return Condition::Steps(vec![equal, low]);
        }
        let greater = Step {
            test: Test { word: high, compare: Compare::Greater(upper) },
            on_true: Next::Match,
            on_false: Next::Test(1),
        };
        Condition::Steps(vec![greater, Step { on_true: Next::Test(2), ..equal }, low])
    }
}

#[allow(clippy::cast_possible_truncation)]
fn lower(value: u64) -> u32 {
    value as u32
}

fn upper(value: u64) -> u32 {
    lower(value >> 32)
}
