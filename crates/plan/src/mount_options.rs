//! Mount options, as one table: what the specification lists as MUST and SHOULD, and what `features` prints.

/// `MS_*` of mount(2).
pub mod ms {
    pub const RDONLY: u64 = 1;
    pub const NOSUID: u64 = 1 << 1;
    pub const NODEV: u64 = 1 << 2;
    pub const NOEXEC: u64 = 1 << 3;
    pub const SYNCHRONOUS: u64 = 1 << 4;
    pub const REMOUNT: u64 = 1 << 5;
    pub const MANDLOCK: u64 = 1 << 6;
    pub const DIRSYNC: u64 = 1 << 7;
    pub const NOSYMFOLLOW: u64 = 1 << 8;
    pub const NOATIME: u64 = 1 << 10;
    pub const NODIRATIME: u64 = 1 << 11;
    pub const REC: u64 = 1 << 14;
    pub const SILENT: u64 = 1 << 15;
    pub const UNBINDABLE: u64 = 1 << 17;
    pub const PRIVATE: u64 = 1 << 18;
    pub const SLAVE: u64 = 1 << 19;
    pub const SHARED: u64 = 1 << 20;
    pub const RELATIME: u64 = 1 << 21;
    pub const I_VERSION: u64 = 1 << 23;
    pub const STRICTATIME: u64 = 1 << 24;
    pub const LAZYTIME: u64 = 1 << 25;
}

/// `MOUNT_ATTR_*` of mount_setattr(2).
mod attr {
    pub const RDONLY: u64 = 1;
    pub const NOSUID: u64 = 2;
    pub const NODEV: u64 = 4;
    pub const NOEXEC: u64 = 8;
    /// The access time is one choice in these three bits, cleared as a whole before any of them is set.
    pub const ATIME: u64 = 0x70;
    pub const NOATIME: u64 = 0x10;
    pub const STRICTATIME: u64 = 0x20;
    pub const NODIRATIME: u64 = 0x80;
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    Set(u64),
    Clear(u64),
    Propagate(u64),
    /// Recursive attributes: set, clear.
    Recursive(u64, u64),
    Bind(bool),
    CopyUp,
    Nothing,
}

use Effect::{Bind, Clear, CopyUp, Nothing, Propagate, Recursive, Set};

const TABLE: &[(&str, Effect)] = &[
    ("async", Clear(ms::SYNCHRONOUS)),
    ("atime", Clear(ms::NOATIME)),
    ("bind", Bind(false)),
    ("defaults", Nothing),
    ("dev", Clear(ms::NODEV)),
    ("diratime", Clear(ms::NODIRATIME)),
    ("dirsync", Set(ms::DIRSYNC)),
    ("exec", Clear(ms::NOEXEC)),
    ("iversion", Set(ms::I_VERSION)),
    ("lazytime", Set(ms::LAZYTIME)),
    ("loud", Clear(ms::SILENT)),
    ("mand", Set(ms::MANDLOCK)),
    ("noatime", Set(ms::NOATIME)),
    ("nodev", Set(ms::NODEV)),
    ("nodiratime", Set(ms::NODIRATIME)),
    ("noexec", Set(ms::NOEXEC)),
    ("noiversion", Clear(ms::I_VERSION)),
    ("nolazytime", Clear(ms::LAZYTIME)),
    ("nomand", Clear(ms::MANDLOCK)),
    ("norelatime", Clear(ms::RELATIME)),
    ("nostrictatime", Clear(ms::STRICTATIME)),
    ("nosuid", Set(ms::NOSUID)),
    ("nosymfollow", Set(ms::NOSYMFOLLOW)),
    ("private", Propagate(ms::PRIVATE)),
    ("ratime", Recursive(0, attr::ATIME)),
    ("rbind", Bind(true)),
    ("rdev", Recursive(0, attr::NODEV)),
    ("rdiratime", Recursive(0, attr::NODIRATIME)),
    ("relatime", Set(ms::RELATIME)),
    ("remount", Set(ms::REMOUNT)),
    ("rexec", Recursive(0, attr::NOEXEC)),
    ("rnoatime", Recursive(attr::NOATIME, attr::ATIME)),
    ("rnodev", Recursive(attr::NODEV, 0)),
    ("rnodiratime", Recursive(attr::NODIRATIME, 0)),
    ("rnoexec", Recursive(attr::NOEXEC, 0)),
    ("rnorelatime", Recursive(0, attr::ATIME)),
    ("rnostrictatime", Recursive(0, attr::ATIME)),
    ("rnosuid", Recursive(attr::NOSUID, 0)),
    ("rnosymfollow", Recursive(attr::NOSYMFOLLOW, 0)),
    ("ro", Set(ms::RDONLY)),
    ("rprivate", Propagate(ms::PRIVATE | ms::REC)),
    ("rrelatime", Recursive(0, attr::ATIME)),
    ("rro", Recursive(attr::RDONLY, 0)),
    ("rrw", Recursive(0, attr::RDONLY)),
    ("rshared", Propagate(ms::SHARED | ms::REC)),
    ("rslave", Propagate(ms::SLAVE | ms::REC)),
    ("rstrictatime", Recursive(attr::STRICTATIME, attr::ATIME)),
    ("rsuid", Recursive(0, attr::NOSUID)),
    ("rsymfollow", Recursive(0, attr::NOSYMFOLLOW)),
    ("runbindable", Propagate(ms::UNBINDABLE | ms::REC)),
    ("rw", Clear(ms::RDONLY)),
    ("shared", Propagate(ms::SHARED)),
    ("silent", Set(ms::SILENT)),
    ("slave", Propagate(ms::SLAVE)),
    ("strictatime", Set(ms::STRICTATIME)),
    ("suid", Clear(ms::NOSUID)),
    ("symfollow", Clear(ms::NOSYMFOLLOW)),
    ("sync", Set(ms::SYNCHRONOUS)),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagate(ms::UNBINDABLE)),
];

