//! What a process sets on itself before it becomes another program, and `execve(2)`.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use caisson_flags::PersonalityDomain;
use rustix::fs::Mode;

use crate::call::{OrError, check, check_descriptor, describe};
use crate::{Error, Result};

/// Program arguments or environment in the form that execve(2) reads, made before anything can fail.
#[derive(Debug)]
pub struct Strings {
    texts: Vec<CString>,
}

impl Strings {
    /// EINVAL where a text has a NUL inside.
    pub fn new<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self> {
        let texts: std::result::Result<_, _> = texts.into_iter().map(CString::new).collect();
        match texts {
            Ok(texts) => Ok(Self { texts }),
            Err(error) => {
                let text = String::from_utf8_lossy(&error.into_vec()).into_owned();
                Err(Error::new("execve", format!("{text:?}"), libc::EINVAL))
            }
        }
    }

    /// Valid as long as this is; ends with NULL.
    pub(crate) fn pointers(&self) -> Vec<*const c_char> {
        self.texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    }
}

/// The arguments of execve(2) as an error shows them.
pub fn execve_arguments(path: &str, arguments: &Strings, environment: &Strings) -> String {
    format!("{path:?}, [{} args], [{} vars]", arguments.texts.len(), environment.texts.len())
}

/// `execve(2)`: returns only with the error.
pub fn execute(path: &str, arguments: &Strings, environment: &Strings) -> Error {
    let (argv, envp) = (arguments.pointers(), environment.pointers());
    let failed = crate::call::with_c_str(path, "execve", |path_c| {
        // SAFETY: a C string and two NULL-terminated arrays of C strings, all alive through the call.
        unsafe { libc::execve(path_c, argv.as_ptr(), envp.as_ptr()) };
        Error::last("execve", execve_arguments(path, arguments, environment))
    });
    match failed {
        Ok(error) | Err(error) => error.on(path),
    }
}

/// `close_range(first, ~0, CLOSE_RANGE_CLOEXEC)`: nothing from `first` on survives exec. Linux 5.11; marked one by one
/// on older kernels.
pub fn close_on_exec_from(first: RawFd) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: c_uint = 1 << 2;
    // SAFETY: no pointers, and no descriptor is closed before exec.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first as c_uint, c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
    match check(result, "close_range", || format!("{first}, ~0, CLOSE_RANGE_CLOEXEC")) {
        Err(error) if matches!(error.errno(), libc::ENOSYS | libc::EINVAL) => mark_each_from(first),
        other => other.map(drop),
    }
}

fn mark_each_from(first: RawFd) -> Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(1 << 20);
    for number in first..=(limit.min(1 << 20) as RawFd) {
        // SAFETY: no pointers; a number that is not open is EBADF and nothing happens.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// Makes descriptor number `to` the same as `from`, open across exec; what was there is closed. `dup2(2)`.
pub fn install(from: BorrowedFd<'_>, to: RawFd) -> Result<()> {
    // Some number the caller owns is replaced: those of stdio, and of descriptors handed to a program.
    // SAFETY: no pointers.
    let result = unsafe { libc::dup2(from.as_raw_fd(), to) };
    check(result.into(), "dup2", || format!("{}, {to}", describe(from))).map(drop)
}

/// A copy of the descriptor, close-on-exec, whose number is `least` or more: `F_DUPFD_CLOEXEC`.
pub fn duplicate_above(fd: BorrowedFd<'_>, least: RawFd) -> Result<OwnedFd> {
    // SAFETY: no pointers.
    let value = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    check_descriptor(value.into(), "fcntl", || format!("{}, F_DUPFD_CLOEXEC, {least}", describe(fd)))
}

/// Standard input, output and error (0, 1, 2): open as long as this process lives.
pub fn standard(number: RawFd) -> BorrowedFd<'static> {
    assert!((0..=2).contains(&number));
    // SAFETY: 0, 1 and 2 are never closed here; `install` replaces them in one step.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// A descriptor that is open and stays so: one that was handed to us for the program. EBADF: it is not open.
pub fn borrowed(number: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: no pointers.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    check(flags.into(), "fcntl", || format!("{number}, F_GETFD"))?;
    // SAFETY: it is open, and is neither owned nor closed here.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// `kill(-leader, SIGKILL)`: a whole process group. A group that is gone already is ignored.
pub fn kill_group(leader: i32) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::kill(-leader, libc::SIGKILL) };
    match check(result.into(), "kill", || format!("-{leader}, SIGKILL")) {
        Err(error) if error.errno() == libc::ESRCH => Ok(()),
        other => other.map(drop),
    }
}

