//! Resolves `User` of an image in the passwd and group files of the root file system.

use std::os::fd::AsFd;

use caisson_accounts::LookupError;
use rustix::fs::{FileType, Mode, OFlags};

use crate::unpack::{Found, Merged, names};
use crate::{Error, Kind, Result};

pub use caisson_accounts::User;

/// A larger passwd file is an attack or a mistake.
const MAX_SIZE: usize = 8 << 20;

/// Resolves `spec` below `root`, which may be a stack of layers: see [`caisson_accounts::look_up`].
pub fn look_up(root: &Merged<'_>, spec: &str) -> Result<User> {
    let (passwd, group) = (read(root, "etc/passwd")?, read(root, "etc/group")?);
    caisson_accounts::look_up(spec, &passwd, &group).map_err(|error| {
        let failure = Error::new(Kind::Image, error.to_string());
        match error {
            LookupError::NoUser(_) => {
                failure.hint("choose another user in the options, for example a numeric one")
            }
            LookupError::NoGroup(_) | LookupError::OutOfRange(_) => failure,
        }
    })
}

/// The content of the file, empty if it is missing.
///
/// SECURITY: links are resolved inside the root, only a regular file is opened (a FIFO would block forever, a device
/// may have side effects), and its size is limited.
fn read(root: &Merged<'_>, path: &str) -> Result<String> {
    let system = |call, errno| Error::system(call, path.as_bytes(), errno);
    let names = root.resolve(&[], &names(path.as_bytes()), &|_| Ok(false))?;
    let (Found::Other(directory, status), Some(name)) = (root.look(&names)?, names.last()) else {
        return Ok(String::new());
    };
    let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
    if !is_file(status.st_mode) {
        return Ok(String::new());
    }
    // Links have been resolved inside the root.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, name.as_slice(), flags, Mode::empty())
        .map_err(|errno| system("openat", errno))?;
    let status = rustix::fs::fstat(&file).map_err(|errno| system("fstat", errno))?;
    if !is_file(status.st_mode) {
        return Ok(String::new());
    }
    let bytes = caisson_sys::file::read_all(file.as_fd(), MAX_SIZE)
        .map_err(|error| Error::new(Kind::Image, format!("/{path} in the image cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "\
root:x:0:0::/root:/bin/sh
#web:x:1:1::/commented:/x

  web:x:33:44::/srv:/bin/sh
web:x:34:45::/second:/x
same:x:33:46::/same:/x
77:x:5:5::/number:/x
broken:x:abc:1::/:/x
noids:x
nogid:x:88:zzz::/:/x
short:x:90:91
big:x:4294967296:0::/:/x
biggid:x:91:4294967296::/:/x
";
    const GROUP: &str = "root:x:0:\nweb:x:44:web\nlog:x:9:web,root\n#off:x:10:web\nbad:x:q:web\nadm:x:4:web,same\nadm:x:4:web\n12:x:13:\n";

    fn root(name: &str) -> (std::path::PathBuf, rustix::fd::OwnedFd) {
        let path = std::env::temp_dir().join(format!("caisson-passwd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("etc")).unwrap();
        std::fs::write(path.join("etc/passwd"), PASSWD).unwrap();
        std::fs::write(path.join("etc/group"), GROUP).unwrap();
        let fd = rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        (path, fd)
    }

    #[test]
    fn every_form_is_looked_up() {
        let (path, fd) = root("forms");
        let user = |spec: &str| look_up(&Merged::new(vec![fd.as_fd()]), spec);
        let cases = [
            ("", 0, 0, vec![9], Some("/root")),
            (":", 0, 0, vec![9], Some("/root")),
            (":9", 0, 9, vec![], Some("/root")),
            ("web", 33, 44, vec![4, 9], Some("/srv")),
            ("web:", 33, 44, vec![4, 9], Some("/srv")),
            ("33", 33, 44, vec![4, 9], Some("/srv")),
            ("0033", 33, 44, vec![4, 9], Some("/srv")),
            ("web:log", 33, 9, vec![], Some("/srv")),
            ("web:1001", 33, 1001, vec![], Some("/srv")),
            ("33:log", 33, 9, vec![], Some("/srv")),
            ("33:12", 33, 12, vec![], Some("/srv")), // never the group named 12
            ("1000:1001", 1000, 1001, vec![], None),
            ("1000", 1000, 0, vec![], None),
            ("77", 77, 0, vec![], None), // never the user named 77
            ("same", 33, 46, vec![4], Some("/same")),
            ("short", 90, 91, vec![], None),
            ("2147483647:2147483647", 2_147_483_647, 2_147_483_647, vec![], None),
        ];
        for (spec, uid, gid, additional, home) in cases {
            let home = home.map(str::to_owned);
            let expected = User { uid, gid, additional_gids: additional, home };
            assert_eq!(user(spec).unwrap(), expected, "{spec:?}");
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_is_not_there_or_no_id_is_an_error() {
        let (path, fd) = root("errors");
        for spec in [
            "nobody",
            "web:nogroup",
            "33:bad",
            "0:#off",
            "#web",
            "broken",
            "noids",
            "nogid",
            "big",
            "biggid",
            "4294967296",
            "2147483648:0",
            "0:2147483648",
            "99999999999999999999",
            "-1",
            "+5",
            "0:+5",
            "0x10",
            " 0",
            "0 ",
            "web :log",
            "web:log:x",
        ] {
            assert!(look_up(&Merged::new(vec![fd.as_fd()]), spec).is_err(), "{spec:?}");
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    /// Replaces passwd with the result of `make`, then resolves `web` and 7.
    fn instead(name: &str, make: impl Fn(&std::path::Path)) -> (Result<User>, Result<User>) {
        let (path, fd) = root(name);
        let file = path.join("etc/passwd");
        std::fs::remove_file(&file).unwrap();
        make(&file);
        let user = |spec: &str| look_up(&Merged::new(vec![fd.as_fd()]), spec);
        let found = (user("web"), user("7"));
        std::fs::remove_dir_all(path).unwrap();
        found
    }

    #[test]
    fn links_are_followed_and_stay_inside() {
        let link = |target: &'static str| {
            move |file: &std::path::Path| {
                std::fs::write(file.with_file_name("other"), PASSWD).unwrap();
                std::os::unix::fs::symlink(target, file).unwrap();
            }
        };
        for (name, target) in
            [("relative", "other"), ("absolute", "/etc/other"), ("climbing", "../../../etc/other")]
        {
            assert_eq!(instead(name, link(target)).0.unwrap().uid, 33, "{target}");
        }
        let (named, numeric) = instead("out", link("/../../../../proc/self/root/etc/passwd"));
        assert!(named.is_err());
        assert_eq!(numeric.unwrap(), User { uid: 7, gid: 0, additional_gids: vec![], home: None });
        assert!(instead("loop", link("passwd")).0.is_err());
    }

    #[test]
    fn what_is_no_file_is_not_opened_and_a_huge_one_is_refused() {
        let fifo = |file: &std::path::Path| {
            rustix::fs::mknodat(rustix::fs::CWD, file, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
                .unwrap();
        };
        let directory = |file: &std::path::Path| std::fs::create_dir(file).unwrap();
        let nothing = |_: &std::path::Path| {};
        for (named, numeric) in
            [instead("fifo", fifo), instead("directory", directory), instead("nothing", nothing)]
        {
            assert!(named.is_err());
            assert_eq!(numeric.unwrap().uid, 7);
        }
        let huge = |file: &std::path::Path| {
            std::fs::File::create(file).unwrap().set_len(MAX_SIZE as u64 + 1).unwrap();
        };
        let (named, numeric) = instead("huge", huge);
        assert!(named.is_err() && numeric.is_err());
    }

    #[test]
    fn an_upper_layer_hides_the_file_of_a_lower_one() {
        let (lower, lower_fd) = root("lower");
        let (upper, upper_fd) = root("upper");
        std::fs::write(upper.join("etc/passwd"), "web:x:50:51::/up:/x\n").unwrap();
        std::fs::remove_file(upper.join("etc/group")).unwrap();
        let both = Merged::new(vec![upper_fd.as_fd(), lower_fd.as_fd()]);
        let expected =
            User { uid: 50, gid: 51, additional_gids: vec![4, 9, 44], home: Some("/up".to_owned()) };
        assert_eq!(look_up(&both, "web").unwrap(), expected);
        for path in [lower, upper] {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}
