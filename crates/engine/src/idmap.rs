//! Writes the id maps of a new user namespace: directly where the kernel permits it, or with newuidmap and newgidmap
//! (setuid programs that consult /etc/subuid) where an unprivileged user maps more than one id.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use caisson_code::{Code, Phase};
use caisson_plan::{IdMapping, UserNamespace};
use caisson_rights::Rights;

use crate::failure::{Failure, Result};

/// Writes setgroups, gid_map and uid_map of `pid`.
pub fn write(pid: i32, namespace: &UserNamespace, rights: &Rights) -> Result<()> {
    let (uids, gids) = (&namespace.uid_mappings, &namespace.gid_mappings);
    if rights.maps_ids() || (is_own(uids, rights.uid) && is_own(gids, rights.gid)) {
        if !rights.maps_ids() {
            // user_namespaces(7): an unprivileged gid map is accepted only after setgroups is denied permanently.
            put(pid, "setgroups", "deny")?;
        }
        put(pid, "gid_map", &lines(gids))?;
        return put(pid, "uid_map", &lines(uids));
    }
    with_program("newgidmap", pid, gids)?;
    with_program("newuidmap", pid, uids)
}

/// A single mapping of the caller's own id: the only map that an unprivileged user may write directly.
fn is_own(mappings: &[IdMapping], id: u32) -> bool {
    matches!(mappings, [IdMapping { host_id, size: 1, .. }] if *host_id == id)
}

fn lines(mappings: &[IdMapping]) -> String {
    mappings.iter().map(|m| format!("{} {} {}\n", m.container_id, m.host_id, m.size)).collect()
}

/// The kernel accepts a map in a single write(2) only.
fn put(pid: i32, file: &str, text: &str) -> Result<()> {
    let path = PathBuf::from(format!("/proc/{pid}/{file}"));
    let result = OpenOptions::new().write(true).open(&path).and_then(|mut f| f.write_all(text.as_bytes()));
    result.map_err(|e| {
        let failure = Failure::io(Phase::Spawn, "cannot write", &path, &e);
        match e.raw_os_error() {
            Some(libc_eperm) if libc_eperm == rustix::io::Errno::PERM.raw_os_error() => failure.hint(
                "the mapped ids must exist in the caller's own user namespace and be allowed to it; AppArmor \
                 (kernel.apparmor_restrict_unprivileged_userns) or a container around us may deny it as well",
            ),
            Some(einval) if einval == rustix::io::Errno::INVAL.raw_os_error() => {
                failure.hint("mappings must not overlap, must not be empty, and there may be at most 340")
            }
            _ => failure,
        }
    })
}

fn with_program(program: &str, pid: i32, mappings: &[IdMapping]) -> Result<()> {
    let numbers = mappings.iter().flat_map(|m| [m.container_id, m.host_id, m.size]).map(|n| n.to_string());
    let output = Command::new(program).arg(pid.to_string()).args(numbers).stdin(Stdio::null()).output();
    let kind = if program == "newuidmap" { "subuid" } else { "subgid" };
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let hint = if caisson_sys::credentials::has_no_new_privileges() {
                "this process has no_new_privs, so that newuidmap and newgidmap do not get their rights: start it without \
                 (NoNewPrivileges= of a systemd unit, setpriv --no-new-privs, allowPrivilegeEscalation: false), or map a single id"
                    .to_owned()
            } else {
                format!("the ranges must be listed for this user in /etc/{kind}")
            };
            Err(Failure::new(Code::UsernsDenied, Phase::Spawn, format!("{program} refused the id mappings: {reason}"))
                .hint(hint))
        }
        Err(error) => Err(Failure::new(Code::UsernsDenied, Phase::Spawn, format!("{program} cannot be run: {error}")).hint(
            "mapping more than one's own id needs newuidmap and newgidmap (Debian: apt-get install uidmap); map a single id to do without",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_one_line_per_range() {
        let map = |container_id, host_id, size| IdMapping { container_id, host_id, size };
        assert_eq!(lines(&[map(0, 1000, 1), map(1, 100_000, 65_536)]), "0 1000 1\n1 100000 65536\n");
        assert!(is_own(&[map(0, 1000, 1)], 1000));
        assert!(!is_own(&[map(0, 1000, 2)], 1000));
        assert!(!is_own(&[map(0, 1000, 1), map(1, 1001, 1)], 1000));
    }
}
