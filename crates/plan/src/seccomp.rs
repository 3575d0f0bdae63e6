//! `linux.seccomp` → the filter of the program.

use caisson_flags::SeccompFlags;
use caisson_seccomp::{Architecture, Error, Profile, Target, check, compile_once};

use crate::config::Config;
use crate::filter::{Filter, Instructions, Listener};
use crate::host::{Host, Options};
use crate::issue::{Issues, SpecError};

/// CAP_SYS_ADMIN, by number.
const SYS_ADMIN: u64 = 1 << 21;

/// The compiled profile of the configuration.
pub(crate) fn filter(config: &Config, options: &Options, host: &Host) -> Result<Option<Filter>, SpecError> {
    let Some(profile) = &config.linux.seccomp else { return Ok(None) };
    let known = known_flags(profile, host)?;
    let Some(native) = Architecture::NATIVE else {
        return Err(SpecError::invalid("linux.seccomp", "this architecture has no system call filters"));
    };
    let mut issues = Issues::default();
    for Error { path, reason } in check(profile, options.answers_system_calls) {
        issues.add(at(&path), reason);
    }
    if options.answers_system_calls && profile.listener_path.is_some() {
        issues.add(at("listenerPath"), "conflicts with a callback that answers the system calls");
    }
    issues.finish(false)?;
    let target = Target { native, listener: options.answers_system_calls };
    let compiled =
        compile_once(profile, &target).map_err(|error| SpecError::invalid(at(&error.path), error.reason))?;
    // One thread becomes the program. The one that sends the listener away must not be filtered.
    let mut flags = compiled.flags & known & !(SeccompFlags::TSYNC | SeccompFlags::TSYNC_ESRCH);
    let listener = compiled.notifies.then(|| Listener {
        path: profile.listener_path.clone().filter(|_| !options.answers_system_calls),
        message_prefix: message_prefix(config, profile),
    });
    if listener.as_ref().is_some_and(|listener| listener.path.is_none()) {
        // A call that is answered by a callback takes long: signals such as those of Go's scheduler would interrupt
        // it each time.
        flags |= known & SeccompFlags::WAIT_KILLABLE_RECV;
    }
    Ok(Some(Filter {
        flags,
        listener,
        skipped: compiled.skipped.clone(),
        instructions: Instructions(compiled.instructions.clone()),
    }))
}

fn at(path: &str) -> String {
    if path.is_empty() { "linux.seccomp".to_owned() } else { format!("linux.seccomp.{path}") }
}

/// The members of a container process state that are known before its process.
fn message_prefix(config: &Config, profile: &Profile) -> String {
    let mut members = serde_json::json!({
        "ociVersion": config.oci_version(),
        "fds": ["seccompFd"],
    });
    // COMPAT(runc): without metadata the member is missing.
    if let Some(metadata) = profile.listener_metadata.as_ref().filter(|metadata| !metadata.is_empty()) {
        members["metadata"] = metadata.as_str().into();
    }
    let text = members.to_string();
    text.strip_suffix('}').map_or(text.clone(), str::to_owned)
}

/// What loading the filter needs besides the configured capabilities, up to execve(2).
///
/// SECURITY: with no_new_privs a capability that is permitted now would stay with the program; there a filter needs
/// none.
pub(crate) fn capabilities_until_exec(config: &Config) -> u64 {
    let process = config.document.process.as_ref();
    let no_new_privileges = process.and_then(|process| process.no_new_privileges).unwrap_or(false);
    if config.linux.seccomp.is_some() && !no_new_privileges { SYS_ADMIN } else { 0 }
}

fn known_flags(profile: &Profile, host: &Host) -> Result<SeccompFlags, SpecError> {
    let Some(known) = host.seccomp_flags else {
        let reason = "the kernel has no system call filters, or a sandbox around this process denies them";
        return Err(SpecError::invalid("linux.seccomp", reason));
    };
    for (index, flag) in profile.flags.iter().flatten().enumerate() {
        if !known.names().iter().any(|name| name == flag.name()) {
            let reason = format!("the kernel does not know {flag}");
            return Err(SpecError::invalid(format!("linux.seccomp.flags[{index}]"), reason));
        }
    }
    Ok(known)
}
