//! `linux.memoryPolicy`: set_mempolicy(2).

use caisson_flags::{IdList, MemoryPolicy, MemoryPolicyFlags, MemoryPolicyMode, Named};

use crate::config::Config;
use crate::issue::Issues;
use crate::{Operation, document, named};

const AT: &str = "linux.memoryPolicy";

pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let Some(policy) = &config.linux.memory_policy else { return };
    let mode = named::check(&format!("{AT}.mode"), policy.mode.as_deref(), issues);
    let flags: MemoryPolicyFlags =
        named::check_flags(&format!("{AT}.flags"), policy.flags.as_deref(), issues);
    let nodes = match policy.nodes().map(str::parse::<IdList>).transpose() {
        Ok(nodes) => nodes,
        Err(error) => return issues.add(format!("{AT}.nodes"), error.to_string()),
    };
    let Some(mode) = mode else { return };
    match (mode, nodes) {
        (MemoryPolicyMode::Default | MemoryPolicyMode::Local, Some(_)) => {
            issues.add(format!("{AT}.nodes"), format!("{} takes none", mode.name()));
        }
        (
            MemoryPolicyMode::Bind
            | MemoryPolicyMode::Interleave
            | MemoryPolicyMode::WeightedInterleave
            | MemoryPolicyMode::PreferredMany,
            None,
        ) => issues.add(format!("{AT}.nodes"), format!("{} needs at least one", mode.name())),
        _ => {}
    }
    let balances = [MemoryPolicyMode::Bind, MemoryPolicyMode::PreferredMany].contains(&mode);
    if flags.contains(MemoryPolicyFlags::NUMA_BALANCING) && !balances {
        issues.add(format!("{AT}.flags"), "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY");
    }
    if flags.contains(MemoryPolicyFlags::STATIC_NODES | MemoryPolicyFlags::RELATIVE_NODES) {
        issues.add(format!("{AT}.flags"), "MPOL_F_STATIC_NODES excludes MPOL_F_RELATIVE_NODES");
    }
}

impl document::MemoryPolicy {
    fn nodes(&self) -> Option<&str> {
        self.nodes.as_deref().filter(|nodes| !nodes.is_empty())
    }
}

pub(crate) fn operation(config: &Config) -> Option<Operation> {
    let policy = config.linux.memory_policy.as_ref()?;
    Some(Operation::MemoryPolicy(MemoryPolicy {
        mode: MemoryPolicyMode::from_name(policy.mode.as_deref()?)?,
        flags: named::flags(policy.flags.as_deref()),
        nodes: policy.nodes().and_then(|nodes| nodes.parse().ok()).unwrap_or_default(),
    }))
}
