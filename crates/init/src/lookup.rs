//! Which file `args[0]` is, found at create with the user's own rights, as execvp(3) would look.

use std::os::fd::AsFd;

use caisson_code::Code;
use caisson_sys::errno::{EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR};
use caisson_sys::file::{self, Kind, O_PATH};
use caisson_sys::resolve;

use crate::failure::{Result, SetupError};

/// What execvp(3) searches where the environment has no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The path to execute. COMPAT(runc): the messages are those of Go's `exec.LookPath`; engines turn them into exit
/// codes.
pub fn find(program: &str, path: Option<&str>) -> Result<String> {
    if program.contains('/') {
        return check(program).map(|()| program.to_owned());
    }
    let mut denied = None;
    for directory in path.unwrap_or(DEFAULT_PATH).split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{}/{program}", directory.trim_end_matches('/'));
        match check(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(problem) if problem.errno() == EACCES => denied = Some(problem),
            Err(_) => {}
        }
    }
    let reason = format!("exec: {program:?}: executable file not found in $PATH");
    Err(match denied {
        // There is one, but not for this user.
        Some(denied) => denied.message(format!("exec: {program:?}: permission denied")),
        None => SetupError::refused(Code::ExecNotFound, reason),
    })
}

/// Whether `path` may be executed as it is now.
///
/// SECURITY: CVE-2024-21626 and its kin. An image may name its program by a link to `/proc/self/fd/N/…`,
/// `/proc/self/cwd` or `/proc/1/root`. When this is called nothing of the host is open, and such links are refused on
/// top of that. The program is then executed by its path, as with the peers: executed by descriptor it would be
/// called `/dev/fd/N` (comm, AT_EXECFN), and a script would find no file.
pub fn check(path: &str) -> Result<()> {
    let found = resolve::open_without_magic_links(path, O_PATH).map_err(|error| {
        let (code, text) = match error.errno() {
            ENOENT => (Code::ExecNotFound, "no such file or directory"),
            ENOTDIR => (Code::ExecNotFound, "not a directory"),
            ENAMETOOLONG => (Code::ExecNotFound, "file name too long"),
            EACCES => (Code::ExecDenied, "permission denied"),
            ELOOP => (Code::ExecDenied, "too many levels of symbolic links"),
            _ => return SetupError::from(error),
        };
        let looped = error.errno() == ELOOP;
        let problem =
            SetupError::from(error).code(code).message(format!("exec: {path:?}: stat {path}: {text}"));
        if looped {
            problem.hint("links of procfs such as /proc/self/fd/3 are never followed")
        } else {
            problem
        }
    })?;
    if file::status(found.as_fd())?.kind == Kind::Directory {
        return Err(SetupError::refused(Code::ExecDenied, format!("exec: {path:?}: is a directory")).on(path));
    }
    let denied = |problem: SetupError| {
        problem.code(Code::ExecDenied).message(format!("exec: {path:?}: permission denied")).on(path)
    };
    file::may_execute(found.as_fd()).map_err(|error| denied(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(program: &str, path: Option<&str>) -> (Code, String) {
        let failure = find(program, path).unwrap_err().into_failure();
        (failure.code, failure.message)
    }

    #[test]
    fn a_name_is_searched_in_the_directories_of_path() {
        assert_eq!(find("sh", Some("/nowhere:/bin")).unwrap(), "/bin/sh");
        assert_eq!(find("sh", None).unwrap(), "/bin/sh");
    }

    #[test]
    fn what_is_not_there_is_told_in_the_words_of_runc() {
        let expected = "exec: \"nosuch\": executable file not found in $PATH";
        assert_eq!(message("nosuch", Some("/bin")), (Code::ExecNotFound, expected.into()));
        let expected = "exec: \"/no/such\": stat /no/such: no such file or directory";
        assert_eq!(message("/no/such", None), (Code::ExecNotFound, expected.into()));
    }

    #[test]
    fn links_of_procfs_are_not_followed() {
        let message = message("/proc/self/exe", None).1;
        assert_eq!(
            message,
            "exec: \"/proc/self/exe\": stat /proc/self/exe: too many levels of symbolic links"
        );
    }

    #[test]
    fn what_may_not_be_executed_is_told_apart() {
        let expected = "exec: \"/etc/passwd\": permission denied";
        assert_eq!(message("/etc/passwd", None), (Code::ExecDenied, expected.into()));
        let expected = "exec: \"/etc\": is a directory";
        assert_eq!(message("/etc", None), (Code::ExecDenied, expected.into()));
    }
}
