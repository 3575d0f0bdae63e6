//! passwd(5) and group(5) as strings: the ids, groups and home directory of a user. Reading the files is up to the
//! caller, who knows which of them can be trusted.
#![forbid(unsafe_code)]

mod lines;
mod look_up;

pub use look_up::{LookupError, User, look_up};

/// Home directory of `uid`, from the first line of that user. `None` if there is no line, or its field is empty.
pub fn home(passwd: &str, uid: u32) -> Option<&str> {
    let account = lines::accounts(passwd).find(|account| account.uid.parse() == Ok(uid))?;
    (!account.home.is_empty()).then_some(account.home)
}

/// Name of `uid`, from the first line of that user.
pub fn name(passwd: &str, uid: u32) -> Option<&str> {
    lines::accounts(passwd).find(|account| account.uid.parse() == Ok(uid)).map(|account| account.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "#root:x:0:0::/off:/x\nroot:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:33:www:/var/www:/x\n\
                          web2:x:33:33::/no:/\nx:x:7:7::::";

    #[test]
    fn the_first_line_of_a_user_counts() {
        assert_eq!((home(PASSWD, 0), name(PASSWD, 0)), (Some("/root"), Some("root")));
        assert_eq!((home(PASSWD, 33), name(PASSWD, 33)), (Some("/var/www"), Some("web")));
    }

    #[test]
    fn no_line_or_an_empty_field_is_nothing() {
        assert_eq!((home(PASSWD, 7), name(PASSWD, 7)), (None, Some("x")));
        assert_eq!((home(PASSWD, 1000), home("", 0)), (None, None));
    }
}
