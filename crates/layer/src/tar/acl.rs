//! Access control lists: converts the text form of tar archives (acl(5), "long text form") to the extended attribute of
//! Linux (`system.posix_acl_*`, linux/posix_acl_xattr.h).

const VERSION: u32 = 2;
const UNDEFINED: u32 = u32::MAX;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The value of the attribute. `None` if the text is malformed, or names a user or group without an id: the archive
/// does not say whose names they are.
pub fn attribute(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut entries = Vec::new();
    for line in text.split([',', '\n']) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            entries.push(entry(line)?);
        }
    }
    entries.sort_unstable(); // the kernel requires them sorted by tag
    let mut value = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        value.extend_from_slice(&tag.to_le_bytes());
        value.extend_from_slice(&permissions.to_le_bytes());
        value.extend_from_slice(&id.to_le_bytes());
    }
    Some(value)
}

/// Parses `tag:qualifier:permissions[:id]` to tag, id and permissions. The fourth field is an extension of star and
/// libarchive.
fn entry(line: &str) -> Option<(u16, u32, u16)> {
    let mut fields = line.split(':').map(str::trim);
    let (tag, qualifier, permissions) = (fields.next()?, fields.next()?, fields.next()?);
    let number = fields.next().unwrap_or(qualifier);
    if fields.next().is_some() {
        return None;
    }
    let mut bits = 0;
    for letter in permissions.chars() {
        bits |= match letter {
            'r' => 4,
            'w' => 2,
            'x' => 1,
            '-' => 0,
            _ => return None,
        };
    }
    let (own, named) = match tag {
        "user" | "u" => (USER_OBJ, USER),
        "group" | "g" => (GROUP_OBJ, GROUP),
        "mask" | "m" => (MASK, MASK),
        "other" | "o" => (OTHER, OTHER),
        _ => return None,
    };
    match qualifier {
        "" => Some((own, UNDEFINED, bits)),
        _ if own == named => None,
        _ => number.parse().ok().filter(|id| *id != UNDEFINED).map(|id| (named, id, bits)),
    }
}

/// Whether the attribute's value has entries for users or groups by id.
pub fn names_ids(value: &[u8]) -> bool {
    let entries = value.get(4..).unwrap_or_default().chunks_exact(8);
    entries.into_iter().any(|entry| matches!(u16::from_le_bytes([entry[0], entry[1]]), USER | GROUP))
}

/// The value with mapped ids of users (`false`) and groups (`true`); `None` if an id is not mapped.
pub fn with_ids(value: &[u8], of: impl Fn(bool, u32) -> Option<u32>) -> Option<Vec<u8>> {
    let mut value = value.to_vec();
    for entry in value.get_mut(4..).unwrap_or_default().chunks_exact_mut(8) {
        let [low, high, _, _, id @ ..] = entry else { continue };
        let tag = u16::from_le_bytes([*low, *high]);
        if let USER | GROUP = tag {
            let found = u32::from_le_bytes([id[0], id[1], id[2], id[3]]);
            id.copy_from_slice(&of(tag == GROUP, found)?.to_le_bytes());
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_becomes_what_the_kernel_keeps() {
        let value = attribute(b"user::rw-,group::r--,user:lisa:rw-:1000,mask::rw-,other::r--").unwrap();
        let entry = |tag: u16, bits: u16, id: u32| {
            [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let expected = [
            VERSION.to_le_bytes().to_vec(),
            entry(USER_OBJ, 6, UNDEFINED),
            entry(USER, 6, 1000),
            entry(GROUP_OBJ, 4, UNDEFINED),
            entry(MASK, 6, UNDEFINED),
            entry(OTHER, 4, UNDEFINED),
        ];
        assert_eq!(value, expected.concat());
        assert!(names_ids(&value));
        let lines = attribute(b"u::rwx\ng::r-x # comment\n\no::---\n").unwrap();
        assert_eq!(lines.len(), 4 + 3 * 8);
        assert!(!names_ids(&lines));
        assert!(attribute(b"group:33:r").is_some());
    }

    #[test]
    fn numbers_are_replaced_and_nothing_else() {
        let of = |user: u32, group: u32| {
            attribute(format!("u::rwx,u:{user}:r,g::r,g:{group}:rw,m::rwx,o::-").as_bytes()).unwrap()
        };
        let shift = |is_group, id| (id < 100).then(|| id + if is_group { 2000 } else { 1000 });
        assert_eq!(with_ids(&of(7, 8), shift), Some(of(1007, 2008)));
        assert_eq!(with_ids(&of(100, 8), shift), None);
        assert_eq!(with_ids(b"odd", shift), Some(b"odd".to_vec()));
    }

    #[test]
    fn what_cannot_be_understood_is_no_list() {
        for bad in [
            "user",
            "user:",
            "who::rwx",
            "user:lisa:rwx",
            "user::rwz",
            "mask:1:r",
            "user:1:r:2:3",
            "g:4294967295:r",
        ] {
            assert_eq!(attribute(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(attribute(b"user:\xff:r"), None);
    }
}
