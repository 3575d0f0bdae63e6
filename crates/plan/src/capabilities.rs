//! Capability names to bit masks. A name that is unknown, here or to the kernel, is a warning: the specification wants
//! the container to run without it.

use crate::Capabilities;
use crate::document;

/// In the kernel's numbering, without their `CAP_`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// `CAP_CHOWN`, ….
pub fn names() -> Vec<String> {
    NAMES.iter().map(|name| format!("CAP_{name}")).collect()
}

/// The names in a mask, comma-separated; `CAP_41` for one that has none yet.
pub fn show(mask: u64) -> String {
    let name = |number: usize| match NAMES.get(number) {
        Some(name) => format!("CAP_{name}"),
        None => format!("CAP_{number}"),
    };
    (0..64).filter(|number| mask >> number & 1 == 1).map(name).collect::<Vec<_>>().join(", ")
}

fn number(name: &str) -> Option<usize> {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_")?;
    NAMES.iter().position(|known| *known == bare)
}

/// The five masks; names that cannot be granted go to `warnings`.
pub(crate) fn masks(
    sets: Option<&document::Capabilities>,
    kernel: u64,
    warnings: &mut Vec<String>,
) -> Capabilities {
    let Some(sets) = sets else { return Capabilities::default() };
    let mut unknown = Vec::new();
    let mut mask = |list: &Option<Vec<String>>| {
        list.iter().flatten().fold(0u64, |mask, name| {
            match number(name).filter(|number| kernel >> number & 1 == 1) {
                Some(number) => mask | 1 << number,
                None => {
                    if !unknown.contains(name) {
                        unknown.push(name.clone());
                    }
                    mask
                }
            }
        })
    };
    let masks = Capabilities {
        bounding: mask(&sets.bounding),
        effective: mask(&sets.effective),
        inheritable: mask(&sets.inheritable),
        permitted: mask(&sets.permitted),
        ambient: mask(&sets.ambient),
        until_exec: 0,
    };
    if !unknown.is_empty() {
        // COMPAT(runc): the same words.
        warnings.push(format!("ignoring unknown or unavailable capabilities: {unknown:?}"));
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_kernels_numbers() {
        assert_eq!(
            (number("CAP_CHOWN"), number("CAP_SYS_ADMIN"), number("CAP_CHECKPOINT_RESTORE")),
            (Some(0), Some(21), Some(40))
        );
        assert_eq!(number("CHOWN"), None);
        assert_eq!(show(1 << 5 | 1 << 63), "CAP_KILL, CAP_63");
    }

    #[test]
    fn an_unknown_name_is_one_warning() {
        let list = Some(vec!["CAP_KILL".to_owned(), "CAP_FLY".to_owned()]);
        let sets = document::Capabilities { bounding: list.clone(), permitted: list, ..Default::default() };
        let mut warnings = Vec::new();
        assert_eq!(masks(Some(&sets), u64::MAX, &mut warnings).bounding, 1 << 5);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("CAP_FLY"));
    }
}
