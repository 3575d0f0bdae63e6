//! `process.execCPUAffinity`: the CPUs of processes that are executed in a running container. The first process is not
//! concerned.

use caisson_flags::IdList;

use crate::document::Process;
use crate::issue::Issues;

/// config.md, "Linux process", `execCPUAffinity`. `None`: the affinity is not changed then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecCpuAffinity {
    /// While the runtime's process is in its own cgroup still.
    pub initial: Option<IdList>,
    /// Once it is in the container's cgroup.
    pub last: Option<IdList>,
}

pub(crate) fn check(process: &Process, issues: &mut Issues) {
    for (name, list) in lists(process) {
        if let Some(Err(error)) = list.map(str::parse::<IdList>) {
            issues.add(format!("process.execCPUAffinity.{name}"), error.to_string());
        }
    }
}

pub(crate) fn of(process: &Process) -> ExecCpuAffinity {
    let [initial, last] = lists(process).map(|(_, list)| list.and_then(|list| list.parse().ok()));
    ExecCpuAffinity { initial, last }
}

/// An empty list is as good as none.
fn lists(process: &Process) -> [(&'static str, Option<&str>); 2] {
    let affinity = process.exec_cpu_affinity.as_ref();
    let initial = affinity.and_then(|affinity| affinity.initial.as_deref());
    let last = affinity.and_then(|affinity| affinity.last.as_deref());
    [("initial", initial), ("final", last)].map(|(name, list)| (name, list.filter(|list| !list.is_empty())))
}
