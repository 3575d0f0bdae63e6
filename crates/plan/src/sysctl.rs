//! `linux.sysctl`: only keys that belong to a namespace of the container's own; everything else would change the host.

use crate::NamespaceKind;
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

/// The namespace that a setting belongs to; `key` with slashes. `None`: to the whole host.
pub fn namespace_of(key: &str) -> Option<NamespaceKind> {
    if IPC.contains(&key) || key.starts_with("fs/mqueue/") {
        Some(NamespaceKind::Ipc)
    } else if key.starts_with("net/") {
        Some(NamespaceKind::Network)
    } else if matches!(key, "kernel/domainname" | "kernel/hostname") {
        Some(NamespaceKind::Uts)
    } else if key.starts_with("user/") {
        Some(NamespaceKind::User)
    } else {
        None
    }
}

pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let domainname = config.document.domainname.as_deref().filter(|name| !name.is_empty());
    for (key, value) in config.linux.sysctl.iter().flatten() {
        let path = normalised(key);
        let problem = if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            Some("not a name below /proc/sys".to_owned())
        } else if path == "kernel/domainname" && domainname.is_some_and(|name| name != value) {
            Some("conflicts with `domainname`; set only one".to_owned())
        } else if path == "kernel/hostname" {
            Some("use `hostname` instead".to_owned())
        } else {
            match namespace_of(&path) {
                Some(kind) if config.namespace(kind).is_some() => None,
                Some(kind) => Some(format!("needs a {:?} namespace of the container's own", kind.name())),
                None => Some("belongs to no namespace: it would change the host".to_owned()),
            }
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
