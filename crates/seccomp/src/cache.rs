//! Filters of this process by the profiles they came from. A process that starts many containers has few profiles; a
//! lookup compares the whole profile, so that no two share a filter by accident.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::{Error, Filter, Profile, Target, compile};

/// More profiles than a process has without making them up: the cache then starts again.
const MOST: usize = 64;

type Filters = HashMap<(Profile, Target), Arc<Filter>>;

static FILTERS: LazyLock<Mutex<Filters>> = LazyLock::new(Mutex::default);

/// The filter of a profile, compiled on first use.
///
/// # Errors As [`compile`] has them; they are not kept.
pub fn compile_once(profile: &Profile, target: &Target) -> Result<Arc<Filter>, Error> {
    let key = (profile.clone(), *target);
    if let Some(filter) = FILTERS.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(Arc::clone(filter));
    }
    // Without the lock: others compile meanwhile.
    let filter = Arc::new(compile(profile, target)?);
    let mut filters = FILTERS.lock().unwrap_or_else(PoisonError::into_inner);
    if filters.len() >= MOST {
        filters.clear();
    }
    filters.insert(key, Arc::clone(&filter));
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use crate::default::{Context, default_profile};

    #[test]
    fn a_profile_is_compiled_once_and_another_is_not_taken_for_it() {
        let native = Architecture::X86_64;
        let profile = default_profile(&Context { native, programs: native, capabilities: &[] });
        let target = Target { native, listener: false };
        let first = compile_once(&profile, &target).unwrap();
        assert!(Arc::ptr_eq(&first, &compile_once(&profile, &target).unwrap()));
        // An errno of one rule: a cache of crun takes such profiles for the same.
        let mut other = profile.clone();
        let rule = other.syscalls.iter_mut().flatten().find(|rule| rule.errno_ret == Some(38)).unwrap();
        rule.errno_ret = Some(95);
        let second = compile_once(&other, &target).unwrap();
        assert_ne!(first.instructions, second.instructions);
    }
}
