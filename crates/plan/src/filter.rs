//! The system call filter of a program, as data.

use caisson_flags::SeccompFlags;
use caisson_seccomp::Instruction;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::disassembly;

/// Loaded as the last call before execve(2), so that a profile has to allow nothing but execve itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub flags: SeccompFlags,
    /// Calls are notified; the process that asks for the start brings a connection to send the listener to.
    pub listener: Option<Listener>,
    /// Names of the profile that no architecture of the filter knows.
    pub skipped: Vec<String>,
    pub instructions: Instructions,
}

/// Who answers notified calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `linux.seccomp.listenerPath`; `None`: the process that makes the container.
    pub path: Option<String>,
    /// `ContainerProcessState` of the specification as JSON text, open at its end: pid and state follow.
    pub message_prefix: String,
}

/// Classic BPF: for readers as text, for the helper as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions(pub Vec<Instruction>);

impl Serialize for Instructions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_seq(disassembly::lines(&self.0))
        } else {
            self.0.serialize(serializer)
        }
    }
}

/// The protocol uses numbers; the text in JSON is for readers.
impl<'de> Deserialize<'de> for Instructions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self)
    }
}
