//! Why the host denies a namespace, and what its administrator can do about it.

use std::fs;

use caisson_rights::Rights;

use crate::failure::Failure;
use caisson_code::{Code, Phase};

/// The failure of a start of `caisson-init`.
pub fn helper_failure(what: &str, error: &caisson_sys::Error) -> Failure {
    let failure = Failure::syscall(Phase::Spawn, what, error);
    match (error.call(), rustix::io::Errno::from_raw_os_error(error.errno())) {
        ("memfd_create", rustix::io::Errno::ACCESS) => failure.hint(
            "this host forbids executable memory files, which the helper runs from: sysctl -w vm.memfd_noexec=1",
        ),
        ("open", rustix::io::Errno::NOENT)
            if error.path().is_some_and(|path| path.ends_with("caisson-init")) =>
        {
            Failure { code: Code::HelperMissing, ..failure }
                .hint("reinstall the platform package, or in a checkout run: npm run build")
        }
        _ => failure,
    }
}

/// The failure of a clone, with the setting that denies it if one is found.
pub fn clone_failure(error: &caisson_sys::Error, user_namespace: bool, rights: &Rights) -> Failure {
    let failure = helper_failure("cannot create the container's first process", error);
    let errno = rustix::io::Errno::from_raw_os_error(error.errno());
    if !error.call().starts_with("clone")
        || !matches!(errno, rustix::io::Errno::PERM | rustix::io::Errno::NOSPC | rustix::io::Errno::ACCESS)
    {
        return failure;
    }
    if !user_namespace && rights.needs_user_namespace() {
        return Failure { code: Code::UsernsDenied, ..failure }
            .hint("without CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SETUID and CAP_SETGID a container needs a user namespace: add {\"type\": \"user\"} to linux.namespaces, as `caisson spec --rootless` does");
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
