//! `CLONE_NEW*` of namespaces(7), and the types of namespaces one by one: the one table of them.

use serde::{Deserialize, Serialize};

use crate::set::flag_set;

/// Declares the types of namespaces: a variant, the flag, `type` in config.json, the name below `/proc/PID/ns`.
macro_rules! namespaces {
    ($($variant:ident $flag:ident = $value:expr, $name:literal, $file:literal;)*) => {
        flag_set! {
            /// Types of namespaces: `CLONE_NEW*`, named as in config.json.
            Namespaces { $($flag = $value, $name;)* }
        }

        /// A type of namespace.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum NamespaceKind { $($variant),* }

        impl NamespaceKind {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As a set of one.
            pub const fn flag(self) -> Namespaces {
                match self { $(Self::$variant => Namespaces::$flag),* }
            }

            /// `type` in config.json.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The name below `/proc/PID/ns`.
            pub const fn file(self) -> &'static str {
                match self { $(Self::$variant => $file),* }
            }
        }
    };
}

namespaces! {
    Pid PID = 0x2000_0000, "pid", "pid";
    Network NETWORK = 0x4000_0000, "network", "net";
    Mount MOUNT = 0x2_0000, "mount", "mnt";
    Ipc IPC = 0x800_0000, "ipc", "ipc";
    Uts UTS = 0x400_0000, "uts", "uts";
    User USER = 0x1000_0000, "user", "user";
    Cgroup CGROUP = 0x200_0000, "cgroup", "cgroup";
    Time TIME = 0x80, "time", "time";
}

impl NamespaceKind {
    /// The type that config.json names so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl Namespaces {
    /// The types in this set.
    pub fn kinds(self) -> impl Iterator<Item = NamespaceKind> {
        NamespaceKind::ALL.iter().copied().filter(move |kind| self.contains(kind.flag()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_name_and_its_flag() {
        for kind in NamespaceKind::ALL {
            assert_eq!(NamespaceKind::named(kind.name()), Some(*kind));
            assert_eq!(kind.flag().kinds().collect::<Vec<_>>(), [*kind]);
            assert_eq!(kind.flag().names(), [kind.name()]);
        }
        assert_eq!(NamespaceKind::named("mnt"), None);
    }
}
