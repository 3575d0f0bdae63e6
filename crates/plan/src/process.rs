//! `process` → the operations that make a container's first process its program, in two parts: those below the mounts,
//! and those that become the user and the program.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::config::Config;
use crate::document;
use crate::host::Host;
use crate::issue::SpecError;
use crate::{Filter, Operation, Program, Terminal, User, UserNamespace, capabilities, devices, seccomp};

/// What is still written below the root when everything is mounted.
pub(crate) fn below_root(config: &Config) -> Vec<Operation> {
    let Some(process) = &config.document.process else { return vec![Operation::SealMounts] };
    let size = |size: document::ConsoleSize| {
        Some((u16::try_from(size.width).ok()?, u16::try_from(size.height).ok()?))
    };
    let terminal = Terminal {
        size: process.console_size.and_then(size).filter(|size| *size != (0, 0)),
        console: devices::has_own_dev(config),
    };
    let console = config.terminal().then_some(Operation::Console(terminal));
    let directory = Operation::MakeWorkingDirectory { inside: process.cwd.clone() };
    console.into_iter().chain([directory, Operation::SealMounts]).collect()
}

/// The last part of set-up. Its order is capabilities(7)'s: what needs a right comes before the right is given up.
pub(crate) fn become_user(
    config: &Config,
    host: &Host,
    user: Option<&UserNamespace>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Operation>, SpecError> {
    let Some(process) = &config.document.process else { return Ok(vec![Operation::CloseDescriptors]) };
    let identity = process.user.clone().unwrap_or_default();
    let additional_gids = identity.additional_gids.unwrap_or_default();
    // user_namespaces(7): an unprivileged gid map needs setgroups denied.
    let setgroups = host.rights.sets_groups && !user.is_some_and(|user| denies_setgroups(user, host));
    if !setgroups && !additional_gids.is_empty() {
        return Err(SpecError::invalid(
            "process.user.additionalGids",
            "cannot be set where a user namespace denies setgroups(2), as where an ordinary user maps only its own group: map \
             ranges with newgidmap, or leave them out",
        ));
    }
    let (uid, gid) = (identity.uid, identity.gid);
    let mut capabilities =
        capabilities::masks(process.capabilities.as_ref(), host.kernel_capabilities, warnings);
    capabilities.until_exec = seccomp::capabilities_until_exec(config);
    let Program { args, env, .. } = program(process, None);
    let home = env.iter().find_map(|entry| entry.strip_prefix("HOME="));
    let mut operations = vec![Operation::NewSession, Operation::Streams { uid }];
    if home.is_none_or(str::is_empty) {
        operations.push(Operation::Home { uid });
    }
    operations.extend([
        Operation::EnterDirectory { inside: process.cwd.clone(), last: false },
        Operation::BoundingSet(capabilities.bounding),
        Operation::User(User { uid, gid, additional_gids, setgroups }),
        Operation::Capabilities(capabilities),
        Operation::EnterDirectory { inside: process.cwd.clone(), last: true },
        Operation::CloseDescriptors,
        Operation::FindProgram {
            name: args.into_iter().next().unwrap_or_default(),
            path: env.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).map(str::to_owned),
        },
    ]);
    Ok(operations)
}

/// What execve(2) is given.
pub(crate) fn program(process: &document::Process, filter: Option<Filter>) -> Program {
    Program {
        args: process.args.clone().unwrap_or_default(),
        env: last_of_each_name(process.env.clone().unwrap_or_default()),
        filter,
    }
}

pub(crate) fn denies_setgroups(user: &UserNamespace, host: &Host) -> bool {
    !host.rights.maps_ids
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
