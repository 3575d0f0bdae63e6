//! What this build can do, as the features document of the specification lists it. Nothing that is refused is listed.

use caisson_flags::{MemoryPolicyFlags, MemoryPolicyMode, Named};
use caisson_seccomp::{Action, Architecture, Flag, Operator};
use serde_json::{Value, json};

use crate::document::HOOKS;
use crate::{NamespaceKind, capabilities, mount_options};

/// What profiles may name; flags are known and supported alike.
fn seccomp() -> Value {
    json!({
        "enabled": Architecture::NATIVE.is_some(),
        "actions": Action::ALL.iter().map(|action| action.name()).collect::<Vec<_>>(),
        "operators": Operator::ALL.iter().map(|operator| operator.name()).collect::<Vec<_>>(),
        "archs": Architecture::ALL.iter().map(|architecture| architecture.name()).collect::<Vec<_>>(),
        "knownFlags": Flag::ALL.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
        "supportedFlags": Flag::ALL.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
    })
}

/// The features object; the caller adds annotations of its own.
pub fn features() -> Value {
    let mut namespaces: Vec<_> = NamespaceKind::ALL.iter().map(|kind| kind.name()).collect();
    namespaces.sort_unstable();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.3.0",
        "hooks": HOOKS,
        "mountOptions": mount_options::names(),
        "linux": {
            "namespaces": namespaces,
            "capabilities": capabilities::names(),
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": true },
            "seccomp": seccomp(),
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
            "memoryPolicy": { "modes": sorted::<MemoryPolicyMode>(), "flags": sorted::<MemoryPolicyFlags>() },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true },
        },
    })
}

fn sorted<T: Named>() -> Vec<&'static str> {
    let mut names = T::names();
    names.sort_unstable();
    names
}
