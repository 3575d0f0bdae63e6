//! Owners set by root for a container with a user namespace: maps every id of the image to the host.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Gid, Uid, XattrFlags};
use rustix::io::Errno;

use super::attributes::{change_mode_of_handle, of_handle};
use super::owners::Owners;
use crate::tar::acl;

/// A range of ids: first id in the image, first id on the host, size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    pub image: u32,
    pub host: u32,
    pub size: u32,
}

#[derive(Debug, Clone, Default)]
pub struct Shift {
    pub uids: Vec<IdRange>,
    pub gids: Vec<IdRange>,
}

fn shifted(ranges: &[IdRange], id: u32) -> rustix::io::Result<u32> {
    let inside = |range: &&IdRange| id >= range.image && id - range.image < range.size;
    let range = ranges.iter().find(inside).ok_or(Errno::INVAL)?;
    range.host.checked_add(id - range.image).filter(|id| *id != u32::MAX).ok_or(Errno::INVAL)
}

impl Shift {
    /// An access control list with the host's ids; `None` if an id is not mapped.
    pub fn list(&self, value: &[u8]) -> Option<Vec<u8>> {
        acl::with_ids(value, |is_group, id| shifted(if is_group { &self.gids } else { &self.uids }, id).ok())
    }
}

impl Owners for Shift {
    fn give(
        &self,
        file: BorrowedFd<'_>,
        (uid, gid): (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> rustix::io::Result<()> {
        let owner = (Uid::from_raw(shifted(&self.uids, uid)?), Gid::from_raw(shifted(&self.gids, gid)?));
        rustix::fs::chownat(file, "", Some(owner.0), Some(owner.1), AtFlags::EMPTY_PATH)?;
        if let Some(mode) = mode {
            change_mode_of_handle(file, mode)?;
        }
        let Some(capability) = capability else { return Ok(()) };
        let value = of_namespace(capability, shifted(&self.uids, 0)?);
        rustix::fs::setxattr(of_handle(file), "security.capability", &value, XattrFlags::empty())
    }

    fn root_is_us(&self) -> bool {
        false
    }

    fn ids(&self) -> &Shift {
        self
    }
}

/// Converts a version 2 file capability to version 3, which applies in the namespace whose root is `root`
/// (capabilities(7)).
fn of_namespace(value: &[u8], root: u32) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() == 20 && value[3] == 2 {
        value[3] = 3;
        value.extend_from_slice(&root.to_le_bytes());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_all_ranges_have_no_counterpart() {
        let range = |image, host, size| IdRange { image, host, size };
        let ranges = [range(0, 1000, 1), range(1, 100_000, 65_535), range(u32::MAX - 1, u32::MAX - 1, 2)];
        assert_eq!(shifted(&ranges, 0), Ok(1000));
        assert_eq!(shifted(&ranges, 65_535), Ok(165_534));
        assert_eq!(shifted(&ranges, 65_536), Err(Errno::INVAL));
        assert_eq!(shifted(&ranges, u32::MAX), Err(Errno::INVAL));
        assert_eq!(shifted(&[range(0, u32::MAX - 5, 100)], 50), Err(Errno::INVAL));
    }

    #[test]
    fn capabilities_name_the_root_of_the_namespace() {
        let version2 = [&[1, 0, 0, 2][..], &[0; 16]].concat();
        assert_eq!(of_namespace(&version2, 5), [&[1, 0, 0, 3][..], &[0; 16], &[5, 0, 0, 0]].concat());
        assert_eq!(of_namespace(b"other", 5), b"other");
    }
}
