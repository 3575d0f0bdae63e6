//! Lines of both files. Comments and lines without numeric ids are skipped, as in glibc: Go's reader takes an invalid
//! number for 0, and with it a broken line for root.

/// passwd(5): `name:password:uid:gid:comment:home:shell`.
pub struct Account<'t> {
    pub name: &'t str,
    pub uid: &'t str,
    pub gid: &'t str,
    pub home: &'t str,
}

/// group(5): `name:password:gid:member,member`.
pub struct Group<'t> {
    pub name: &'t str,
    pub gid: &'t str,
    members: &'t str,
}

impl Group<'_> {
    pub fn has(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member == user)
    }
}

pub fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = fields(line)?;
        let name = fields.next()?;
        let uid = fields.nth(1).filter(|text| is_number(text))?;
        let gid = fields.next().filter(|text| is_number(text))?;
        Some(Account { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

pub fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = fields(line)?;
        let name = fields.next()?;
        let gid = fields.nth(1).filter(|text| is_number(text))?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

/// `None` for a comment.
fn fields(line: &str) -> Option<std::str::Split<'_, char>> {
    let line = line.trim();
    (!line.starts_with('#')).then(|| line.split(':'))
}

pub fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
