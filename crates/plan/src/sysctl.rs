//! `linux.sysctl`: only keys that belong to a namespace of the container's own; everything else would change the host.

use crate::Operation;
use crate::config::Config;
use crate::issue::Issues;

const IPC: [&str; 9] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
    "kernel/shm_next_id",
];

/// As sysctl(8): whichever of `.` and `/` comes first is the separator, the other one is part of a name.
fn normalised(key: &str) -> String {
    let first = key.find(['.', '/']);
    if first.is_some_and(|index| key.as_bytes()[index] == b'.') {
        key.chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect()
    } else {
        key.to_owned()
    }
}

pub(crate) fn check(config: &Config, issues: &mut Issues) {
    for key in config.linux.sysctl.iter().flatten().map(|(key, _)| key) {
        let path = normalised(key);
        let needs = |kind: &str| {
            if config.namespace(kind).is_some() {
                None
            } else {
                Some(format!("needs a {kind:?} namespace of the container's own"))
            }
        };
        let parts: Vec<_> = path.split('/').collect();
        let problem = if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            Some("is no name below /proc/sys".to_owned())
        } else if IPC.contains(&path.as_str()) || path.starts_with("fs/mqueue/") {
            needs("ipc")
        } else if path.starts_with("net/") {
            needs("network")
        } else if path == "kernel/domainname" {
            if config.document.domainname.as_ref().is_some_and(|name| !name.is_empty()) {
                Some("stands against the property domainname; set one of them".to_owned())
            } else {
                needs("uts")
            }
        } else if path == "kernel/hostname" {
            Some("is what the property hostname is for".to_owned())
        } else if path.starts_with("user/") {
            needs("user")
        } else {
            Some("belongs to no namespace: it would change the host".to_owned())
        };
        if let Some(problem) = problem {
            issues.add(format!("linux.sysctl[{key:?}]"), problem);
        }
    }
}

pub(crate) fn operations(config: &Config) -> Vec<Operation> {
    let entries = config.linux.sysctl.iter().flatten();
    entries.map(|(key, value)| Operation::Sysctl { key: normalised(key), value: value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn the_first_separator_decides() {
        assert_eq!(normalised("net.ipv4.conf.eno2/100.rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
        assert_eq!(normalised("net/ipv4/conf/eno2.100/rp_filter"), "net/ipv4/conf/eno2.100/rp_filter");
    }
}
