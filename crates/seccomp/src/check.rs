//! Rules of the specification and of seccomp(2) that a profile must obey whatever the architecture. The rules of
//! ts/spec/rule/runtime/seccomp.ts are the same; a test compares them.

use std::collections::HashMap;

use crate::action::{MAX_ERRNO, MAX_TRACE};
use crate::{Action, Argument, Error, Flag, Profile};

/// `struct seccomp_data` has six arguments.
const ARGUMENTS: u32 = 6;

/// All that is wrong with a profile. `listener`: notifications are taken although the profile has no `listenerPath`.
pub fn check(profile: &Profile, listener: bool) -> Vec<Error> {
    let mut errors = Vec::new();
    errno("defaultErrnoRet", profile.default_action, profile.default_errno_ret, &mut errors);
    for (index, rule) in profile.rules().iter().enumerate() {
        let at = format!("syscalls[{index}]");
        errno(&format!("{at}.errnoRet"), rule.action, rule.errno_ret, &mut errors);
        if rule.names.is_empty() {
            errors.push(Error::new(format!("{at}.names"), "must be a list with at least one name"));
        }
        if let Some(place) = rule.names.iter().position(String::is_empty) {
            errors.push(Error::new(
                format!("{at}.names[{place}]"),
                "invalid value \"\": expected the name of a system call",
            ));
        }
        for (place, argument) in rule.args().iter().enumerate() {
            if argument.index >= ARGUMENTS {
                errors.push(Error::new(
                    format!("{at}.args[{place}].index"),
                    format!("invalid value {}: expected 0 to 5, as a call has six arguments", argument.index),
                ));
            }
        }
    }
    contradictions(profile, &mut errors);
    notification(profile, listener, &mut errors);
    errors
}

fn errno(at: &str, action: Action, value: Option<u32>, errors: &mut Vec<Error>) {
    let Some(value) = value else { return };
    let (what, most) =
        if action == Action::Trace { ("data for the tracer", MAX_TRACE) } else { ("an errno", MAX_ERRNO) };
    if !action.takes_errno() {
        errors.push(Error::new(at, format!("is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for {action}")));
    } else if value > most {
        errors.push(Error::new(at, format!("invalid value {value}: expected {what}, at most {most}")));
    }
}

/// Two rules with the same conditions and different actions: the peers fail on them as well. An unconditional rule of
/// the call decides without them.
fn contradictions(profile: &Profile, errors: &mut Vec<Error>) {
    let default = profile.default_action.value(profile.default_errno_ret);
    let mut unconditional = Vec::new();
    let mut seen: HashMap<(&str, &[Argument]), (usize, u32)> = HashMap::new();
    let rules = || {
        let rules = profile.rules().iter().enumerate();
        rules
            .map(|(index, rule)| (index, rule, rule.action.value(rule.errno_ret)))
            .filter(|(_, _, value)| *value != default)
    };
    for (_, rule, _) in rules().filter(|(_, rule, _)| rule.args().is_empty()) {
        unconditional.extend(rule.names.iter().map(String::as_str));
    }
    unconditional.sort_unstable();
    for (index, rule, value) in rules().filter(|(_, rule, _)| !rule.args().is_empty()) {
        let names = rule.names.iter().map(String::as_str);
        for name in names.filter(|name| unconditional.binary_search(name).is_err()) {
            let (first, action) = *seen.entry((name, rule.args())).or_insert((index, value));
            if action != value {
                errors.push(Error::new(
                    format!("syscalls[{index}].action"),
                    format!("contradicts syscalls[{first}], which has the same conditions on {name}"),
                ));
                break;
            }
        }
    }
}

/// seccomp(2): flags and properties that need a listener.
fn notification(profile: &Profile, listener: bool, errors: &mut Vec<Error>) {
    let has_path = profile.listener_path.as_deref().is_some_and(|path| !path.is_empty());
    let notifies = profile.notifies();
    if !has_path && notifies && !listener {
        errors.push(Error::new("listenerPath", "is needed for SCMP_ACT_NOTIFY"));
    }
    let metadata = profile.listener_metadata.as_deref().is_some_and(|text| !text.is_empty());
    if !has_path && metadata && !listener {
        errors.push(Error::new("listenerMetadata", "needs listenerPath"));
    }
    let flags = profile.flags.as_deref().unwrap_or_default();
    if let Some(index) = flags.iter().position(|flag| *flag == Flag::WaitKillableRecv && !notifies) {
        errors.push(Error::new(
            format!("flags[{index}]"),
            format!("{} needs a rule with SCMP_ACT_NOTIFY", Flag::WaitKillableRecv),
        ));
    }
}
