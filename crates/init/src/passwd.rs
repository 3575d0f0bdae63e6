//! HOME, from the container's own `/etc/passwd`.

use std::os::fd::{AsFd, BorrowedFd};

use caisson_sys::file::{self, Kind, O_NONBLOCK, O_PATH, O_RDONLY};
use caisson_sys::resolve;

/// A larger file is not a passwd(5).
const LIMIT: usize = 1 << 20;

/// The home directory of `uid`; `/` where the file does not say.
pub fn home(root: BorrowedFd<'_>, uid: u32) -> String {
    let text = read(root).unwrap_or_default();
    caisson_accounts::home(&text, uid).unwrap_or("/").to_owned()
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
    // Bytes of another encoding in a comment must not hide every user.
    Some(String::from_utf8_lossy(&file::read_all(opened.as_fd(), LIMIT).ok()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_not_read() {
        let top = std::env::temp_dir().join(format!("caisson-passwd-{}", std::process::id()));
        std::fs::create_dir_all(top.join("etc/passwd")).unwrap();
        let root = std::fs::File::open(&top).unwrap();
        assert_eq!(home(root.as_fd(), 0), "/");
        std::fs::remove_dir_all(&top).unwrap();
    }
}
