//! `linux.seccomp` as the specification has it. Unknown members are ignored, as everywhere in config.json; a null is
//! the same as a missing member.

use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::{Action, Architecture};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub default_action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The native architecture is always added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architectures: Option<Vec<Architecture>>,
    /// Missing: `SPEC_ALLOW`, as in the peers. An empty list: no flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Flag>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener_metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscalls: Option<Vec<Rule>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub names: Vec<String>,
    pub action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<Argument>>,
}

/// A condition on one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// 0 to 5.
    pub index: u32,
    /// The operand; the mask of `MASKED_EQ`. Unsigned: -1 of an `int` is 4294967295 or 18446744073709551615.
    pub value: u64,
    /// The wanted value of `MASKED_EQ`; missing means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_two: Option<u64>,
    pub op: Operator,
}

named! {
    /// How an argument is compared with a value: unsigned, 64 bits.
    Operator {
        NotEqual = "SCMP_CMP_NE",
        Less = "SCMP_CMP_LT",
        LessOrEqual = "SCMP_CMP_LE",
        Equal = "SCMP_CMP_EQ",
        GreaterOrEqual = "SCMP_CMP_GE",
        Greater = "SCMP_CMP_GT",
        /// `argument & value == valueTwo & value`.
        MaskedEqual = "SCMP_CMP_MASKED_EQ",
    }
}

named! {
    /// Flags of the specification; seccomp(2) has more, which the compiler adds.
    Flag {
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        Log = "SECCOMP_FILTER_FLAG_LOG",
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

impl Profile {
    pub fn rules(&self) -> &[Rule] {
        self.syscalls.as_deref().unwrap_or_default()
    }

    /// Whether any call is notified to a listener.
    pub fn notifies(&self) -> bool {
        self.default_action == Action::Notify || self.rules().iter().any(|rule| rule.action == Action::Notify)
    }
}

impl Rule {
    pub fn args(&self) -> &[Argument] {
        self.args.as_deref().unwrap_or_default()
    }
}
