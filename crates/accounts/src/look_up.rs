//! Resolves the `User` of an image as moby/sys/user does.

use std::collections::BTreeSet;

use crate::lines::{accounts, groups, is_number};

#[derive(Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// Home directory, if the passwd file has one.
    pub home: Option<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error("user {0:?} is not in the image's /etc/passwd")]
    NoUser(String),
    #[error("group {0:?} is not in the image's /etc/group")]
    NoGroup(String),
    #[error("the id {0} is out of range (0 to 2147483647)")]
    OutOfRange(String),
}

/// Resolves `spec`: `user`, `uid`, `user:group`, `uid:gid`, `uid:group`, `user:gid`, or empty for 0:0.
///
/// A number is always an id and never a name, and must be in 0..=2147483647 (CVE-2024-40635, CVE-2026-46680). It gets
/// the group and supplementary groups of its line, if it has one. A name without a line is an error. The first matching
/// line is used.
pub fn look_up(spec: &str, passwd: &str, group: &str) -> Result<User, LookupError> {
    let (user, wanted) = spec.split_once(':').unwrap_or((spec, ""));
    let user = if user.is_empty() { "0" } else { user };
    let (uid, group_id) = (number(user)?, number(wanted)?);
    let line = accounts(passwd).find(|line| match uid {
        Some(uid) => line.uid.parse() == Ok(uid),
        None => line.name == user,
    });
    let (uid, own_gid) = match (&line, uid) {
        (Some(line), _) => (id(line.uid)?, id(line.gid)?),
        (None, Some(uid)) => (uid, 0),
        (None, None) => return Err(LookupError::NoUser(user.to_owned())),
    };
    let home = line.as_ref().map(|line| line.home).filter(|home| !home.is_empty()).map(ToOwned::to_owned);
    if !wanted.is_empty() {
        // An explicit group replaces the supplementary ones.
        let gid = match group_id {
            Some(gid) => gid,
            None => {
                let line = groups(group).find(|line| line.name == wanted);
                id(line.ok_or_else(|| LookupError::NoGroup(wanted.to_owned()))?.gid)?
            }
        };
        return Ok(User { uid, gid, additional_gids: Vec::new(), home });
    }
    let mut additional = BTreeSet::new();
    if let Some(account) = line {
        for line in groups(group).filter(|line| line.has(account.name)) {
            additional.insert(id(line.gid)?);
        }
    }
    additional.remove(&own_gid);
    Ok(User { uid, gid: own_gid, additional_gids: additional.into_iter().collect(), home })
}

/// `None` for a name. A number out of range is an error and is never looked up as a name.
fn number(text: &str) -> Result<Option<u32>, LookupError> {
    if is_number(text.strip_prefix(['-', '+']).unwrap_or(text)) { id(text).map(Some) } else { Ok(None) }
}

fn id(text: &str) -> Result<u32, LookupError> {
    let id = text.parse().ok().filter(|id| *id <= i32::MAX as u32 && !text.starts_with('+'));
    id.ok_or_else(|| LookupError::OutOfRange(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gets_the_groups_of_its_line() {
        let (passwd, group) = ("web:x:101:103::/srv:/x\n", "web:x:103:\nlog:x:9:web\n");
        let user = look_up("101", passwd, group).unwrap();
        assert_eq!((user.uid, user.gid, user.additional_gids), (101, 103, vec![9]));
        assert_eq!(look_up("102", passwd, group).unwrap().gid, 0);
        assert_eq!(look_up("nosuch", passwd, group), Err(LookupError::NoUser("nosuch".to_owned())));
    }
}
