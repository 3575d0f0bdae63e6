//! What a valid configuration may ask for and no kernel does. Nothing is ignored in silence: it is refused by its path.

use crate::config::Config;
use crate::issue::{Issues, SpecError};

pub(crate) fn check(config: &Config) -> Result<(), SpecError> {
    let mut issues = Issues::default();
    let scheduler = config.document.process.as_ref().and_then(|process| process.scheduler.as_ref());
    if scheduler.is_some_and(|scheduler| scheduler.policy.as_deref() == Some("SCHED_ISO")) {
        issues.add("process.scheduler.policy", "Linux reserves SCHED_ISO and does not implement it");
    }
    issues.finish(true)
}
