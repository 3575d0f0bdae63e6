//! Mount flags: `MS_*` of mount(2), and their equivalents `MOUNT_ATTR_*` of mount_setattr(2).

use crate::set::flag_set;

flag_set! {
    /// `MS_*` of mount(2).
    MountFlags {
        RDONLY = 1, "ro";
        NOSUID = 1 << 1, "nosuid";
        NODEV = 1 << 2, "nodev";
        NOEXEC = 1 << 3, "noexec";
        SYNCHRONOUS = 1 << 4, "sync";
        REMOUNT = 1 << 5, "remount";
        MANDLOCK = 1 << 6, "mand";
        DIRSYNC = 1 << 7, "dirsync";
        NOSYMFOLLOW = 1 << 8, "nosymfollow";
        NOATIME = 1 << 10, "noatime";
        NODIRATIME = 1 << 11, "nodiratime";
        BIND = 1 << 12, "bind";
        MOVE = 1 << 13, "move";
        REC = 1 << 14, "recursive";
        SILENT = 1 << 15, "silent";
        UNBINDABLE = 1 << 17, "unbindable";
        PRIVATE = 1 << 18, "private";
        SLAVE = 1 << 19, "slave";
        SHARED = 1 << 20, "shared";
        RELATIME = 1 << 21, "relatime";
        I_VERSION = 1 << 23, "iversion";
        STRICTATIME = 1 << 24, "strictatime";
        LAZYTIME = 1 << 25, "lazytime";
    }
}

flag_set! {
    /// `MOUNT_ATTR_*` of mount_setattr(2).
    MountAttributes {
        RDONLY = 0x1, "ro";
        NOSUID = 0x2, "nosuid";
        NODEV = 0x4, "nodev";
        NOEXEC = 0x8, "noexec";
        /// An enumeration in these three bits, all cleared before one value is set.
        ATIME = 0x70, "atime";
        NOATIME = 0x10, "noatime";
        STRICTATIME = 0x20, "strictatime";
        NODIRATIME = 0x80, "nodiratime";
        /// Linux 5.12.
        IDMAP = 0x10_0000, "idmap";
        /// Linux 5.14.
        NOSYMFOLLOW = 0x20_0000, "nosymfollow";
    }
}

/// Flags with an attribute of their own.
const ATTRIBUTES: [(MountFlags, MountAttributes); 6] = [
    (MountFlags::RDONLY, MountAttributes::RDONLY),
    (MountFlags::NOSUID, MountAttributes::NOSUID),
    (MountFlags::NODEV, MountAttributes::NODEV),
    (MountFlags::NOEXEC, MountAttributes::NOEXEC),
    (MountFlags::NODIRATIME, MountAttributes::NODIRATIME),
    (MountFlags::NOSYMFOLLOW, MountAttributes::NOSYMFOLLOW),
];

/// The access time settings: attribute, then flag. The default is relatime.
const TIMES: [(MountFlags, MountAttributes); 2] = [
    (MountFlags::STRICTATIME, MountAttributes::STRICTATIME), // takes precedence, as in mount(2)
    (MountFlags::NOATIME, MountAttributes::NOATIME),
];

/// Flags that `fstatvfs(3)` reports for a mount: `ST_*`, two of which have different values.
const STATUS: [(u64, MountFlags); 9] = [
    (0x1, MountFlags::RDONLY),
    (0x2, MountFlags::NOSUID),
    (0x4, MountFlags::NODEV),
    (0x8, MountFlags::NOEXEC),
    (0x400, MountFlags::NOATIME),
    (0x800, MountFlags::NODIRATIME),
    (0x1000, MountFlags::RELATIME),
    (0x2000, MountFlags::NOSYMFOLLOW),
    (0x10, MountFlags::SYNCHRONOUS),
];

impl MountFlags {
    /// Flags that select the access time setting; NODIRATIME is separate.
    pub const ACCESS_TIME: Self = Self::NOATIME.union(Self::RELATIME).union(Self::STRICTATIME);

    /// Flags of a mount, not of its file system.
    pub const PER_MOUNT: Self = Self::RDONLY
        .union(Self::NOSUID)
        .union(Self::NODEV)
        .union(Self::NOEXEC)
        .union(Self::NOSYMFOLLOW)
        .union(Self::NODIRATIME)
        .union(Self::ACCESS_TIME);

    /// The equivalent attributes.
    pub fn attributes(self) -> MountAttributes {
        let single = ATTRIBUTES.iter().filter(|(flag, _)| self.contains(*flag));
        let times = TIMES.iter().filter(|(flag, _)| self.contains(*flag)).take(1);
        single.chain(times).fold(MountAttributes::empty(), |all, (_, attribute)| all | *attribute)
    }

    /// Flags of a mount, from `f_flag` of fstatvfs(3).
    pub fn from_status(status: u64) -> Self {
        let known = STATUS.iter().filter(|(bit, _)| status & bit != 0);
        let flags = known.fold(Self::empty(), |all, (_, flag)| all | *flag) & Self::PER_MOUNT;
        if flags.intersects(Self::ACCESS_TIME) { flags } else { flags | Self::STRICTATIME }
    }
}

impl MountAttributes {
    /// The equivalent flags, with RELATIME explicit.
    pub fn flags(self) -> MountFlags {
        let times = TIMES.iter().find(|(_, attribute)| self & Self::ATIME == *attribute);
        let times = times.map_or(MountFlags::RELATIME, |(flag, _)| *flag);
        let single = ATTRIBUTES.iter().filter(|(_, attribute)| self.contains(*attribute));
        single.fold(times, |all, (flag, _)| all | *flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_attributes_and_back() {
        let strict = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        assert_eq!(strict.attributes().bits(), 0xf);
        let both = MountFlags::STRICTATIME | MountFlags::NOATIME;
        assert_eq!(both.attributes(), MountAttributes::STRICTATIME);
        assert!((MountFlags::RELATIME | MountFlags::SYNCHRONOUS | MountFlags::BIND).attributes().is_empty());
        for (flag, _) in ATTRIBUTES.iter().chain(&TIMES) {
            assert!(flag.attributes().flags().contains(*flag), "{flag:?}");
        }
        assert_eq!(MountAttributes::empty().flags(), MountFlags::RELATIME);
    }

    #[test]
    fn the_status_of_a_mount_tells_every_flag_of_one_mount() {
        assert_eq!(
            MountFlags::from_status(0x3001),
            MountFlags::RDONLY | MountFlags::RELATIME | MountFlags::NOSYMFOLLOW
        );
        assert_eq!(MountFlags::from_status(0), MountFlags::STRICTATIME);
        let told = STATUS.iter().fold(MountFlags::STRICTATIME, |all, (_, flag)| all | *flag);
        assert!(told.contains(MountFlags::PER_MOUNT));
    }

    #[test]
    fn json_has_names() {
        let flags = MountFlags::NOSUID | MountFlags::RDONLY | MountFlags::from_bits(1 << 40);
        assert_eq!(serde_json::to_string(&flags).unwrap(), r#"["ro","nosuid","0x10000000000"]"#);
    }
}
