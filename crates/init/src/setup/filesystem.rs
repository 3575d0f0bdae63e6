//! New file systems by `fsopen`; the classic `mount(2)` where its options do not fit through `fsconfig`.

use std::os::fd::{AsFd, OwnedFd};

use caisson_flags::MountFlags;
use caisson_sys::mount;

use crate::failure::{Result, SetupError};

/// The longest value fsconfig(2) takes.
const LONGEST_VALUE: usize = 255;

/// A file system to be made.
#[derive(Debug, Clone, Default)]
pub struct Filesystem<'a> {
    pub fstype: &'a str,
    pub source: &'a str,
    pub flags: MountFlags,
    /// Comma-separated.
    pub data: &'a str,
    /// SELinux context of everything in it. Its commas belong to it.
    pub context: Option<&'a str>,
}

impl Filesystem<'_> {
    /// A detached mount of it.
    pub fn create(&self) -> Result<OwnedFd> {
        let fs = mount::fsopen(self.fstype).map_err(|error| self.unknown(error))?;
        self.configure(&fs).map_err(|error| SetupError::from(error).detail(mount::kernel_log(fs.as_fd())))?;
        Ok(mount::fsmount(fs.as_fd(), self.flags.attributes())?)
    }

    fn configure(&self, fs: &OwnedFd) -> caisson_sys::Result<()> {
        let fs = fs.as_fd();
        if !self.source.is_empty() {
            mount::fsconfig_string(fs, "source", self.source)?;
        }
        for (flag, name) in SUPER_BLOCK_FLAGS {
            if self.flags.contains(flag) {
                mount::fsconfig_flag(fs, name)?;
            }
        }
        for option in self.data.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => mount::fsconfig_string(fs, key, value)?,
                None => mount::fsconfig_flag(fs, option)?,
            }
        }
        if let Some(context) = self.context {
            mount::fsconfig_string(fs, "context", context)?;
        }
        mount::fsconfig_create(fs)
    }

    /// The data of mount(2).
    pub fn classic_data(&self) -> String {
        let context = self.context.map(|context| format!("context=\"{context}\""));
        let parts = Some(self.data.to_owned()).filter(|data| !data.is_empty()).into_iter().chain(context);
        parts.collect::<Vec<_>>().join(",")
    }

    fn unknown(&self, error: caisson_sys::Error) -> SetupError {
        let unknown = error.errno() == caisson_sys::errno::ENODEV;
        let problem = SetupError::from(error);
        if unknown {
            return problem.hint("unknown to this kernel; see /proc/filesystems, a module may be missing");
        }
        problem
    }

    /// Whether `fsconfig` can say all of it: values that are short and that the kernel would not take apart in another
    /// way, and no flag that has no name there.
    pub fn fits_fsconfig(&self) -> bool {
        !self.flags.intersects(MountFlags::I_VERSION | MountFlags::SILENT)
            && !self.data.contains(['"', '\\'])
            && self.data.split(',').all(|option| option.len() <= LONGEST_VALUE)
            && self.context.is_none_or(|context| context.len() <= LONGEST_VALUE)
            && self.source.len() <= LONGEST_VALUE
    }
}

/// Flags of the file system, by their names in `fsconfig`.
const SUPER_BLOCK_FLAGS: [(MountFlags, &str); 5] = [
    (MountFlags::RDONLY, "ro"),
    (MountFlags::SYNCHRONOUS, "sync"),
    (MountFlags::DIRSYNC, "dirsync"),
    (MountFlags::MANDLOCK, "mand"),
    (MountFlags::LAZYTIME, "lazytime"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fsconfig_cannot_say_is_left_to_mount() {
        let plain = Filesystem { fstype: "tmpfs", data: "mode=755,size=64k", ..Filesystem::default() };
        assert!(plain.fits_fsconfig());
        let layers = format!("lowerdir={}", "/layer:".repeat(50));
        assert!(!Filesystem { data: &layers, ..plain.clone() }.fits_fsconfig());
        assert!(!Filesystem { data: "lowerdir=a\\:b", ..plain.clone() }.fits_fsconfig());
        assert!(!Filesystem { flags: MountFlags::I_VERSION, ..plain.clone() }.fits_fsconfig());
        let long = "c".repeat(256);
        assert!(!Filesystem { context: Some(&long), ..plain }.fits_fsconfig());
    }

    #[test]
    fn the_context_is_one_value_whatever_commas_it_has() {
        let context = Some("system_u:object_r:container_file_t:s0:c1,c2");
        let labelled = Filesystem { fstype: "tmpfs", data: "mode=755", context, ..Filesystem::default() };
        assert!(labelled.fits_fsconfig());
        let quoted = "context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        assert_eq!(labelled.classic_data(), format!("mode=755,{quoted}"));
        assert_eq!(Filesystem { data: "", ..labelled }.classic_data(), quoted);
        assert_eq!(Filesystem { data: "size=1m", ..Filesystem::default() }.classic_data(), "size=1m");
    }
}
