//! `process.rlimits`: names to the kernel's numbers (the same on x86-64 and aarch64).

use std::collections::BTreeSet;

use crate::Operation;
use crate::document::Process;
use crate::issue::Issues;

const NAMES: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

fn number(kind: &str) -> Option<u32> {
    let name = kind.strip_prefix("RLIMIT_")?;
    NAMES.iter().position(|known| *known == name).and_then(|index| u32::try_from(index).ok())
}

pub(crate) fn check(process: &Process, issues: &mut Issues) {
    let mut seen = BTreeSet::new();
    for (index, limit) in process.rlimits.iter().flatten().enumerate() {
        if number(&limit.kind).is_none() {
            issues.add(
                format!("process.rlimits[{index}].type"),
                format!("unknown resource limit {:?}", limit.kind),
            );
        } else if !seen.insert(&limit.kind) {
            issues.add(format!("process.rlimits[{index}]"), format!("duplicate limit {}", limit.kind));
        } else if limit.soft > limit.hard {
            issues.add(
                format!("process.rlimits[{index}].soft"),
                format!("{} is above the hard limit {}", limit.soft, limit.hard),
            );
        }
    }
}

pub(crate) fn operations(process: &Process) -> Vec<Operation> {
    let limits = process.rlimits.iter().flatten();
    limits
        .filter_map(|limit| {
            Some(Operation::Rlimit {
                resource: number(&limit.kind)?,
                name: limit.kind.clone(),
                soft: limit.soft,
                hard: limit.hard,
            })
        })
        .collect()
}
