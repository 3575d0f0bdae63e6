//! `process` → the last part of the plan.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::config::Config;
use crate::host::{Host, Options};
use crate::issue::SpecError;
use crate::{Process, Terminal, UserNamespace, capabilities, devices};

pub(crate) fn process(
    config: &Config,
    options: &Options,
    host: &Host,
    user: Option<&UserNamespace>,
    warnings: &mut Vec<String>,
) -> Result<Option<Process>, SpecError> {
    let Some(process) = &config.document.process else { return Ok(None) };
    let identity = process.user.clone().unwrap_or_default();
    let additional_gids = identity.additional_gids.unwrap_or_default();
    // user_namespaces(7): an unprivileged gid map needs setgroups denied.
    let setgroups = !user.is_some_and(|user| denies_setgroups(user, host));
    if !setgroups && !additional_gids.is_empty() {
        return Err(SpecError::invalid(
            "process.user.additionalGids",
            "cannot be set where an ordinary user maps only its own group: map ranges with newgidmap, or leave them out",
        ));
    }
    let env = last_of_each_name(process.env.clone().unwrap_or_default());
    let home = env.iter().find_map(|entry| entry.strip_prefix("HOME="));
    Ok(Some(Process {
        args: process.args.clone().unwrap_or_default(),
        home_from_passwd: home.is_none_or(str::is_empty),
        env,
        cwd: process.cwd.clone(),
        uid: identity.uid,
        gid: identity.gid,
        additional_gids,
        setgroups,
        capabilities: capabilities::masks(process.capabilities.as_ref(), host.kernel_capabilities, warnings),
        terminal: config.terminal().then(|| Terminal {
            size: process
                .console_size
                .and_then(|size| Some((u16::try_from(size.width).ok()?, u16::try_from(size.height).ok()?))),
            console: devices::has_own_dev(config),
        }),
        preserve_fds: options.preserve_fds,
    }))
}

pub(crate) fn denies_setgroups(user: &UserNamespace, host: &Host) -> bool {
    host.euid != 0
        && matches!(user.gid_mappings.as_slice(), [only] if only.size == 1 && only.host_id == host.egid)
}

/// COMPAT(runc): of two entries with one name the later one counts, at the place of the first.
fn last_of_each_name(env: Vec<String>) -> Vec<String> {
    let mut places = HashMap::with_capacity(env.len());
    let mut kept: Vec<String> = Vec::with_capacity(env.len());
    for entry in env {
        let name = entry.split('=').next().unwrap_or_default().to_owned();
        match places.entry(name) {
            Entry::Occupied(place) => kept[*place.get()] = entry,
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push(entry);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    #[test]
    fn many_variables_take_no_longer_each() {
        // Compared with one another this does not end.
        let env: Vec<String> = (0..1_000_000).map(|number| format!("V{number}={number}")).collect();
        assert_eq!(super::last_of_each_name(env.clone()), env);
    }

    #[test]
    fn a_later_variable_wins() {
        let env = ["A=1", "B=2", "A=3"].map(str::to_owned).to_vec();
        assert_eq!(super::last_of_each_name(env), ["A=3", "B=2"]);
    }
}
