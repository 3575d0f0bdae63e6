//! Mount options, as one table: what the specification lists as MUST and SHOULD, and what `features` prints.

use caisson_flags::{MountAttributes as Attr, MountFlags as Ms};

#[derive(Debug, Clone, Copy)]
enum Effect {
    Set(Ms),
    Clear(Ms),
    Propagate(Ms),
    /// Recursive attributes: set, clear.
    Recursive(Attr, Attr),
    /// Owners are mapped, with the mounts below if recursive.
    MapOwners,
    Bind(bool),
    CopyUp,
    CopySymlink,
    /// A link in the last component of the source or of the destination is meant itself.
    NoFollow(End),
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

use Effect::{Bind, Clear, CopySymlink, CopyUp, MapOwners, NoFollow, Nothing, Propagate, Recursive, Set};

const NONE: Attr = Attr::empty();

const TABLE: &[(&str, Effect)] = &[
    ("async", Clear(Ms::SYNCHRONOUS)),
    ("atime", Clear(Ms::NOATIME)),
    ("bind", Bind(false)),
    ("copy-symlink", CopySymlink),
    ("defaults", Nothing),
    ("dest-nofollow", NoFollow(End::Destination)),
    ("dev", Clear(Ms::NODEV)),
    ("diratime", Clear(Ms::NODIRATIME)),
    ("dirsync", Set(Ms::DIRSYNC)),
    ("exec", Clear(Ms::NOEXEC)),
    ("idmap", MapOwners),
    ("iversion", Set(Ms::I_VERSION)),
    ("lazytime", Set(Ms::LAZYTIME)),
    ("loud", Clear(Ms::SILENT)),
    ("mand", Set(Ms::MANDLOCK)),
    ("noatime", Set(Ms::NOATIME)),
    ("nodev", Set(Ms::NODEV)),
    ("nodiratime", Set(Ms::NODIRATIME)),
    ("noexec", Set(Ms::NOEXEC)),
    ("noiversion", Clear(Ms::I_VERSION)),
    ("nolazytime", Clear(Ms::LAZYTIME)),
    ("nomand", Clear(Ms::MANDLOCK)),
    ("norelatime", Clear(Ms::RELATIME)),
    ("nostrictatime", Clear(Ms::STRICTATIME)),
    ("nosuid", Set(Ms::NOSUID)),
    ("nosymfollow", Set(Ms::NOSYMFOLLOW)),
    ("private", Propagate(Ms::PRIVATE)),
    ("ratime", Recursive(NONE, Attr::ATIME)),
    ("rbind", Bind(true)),
    ("rdev", Recursive(NONE, Attr::NODEV)),
    ("rdiratime", Recursive(NONE, Attr::NODIRATIME)),
    ("relatime", Set(Ms::RELATIME)),
    ("remount", Set(Ms::REMOUNT)),
    ("rexec", Recursive(NONE, Attr::NOEXEC)),
    ("ridmap", MapOwners),
    ("rnoatime", Recursive(Attr::NOATIME, Attr::ATIME)),
    ("rnodev", Recursive(Attr::NODEV, NONE)),
    ("rnodiratime", Recursive(Attr::NODIRATIME, NONE)),
    ("rnoexec", Recursive(Attr::NOEXEC, NONE)),
    ("rnorelatime", Recursive(NONE, Attr::ATIME)),
    ("rnostrictatime", Recursive(NONE, Attr::ATIME)),
    ("rnosuid", Recursive(Attr::NOSUID, NONE)),
    ("rnosymfollow", Recursive(Attr::NOSYMFOLLOW, NONE)),
    ("ro", Set(Ms::RDONLY)),
    ("rprivate", Propagate(Ms::PRIVATE.union(Ms::REC))),
    ("rrelatime", Recursive(NONE, Attr::ATIME)),
    ("rro", Recursive(Attr::RDONLY, NONE)),
    ("rrw", Recursive(NONE, Attr::RDONLY)),
    ("rshared", Propagate(Ms::SHARED.union(Ms::REC))),
    ("rslave", Propagate(Ms::SLAVE.union(Ms::REC))),
    ("rstrictatime", Recursive(Attr::STRICTATIME, Attr::ATIME)),
    ("rsuid", Recursive(NONE, Attr::NOSUID)),
    ("rsymfollow", Recursive(NONE, Attr::NOSYMFOLLOW)),
    ("runbindable", Propagate(Ms::UNBINDABLE.union(Ms::REC))),
    ("rw", Clear(Ms::RDONLY)),
    ("shared", Propagate(Ms::SHARED)),
    ("silent", Set(Ms::SILENT)),
    ("slave", Propagate(Ms::SLAVE)),
    ("src-nofollow", NoFollow(End::Source)),
    ("strictatime", Set(Ms::STRICTATIME)),
    ("suid", Clear(Ms::NOSUID)),
    ("symfollow", Clear(Ms::NOSYMFOLLOW)),
    ("sync", Set(Ms::SYNCHRONOUS)),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagate(Ms::UNBINDABLE)),
];

/// Every option that is understood; all others go to the file system as data.
pub fn names() -> Vec<&'static str> {
    TABLE.iter().map(|(name, _)| *name).collect()
}

/// `idmap` or `ridmap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappingOption {
    pub recursive: bool,
    /// As written behind a `=`.
    pub mappings: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub bind: Option<bool>,
    pub flags: Ms,
    pub cleared: Ms,
    pub recursive_set: Attr,
    pub recursive_clear: Attr,
    pub propagation: Vec<Ms>,
    pub data: String,
    pub tmpcopyup: bool,
    pub id_map: Option<MappingOption>,
    pub copy_symlink: bool,
    pub source_nofollow: bool,
    pub destination_nofollow: bool,
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
            Some(CopySymlink) => decoded.copy_symlink = true,
            Some(NoFollow(End::Source)) => decoded.source_nofollow = true,
            Some(NoFollow(End::Destination)) => decoded.destination_nofollow = true,
            Some(MapOwners) => decoded.id_map = MappingOption::parse(option),
            Some(Nothing) => {}
            None if option.is_empty() => {}
            None => match MappingOption::parse(option) {
                Some(map) => decoded.id_map = Some(map),
                None => data.push(option.as_str()),
            },
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
        assert_eq!((seen.flags, seen.cleared), (Ms::NOSUID, Ms::RDONLY));
        assert_eq!(seen.data, "mode=755,size=1k");
        assert_eq!(seen.bind, Some(true));
        assert_eq!(seen.propagation, [Ms::PRIVATE | Ms::REC]);
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
        assert_eq!((seen.recursive_set, seen.recursive_clear), (Attr::STRICTATIME, Attr::ATIME));
    }
}
