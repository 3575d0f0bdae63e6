//! What a valid configuration may ask for and this version does not do yet. Nothing is ignored in silence: a property
//! that would have an effect is refused by its path. Empty objects and nulls have no effect.

use serde_json::Value;

use crate::config::Config;
use crate::issue::{Issues, SpecError};

const LATER: &str = "is not implemented yet";

pub(crate) fn check(config: &Config) -> Result<(), SpecError> {
    let mut issues = Issues::default();
    let linux = &config.linux;
    if has_effect(linux.intel_rdt.as_ref()) {
        issues.add("linux.intelRdt", LATER);
    }
    let scheduler = config.document.process.as_ref().and_then(|process| process.scheduler.as_ref());
    if scheduler.is_some_and(|scheduler| scheduler.policy.as_deref() == Some("SCHED_ISO")) {
        issues.add("process.scheduler.policy", "Linux reserves SCHED_ISO and does not implement it");
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
