//! What a valid configuration may ask for and this version does not do yet. Nothing is ignored in silence: a property that
//! would have an effect is refused by its path. Empty objects and nulls have no effect.

use serde_json::Value;

use crate::config::Config;
use crate::issue::{Issues, SpecError};
use crate::mount_options;

const LATER: &str = "is not implemented yet";

pub(crate) fn check(config: &Config) -> Result<(), SpecError> {
    let mut issues = Issues::default();
    let linux = &config.linux;
    let values = [
        ("linux.intelRdt", &linux.intel_rdt),
        ("linux.memoryPolicy", &linux.memory_policy),
        ("linux.netDevices", &linux.net_devices),
    ];
    for (path, _) in values.iter().filter(|(_, value)| has_effect(value.as_ref())) {
        issues.add(*path, LATER);
    }
    if has_effect(linux.seccomp.as_ref()) {
        issues.add("linux.seccomp", format!("{LATER}; leave it out to run without a system call filter"));
    }
    if let Some(process) = &config.document.process {
        for (path, value) in
            [("process.ioPriority", &process.io_priority), ("process.scheduler", &process.scheduler)]
        {
            if has_effect(value.as_ref()) {
                issues.add(path, LATER);
            }
        }
    }
    for (index, mount) in config.document.mounts.iter().flatten().enumerate() {
        let options = mount.options.as_deref().unwrap_or_default();
        if has_effect(mount.uid_mappings.as_ref())
            || has_effect(mount.gid_mappings.as_ref())
            || options.iter().any(|o| mount_options::is_idmap(o))
        {
            issues.add(format!("mounts[{index}]"), format!("an id-mapped mount {LATER}"));
        }
    }
    if let Some(resources) = &linux.resources {
        let block_io =
            resources.block_io().as_ref().is_some_and(|io| *io != oci_spec::runtime::LinuxBlockIo::default());
        let network = resources.network().as_ref().is_some_and(|n| {
            n.class_id().is_some() || n.priorities().as_ref().is_some_and(|p| !p.is_empty())
        });
        let present = [
            ("blockIO", block_io),
            ("hugepageLimits", resources.hugepage_limits().as_ref().is_some_and(|list| !list.is_empty())),
            ("network", network),
            ("rdma", resources.rdma().as_ref().is_some_and(|map| !map.is_empty())),
            ("unified", resources.unified().as_ref().is_some_and(|map| !map.is_empty())),
        ];
        for (name, _) in present.iter().filter(|(_, present)| *present) {
            issues.add(format!("linux.resources.{name}"), LATER);
        }
    }
    issues.finish(true)
}

/// `null`, `{}` and `[]` ask for nothing.
fn has_effect(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    }
}
