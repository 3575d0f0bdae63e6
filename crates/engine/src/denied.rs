//! Why the host denies a namespace, and what its administrator can do about it.

use std::fs;

use crate::failure::Failure;
use caisson_code::{Code, Phase};

/// The failure of a clone, with the setting that denies it if one is found.
pub fn clone_failure(error: &caisson_sys::Error, user_namespace: bool, euid: u32) -> Failure {
    let failure = Failure::syscall(Phase::Spawn, "cannot create the container's first process", error);
    let errno = rustix::io::Errno::from_raw_os_error(error.errno());
    match (error.call(), errno) {
        ("memfd_create", rustix::io::Errno::ACCESS) => {
            return failure.hint(
                "this host forbids executable memory files, which the helper runs from: sysctl -w vm.memfd_noexec=1",
            );
        }
        ("open", rustix::io::Errno::NOENT)
            if error.path().is_some_and(|path| path.ends_with("caisson-init")) =>
        {
            return Failure { code: Code::HelperMissing, ..failure }
                .hint("reinstall the platform package, or in a checkout run: npm run build");
        }
        _ => {}
    }
    if !error.call().starts_with("clone")
        || !matches!(errno, rustix::io::Errno::PERM | rustix::io::Errno::NOSPC | rustix::io::Errno::ACCESS)
    {
        return failure;
    }
    if !user_namespace && euid != 0 {
        return Failure { code: Code::UsernsDenied, ..failure }
            .hint("an ordinary user needs a user namespace for a container: add {\"type\": \"user\"} to linux.namespaces, as `caisson spec --rootless` does");
    }
    let hint = reason().unwrap_or_else(|| {
        "a sandbox around this process (a container's seccomp profile, a limit on namespaces) refuses new namespaces".into()
    });
    Failure { code: if user_namespace { Code::UsernsDenied } else { failure.code }, ..failure }.hint(hint)
}

/// The first sysctl that forbids user namespaces for this user.
pub fn reason() -> Option<String> {
    let value = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<i64>().ok();
    if value("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Some("user namespaces are switched off: sysctl -w user.max_user_namespaces=15000".into());
    }
    if value("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Some(
            "unprivileged user namespaces are switched off: sysctl -w kernel.unprivileged_userns_clone=1"
                .into(),
        );
    }
    if value("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "AppArmor denies unprivileged user namespaces: allow them to node in a profile with `userns,`, \
             or for everybody with sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
                .into(),
        );
    }
    None
}
