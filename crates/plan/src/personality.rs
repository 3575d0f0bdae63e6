//! `linux.personality`: personality(2).

use caisson_flags::{Named, PersonalityDomain};

use crate::config::Config;
use crate::issue::Issues;
use crate::{Operation, named};

const AT: &str = "linux.personality";

/// Flags are refused: config-linux.md, "Personality", supports none, and none that are asked for may be ignored.
pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let Some(personality) = &config.linux.personality else { return };
    named::check::<PersonalityDomain>(&format!("{AT}.domain"), personality.domain.as_deref(), issues);
    if personality.flags.as_ref().is_some_and(|flags| !flags.is_empty()) {
        issues.add(format!("{AT}.flags"), "the specification supports no flags");
    }
}

pub(crate) fn operation(config: &Config) -> Option<Operation> {
    let domain = config.linux.personality.as_ref()?.domain.as_deref()?;
    PersonalityDomain::from_name(domain).map(Operation::Personality)
}
