//! Which of a file's attributes go into an image, and which owner it has there.

use crate::error::display;
use crate::tar::acl;
use crate::unpack::{ROOTLESS_XATTR, is_acl, steers_overlays};
use crate::{Error, Kind, Result};

/// Maps `size` ids starting at `host` to those starting at `container`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    pub container: u32,
    pub host: u32,
    pub size: u32,
}

/// Owners of the files in the image.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    /// Overrides the owner in the tree.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Maps host ids to ids in the container; empty for the identity.
    pub uid_map: Vec<IdMap>,
    pub gid_map: Vec<IdMap>,
    /// A tree of an unprivileged user: owners come from `user.rootlesscontainers`, or else are root.
    pub rootless: bool,
}

impl Owners {
    /// The uid and gid in the container. Removes attributes from `xattrs` that only record the owner.
    pub fn of(
        &self,
        path: &[u8],
        ids: (u32, u32),
        xattrs: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(u32, u32)> {
        let (uid, gid) = if self.rootless {
            let recorded = xattrs.iter().position(|(name, _)| name == ROOTLESS_XATTR);
            match recorded.map(|index| xattrs.remove(index)) {
                Some((_, value)) => decode(&value).ok_or_else(|| {
                    Error::new(
                        Kind::Option,
                        format!("{}: user.rootlesscontainers is malformed", display(path)),
                    )
                    .on(display(path))
                })?,
                None => (0, 0),
            }
        } else {
            if !self.uid_map.is_empty() {
                self.unmap_capability(xattrs);
            }
            self.unmap_acls(path, xattrs)?;
            (map(&self.uid_map, ids.0, "uid", path)?, map(&self.gid_map, ids.1, "gid", path)?)
        };
        Ok((self.uid.unwrap_or(uid), self.gid.unwrap_or(gid)))
    }

    /// A file capability for the namespace of the map (version 3, capabilities(7)) becomes one of the image (version
    /// 2).
    fn unmap_capability(&self, xattrs: &mut [(Vec<u8>, Vec<u8>)]) {
        let is_root = |id| map(&self.uid_map, id, "uid", b"").is_ok_and(|id| id == 0);
        for (name, value) in xattrs {
            if name == b"security.capability"
                && let [_, _, _, version @ 3, .., a, b, c, d] = value.as_mut_slice()
                && is_root(u32::from_le_bytes([*a, *b, *c, *d]))
            {
                *version = 2;
                value.truncate(20);
            }
        }
    }

    /// Maps the ids in access control lists to the container.
    fn unmap_acls(&self, path: &[u8], xattrs: &mut [(Vec<u8>, Vec<u8>)]) -> Result<()> {
        for (name, value) in xattrs.iter_mut().filter(|(name, _)| is_acl(name)) {
            let inside = |is_group, id| {
                let (maps, what) = if is_group { (&self.gid_map, "gid") } else { (&self.uid_map, "uid") };
                map(maps, id, what, path).ok()
            };
            *value = acl::with_ids(value, inside).ok_or_else(|| {
                let shown = display(path);
                let message = format!("{shown}: {} names an id that is not in the id map", display(name));
                Error::new(Kind::Option, message).on(shown).hint("extend the map")
            })?;
        }
        Ok(())
    }
}

fn map(maps: &[IdMap], id: u32, what: &str, path: &[u8]) -> Result<u32> {
    if maps.is_empty() {
        return Ok(id);
    }
    let found = maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.host).filter(|offset| *offset < map.size)?;
        map.container.checked_add(offset)
    });
    found.ok_or_else(|| {
        let shown = display(path);
        Error::new(Kind::Option, format!("{shown}: its {what} {id} is not in the id map"))
            .on(shown)
            .hint("extend the map, or set the owner")
    })
}

/// The protobuf message `Resource { uint32 uid = 1; uint32 gid = 2 }` of the rootlesscontainers project; the id
/// 4294967295 there means "not set".
fn decode(mut bytes: &[u8]) -> Option<(u32, u32)> {
    let (mut uid, mut gid) = (0, 0);
    while let Some((tag, rest)) = bytes.split_first() {
        let (value, rest) = varint(rest)?;
        match tag {
            0x08 => uid = value,
            0x10 => gid = value,
            _ => return None,
        }
        bytes = rest;
    }
    let set = |id| if id == u32::MAX { 0 } else { id };
    Some((set(uid), set(gid)))
}

fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

/// Attributes that are only valid on their machine: labels of security modules, signatures with its keys, NFS, and
/// control of overlay mounts.
pub fn stays_behind(name: &[u8]) -> bool {
    matches!(name, b"security.selinux" | b"security.ima" | b"security.evm" | b"system.nfs4_acl")
        || steers_overlays(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_owners_are_read() {
        assert_eq!(decode(&[]), Some((0, 0)));
        assert_eq!(decode(&[0x08, 33]), Some((33, 0)));
        assert_eq!(decode(&[0x08, 0xe8, 0x07, 0x10, 5]), Some((1000, 5)));
        assert_eq!(decode(&[0x10, 0xff, 0xff, 0xff, 0xff, 0x0f]), Some((0, 0)));
        for bad in [&[0x08][..], &[0x08, 0x80], &[0x18, 1], &[0x08, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn capabilities_of_the_namespace_become_those_of_the_image() {
        let owners = Owners { uid_map: vec![IdMap { container: 0, host: 5, size: 2 }], ..Owners::default() };
        let of = |root: u8| {
            let value = [&[1, 0, 0, 3][..], &[7; 16], &[root, 0, 0, 0]].concat();
            let mut xattrs = vec![(b"security.capability".to_vec(), value)];
            owners.of(b"x", (5, 0), &mut xattrs).unwrap();
            xattrs.remove(0).1
        };
        assert_eq!(of(5), [&[1, 0, 0, 2][..], &[7; 16]].concat());
        assert_eq!(of(6).len(), 24); // of another namespace inside this one
    }

    #[test]
    fn ids_are_mapped_or_refused() {
        let owners = Owners {
            uid_map: vec![
                IdMap { container: 0, host: 1000, size: 1 },
                IdMap { container: 1, host: 200_000, size: 100 },
            ],
            gid_map: vec![IdMap { container: 0, host: 0, size: u32::MAX }],
            ..Owners::default()
        };
        let of = |uid| owners.of(b"x", (uid, 7), &mut Vec::new());
        assert_eq!(of(1000).unwrap(), (0, 7));
        assert_eq!(of(200_099).unwrap(), (100, 7));
        assert_eq!(of(200_100).unwrap_err().kind, Kind::Option);
        assert_eq!(of(0).unwrap_err().kind, Kind::Option);
    }
}
