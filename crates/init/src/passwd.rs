//! HOME, from the container's own `/etc/passwd`.

use std::os::fd::{AsFd, BorrowedFd};

use caisson_sys::file::{self, Kind, O_NONBLOCK, O_PATH, O_RDONLY};
use caisson_sys::resolve;

/// Larger files are no passwd(5).
const LIMIT: usize = 1 << 20;

/// The home directory of `uid`; `/` where the file does not tell.
pub fn home(root: BorrowedFd<'_>, uid: u32) -> String {
    read(root).and_then(|text| find(&text, uid)).unwrap_or_else(|| "/".to_owned())
}

/// SECURITY: the image may have put anything there: only a regular file is opened, and it is read to a limit.
fn read(root: BorrowedFd<'_>) -> Option<String> {
    let found = resolve::find_in_root(root, "/etc/passwd", O_PATH).ok()??;
    if file::status(found.as_fd()).ok()?.kind != Kind::RegularFile {
        return None;
    }
    let opened = resolve::open_in_root(root, "/etc/passwd", O_RDONLY | O_NONBLOCK).ok()?;
    if file::status(opened.as_fd()).ok()?.kind != Kind::RegularFile {
        return None;
    }
    // Bytes of another encoding in a comment are no reason to know nothing of anybody.
    Some(String::from_utf8_lossy(&file::read_all(opened.as_fd(), LIMIT).ok()?).into_owned())
}

/// `name:password:uid:gid:comment:home:shell`; the first line of the user counts, and no line that begins with `#`.
fn find(text: &str, uid: u32) -> Option<String> {
    let fields = |line: &str| -> Option<(u32, String)> {
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        Some((uid, fields.nth(2)?.to_owned()))
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let (_, home) = lines.filter_map(fields).find(|(owner, _)| *owner == uid)?;
    (!home.is_empty()).then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#root:x:0:0::/off:/x\nroot:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:33:www:/var/www:/bin/false\nweb2:x:33:33::/no:/\nx:x:7:7::::";

    #[test]
    fn the_first_line_of_a_user_tells_its_home() {
        assert_eq!(find(TEXT, 0).as_deref(), Some("/root"));
        assert_eq!(find(TEXT, 33).as_deref(), Some("/var/www"));
    }

    #[test]
    fn no_line_or_an_empty_home_tells_nothing() {
        assert_eq!(find(TEXT, 7), None);
        assert_eq!(find(TEXT, 1000), None);
        assert_eq!(find("", 0), None);
    }

    #[test]
    fn what_is_no_regular_file_is_not_read() {
        let top = std::env::temp_dir().join(format!("caisson-passwd-{}", std::process::id()));
        std::fs::create_dir_all(top.join("etc/passwd")).unwrap();
        let root = std::fs::File::open(&top).unwrap();
        assert_eq!(home(root.as_fd(), 0), "/");
        std::fs::remove_dir_all(&top).unwrap();
    }
}