/// Every option that is understood; all others go to the file system as data.
pub fn names() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).collect()
}

pub(crate) fn is_idmap(option: &str) -> bool {
    matches!(option, "idmap" | "ridmap") || option.starts_with("idmap=") || option.starts_with("ridmap=")
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub bind: Option<bool>,
    pub flags: u64,
    pub cleared: u64,
    pub recursive_set: u64,
    pub recursive_clear: u64,
    pub propagation: Vec<u64>,
    pub data: String,
    pub tmpcopyup: bool,
}

/// Options in their order: a later one takes back an earlier one.
pub(crate) fn decode(options: &[String]) -> Decoded {
    let mut decoded = Decoded::default();
    let mut data = Vec::new();
    for option in options {
        match TABLE.iter().find(|(name, _)| name == option).map(|(_, effect)| *effect) {
            Some(Set(flag)) => {
                decoded.flags |= flag;
                decoded.cleared &= !flag;
            }
            Some(Clear(flag)) => {
                decoded.flags &= !flag;
                decoded.cleared |= flag;
            }
            Some(Propagate(flags)) => decoded.propagation.push(flags),
            Some(Recursive(set, clear)) => {
                decoded.recursive_set = decoded.recursive_set & !clear | set;
                decoded.recursive_clear = decoded.recursive_clear & !set | clear;
            }
            // Flags add up: `bind` after `rbind` takes nothing back.
            Some(Bind(recursive)) => decoded.bind = Some(recursive || decoded.bind == Some(true)),
            Some(CopyUp) => decoded.tmpcopyup = true,
            Some(Nothing) => {}
            None if option.is_empty() || is_idmap(option) => {}
            None => data.push(option.as_str()),
        }
    }
    decoded.data = data.join(",");
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(options: &[&str]) -> Decoded {
        decode(&options.iter().map(|&o| o.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_sorted_and_single() {
        let names = names();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn later_options_take_back_earlier_ones() {
        let seen = decoded(&["ro", "rw", "nosuid", "mode=755", "size=1k", "rbind", "rprivate"]);
        assert_eq!((seen.flags, seen.cleared), (ms::NOSUID, ms::RDONLY));
        assert_eq!(seen.data, "mode=755,size=1k");
        assert_eq!(seen.bind, Some(true));
        assert_eq!(seen.propagation, [ms::PRIVATE | ms::REC]);
    }

    #[test]
    fn a_recursive_bind_stays_recursive() {
        for options in [["rbind", "bind"], ["bind", "rbind"]] {
            assert_eq!(decoded(&options).bind, Some(true), "{options:?}");
        }
        assert_eq!(decoded(&["bind", "bind"]).bind, Some(false));
    }

    #[test]
    fn recursive_access_times_are_one_choice() {
        let seen = decoded(&["rnoatime", "rstrictatime"]);
        assert_eq!((seen.recursive_set, seen.recursive_clear), (attr::STRICTATIME, attr::ATIME));
    }
}
