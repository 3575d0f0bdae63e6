//! Who `User` of an image is: looked up in the passwd and group files of the root file system, as moby/sys/user does.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};

use crate::unpack::{Found, Merged, names};
use crate::{Error, Kind, Result};

/// A passwd file larger than this is an attack or a mistake.
const MAX_SIZE: usize = 8 << 20;

#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// Home directory, where the passwd file names one.
    pub home: Option<String>,
}

/// Looks `spec` up (`user`, `uid`, `user:group`, `uid:gid`, `uid:group`, `user:gid`, or empty for 0:0) below `root`, which may be a stack of layers.
///
/// A number is always an id and never a name, and must fit 0..=2147483647 (CVE-2024-40635, CVE-2026-46680). A name that
/// is not there is an error.
pub fn look_up(root: &Merged<'_>, spec: &str) -> Result<User> {
    let (user_part, group_part) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    let user_part = if user_part.is_empty() { "0" } else { user_part };
    let wanted_uid = number(user_part)?;
    let passwd = read(root, "etc/passwd")?;
    let line = passwd.lines().map(fields).find(|line| match wanted_uid {
        Some(uid) => line.get(2).and_then(|field| field.parse().ok()) == Some(uid),
        None => line.first() == Some(&user_part),
    });
    let id = |index: usize| -> Result<Option<u32>> {
        line.as_ref().and_then(|line| line.get(index)).map_or(Ok(None), |field| number(field))
    };
    let uid = match wanted_uid {
        Some(uid) => uid,
        None => match id(2)? {
            Some(uid) => uid,
            None => {
                return Err(Error::new(
                    Kind::Image,
                    format!("user {user_part:?} is not in the image's /etc/passwd"),
                )
                .hint("choose another user in the options, for example a numeric one"));
            }
        },
    };
    let name = line.as_ref().and_then(|line| line.first()).copied();
    let home = line
        .as_ref()
        .and_then(|line| line.get(5))
        .filter(|home| !home.is_empty())
        .map(|home| (*home).to_owned());
    let own_gid = id(3)?.unwrap_or(0);
    let groups = read(root, "etc/group")?;
    if let Some(group) = group_part {
        let gid = match number(group)? {
            Some(gid) => gid,
            None => {
                let line = groups.lines().map(fields).find(|line| line.first() == Some(&group));
                let gid =
                    line.as_ref().and_then(|line| line.get(2)).map_or(Ok(None), |field| number(field))?;
                gid.ok_or_else(|| {
                    Error::new(Kind::Image, format!("group {group:?} is not in the image's /etc/group"))
                })?
            }
        };
        // An explicit group takes the supplementary ones away.
        return Ok(User { uid, gid, additional_gids: Vec::new(), home });
    }
    let mut additional = BTreeSet::new();
    for line in groups.lines().map(fields) {
        let is_member =
            line.get(3).is_some_and(|members| members.split(',').any(|member| Some(member) == name));
        if let (true, Some(field)) = (is_member, line.get(2))
            && let Some(gid) = number(field)?
        {
            additional.insert(gid);
        }
    }
    additional.remove(&own_gid);
    Ok(User { uid, gid: own_gid, additional_gids: additional.into_iter().collect(), home })
}

fn fields(line: &str) -> Vec<&str> {
    line.trim().split(':').collect()
}

/// `None` for a name. A number out of range is an error and never looked up as a name.
fn number(text: &str) -> Result<Option<u32>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= i32::MAX as u32 && !text.starts_with('+') => Ok(Some(id)),
        _ => Err(Error::new(Kind::Image, format!("the id {text} is out of range (0 to {})", i32::MAX))),
    }
}

/// The file as text, empty where it is missing. Links stay inside the root; only a regular file of sane size counts
/// (a FIFO here would block for ever).
fn read(root: &Merged<'_>, path: &str) -> Result<String> {
    let system = |call, errno| Error::system(call, path.as_bytes(), errno);
    let names = root.resolve(&[], &names(path.as_bytes()))?;
    let (Found::Other(directory, _), Some(name)) = (root.look(&names)?, names.last()) else {
        return Ok(String::new());
    };
    // Links have been followed, inside.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, name.as_slice(), flags, Mode::empty())
        .map_err(|errno| system("openat", errno))?;
    let status = rustix::fs::fstat(&file).map_err(|errno| system("fstat", errno))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(Error::new(Kind::Image, format!("/{path} in the image is not a regular file")));
    }
    let bytes = caisson_sys::file::read_all(file.as_fd(), MAX_SIZE)
        .map_err(|error| Error::new(Kind::Image, format!("/{path} in the image cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: &str) -> (std::path::PathBuf, rustix::fd::OwnedFd) {
        let path = std::env::temp_dir().join(format!("caisson-passwd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("etc")).unwrap();
        std::fs::write(
            path.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n77:x:5:5::/:/x\nbig:x:4294967296:0::/:/x\n",
        )
        .unwrap();
        std::fs::write(path.join("etc/group"), "root:x:0:\nweb:x:44:\nlog:x:9:web,root\nadm:x:4:web\n")
            .unwrap();
        let fd = rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        (path, fd)
    }

    #[test]
    fn the_six_forms_are_looked_up() {
        let (path, fd) = root("forms");
        let user = |spec: &str| {
            look_up(&Merged::new(vec![fd.as_fd()]), spec)
                .map(|user| (user.uid, user.gid, user.additional_gids))
        };
        assert_eq!(user("").unwrap(), (0, 0, vec![9]));
        assert_eq!(user("web").unwrap(), (33, 44, vec![4, 9]));
        assert_eq!(user("33").unwrap(), (33, 44, vec![4, 9]));
        assert_eq!(user("web:log").unwrap(), (33, 9, vec![]));
        assert_eq!(user("1000:1001").unwrap(), (1000, 1001, vec![]));
        assert_eq!(user("1000").unwrap(), (1000, 0, vec![]));
        assert_eq!(user("77").unwrap(), (77, 0, vec![]), "a number is never a name");
        for bad in ["nobody", "web:nogroup", "4294967296", "2147483648:0", "0:2147483648", "-1", "big"] {
            assert!(user(bad).is_err(), "{bad}");
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_link_out_of_the_root_stays_inside() {
        let (path, fd) = root("link");
        std::fs::remove_file(path.join("etc/passwd")).unwrap();
        std::os::unix::fs::symlink("/../../../../etc/hostname", path.join("etc/passwd")).unwrap();
        assert!(look_up(&Merged::new(vec![fd.as_fd()]), "web").is_err());
        assert_eq!(look_up(&Merged::new(vec![fd.as_fd()]), "7").unwrap().uid, 7);
        std::fs::remove_dir_all(path).unwrap();
    }
}