/// Kills and collects a child that has not been collected yet, so that its number cannot be another's.
pub fn end_child(pid: i32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    // SAFETY: the status is not asked for. EINTR: another turn; any other error means that the child does not exist.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } < 0
        && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
    {}
}

/// `setrlimit` by number (RLIMIT_*); u64::MAX is RLIM_INFINITY. EPERM: raising the hard limit without
/// CAP_SYS_RESOURCE in the initial user namespace.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    let none = std::ptr::null_mut::<libc::rlimit64>();
    // SAFETY: `limit` is a live struct rlimit64, the old one is not asked for.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const limit, none) };
    check(result, "prlimit64", || format!("0, {resource}, {{rlim_cur={soft}, rlim_max={hard}}}")).map(drop)
}

/// Soft and hard limit by number (RLIMIT_*).
pub fn limit(resource: u32) -> Result<(u64, u64)> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = std::ptr::null::<libc::rlimit64>();
    // SAFETY: `limit` is a live struct rlimit64, a new one is not given.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, none, &raw mut limit) };
    check(result, "prlimit64", || format!("0, {resource}, NULL"))?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// `personality(2)`.
pub fn set_personality(domain: PersonalityDomain) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::personality(domain.number().into()) };
    check(result.into(), "personality", || format!("PER_{}", domain.name())).map(drop)
}

/// `umask(2)`; returns the old one. Cannot fail.
pub fn set_umask(mask: u32) -> u32 {
    rustix::process::umask(Mode::from_raw_mode(mask)).as_raw_mode()
}

/// `sethostname(2)`.
pub fn set_hostname(name: &str) -> Result<()> {
    rustix::system::sethostname(name.as_bytes())
        .or_error("sethostname", || format!("{name:?}, {}", name.len()))
}

/// `setdomainname(2)`.
pub fn set_domainname(name: &str) -> Result<()> {
    rustix::system::setdomainname(name.as_bytes())
        .or_error("setdomainname", || format!("{name:?}, {}", name.len()))
}

/// `fchdir(2)`.
pub fn change_directory(dir: BorrowedFd<'_>) -> Result<()> {
    rustix::process::fchdir(dir).or_error("fchdir", || describe(dir))
}

/// `chroot(".")`.
pub fn change_root_here() -> Result<()> {
    rustix::process::chroot(".").or_error("chroot", || "\".\"".to_owned())
}

/// `getcwd(2)`: begins with `(unreachable)` where the directory is not below our root.
pub fn current_directory() -> Result<String> {
    let path = rustix::process::getcwd(Vec::new()).or_error("getcwd", String::new)?;
    Ok(path.to_string_lossy().into_owned())
}

/// `setsid(2)`. EPERM: we lead a process group already.
pub fn new_session() -> Result<()> {
    rustix::process::setsid().or_error("setsid", String::new).map(drop)
}

/// `getpid(2)`, as our own pid namespace counts.
pub fn id() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// `exit_group(2)` without running anything on the way out.
pub fn exit(status: c_int) -> ! {
    // SAFETY: `_exit` does not return and touches nothing.
    unsafe { libc::_exit(status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let strings = Strings::new(["x"]).unwrap();
        let error = execute("/no/such/program", &strings, &strings);
        assert_eq!(
            (error.call(), error.path(), error.errno()),
            ("execve", Some("/no/such/program"), libc::ENOENT)
        );
    }

    #[test]
    fn a_nul_in_an_argument_is_refused() {
        assert_eq!(Strings::new(["a", "b\0c"]).unwrap_err().errno(), libc::EINVAL);
    }

    #[test]
    fn limits_are_read_and_set_by_number() {
        let (soft, hard) = limit(libc::RLIMIT_CORE).unwrap();
        set_limit(libc::RLIMIT_CORE, soft, hard).unwrap();
        assert_eq!(limit(999).unwrap_err().errno(), libc::EINVAL);
    }
}
