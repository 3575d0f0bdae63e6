//! The mounts of a mount namespace: lines of proc_pid_mountinfo(5).

/// One line: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted<'l> {
    /// Reused after the mount is gone.
    pub id: u64,
    /// Directory of the file system that is the root of this mount.
    pub root: String,
    /// Relative to the reader's root.
    pub point: String,
    pub fstype: &'l str,
    /// Comma-separated options of the file system, not those of the mount.
    pub options: &'l str,
}

/// In the order of the file, which is that of the mounts. What is not such a line is left out.
pub fn parse(text: &str) -> impl DoubleEndedIterator<Item = Mounted<'_>> {
    text.lines().filter_map(line)
}

fn line(line: &str) -> Option<Mounted<'_>> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ');
    let id = mount.next()?.parse().ok()?;
    let (root, point) = (unescape(mount.nth(2)?), unescape(mount.next()?));
    let mut file_system = file_system.split(' ');
    Some(Mounted { id, root, point, fstype: file_system.next()?, options: file_system.nth(1)? })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, character)| text.replace(escaped, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let text = "nonsense\n36 35 98:0 / /mnt/a\\040b\\134c rw,noatime master:1 shared:2 - proc proc rw,hidepid=2\n";
        let expected = Mounted {
            id: 36,
            root: "/".to_owned(),
            point: "/mnt/a b\\c".to_owned(),
            fstype: "proc",
            options: "rw,hidepid=2",
        };
        assert_eq!(parse(text).collect::<Vec<_>>(), [expected]);
    }
}
