//! Processes by descriptor: signals that cannot hit a recycled pid, waiting, and what /proc says of a process.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use crate::{Error, Result};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// [pidfd_open(2)](https://man7.org/linux/man-pages/man2/pidfd_open.2.html). `ESRCH`: no such process.
pub fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: takes two integers; the result is a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(Error::last("pidfd_open", format!("{pid}, 0")));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// [pidfd_send_signal(2)](https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html). `ESRCH`: already reaped.
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> Result<()> {
    let number = pidfd.as_fd().as_raw_fd();
    // SAFETY: a live descriptor, a number, and no siginfo.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, number, signal, std::ptr::null::<u8>(), 0) };
    if result < 0 { Err(Error::last("pidfd_send_signal", format!("{number}, {signal}"))) } else { Ok(()) }
}

/// Reaps a child; `None` while it still runs and `block` is false. `ECHILD`: it is not our child, or the host ignores
/// SIGCHLD.
pub fn wait(pidfd: impl AsFd, block: bool) -> Result<Option<Exit>> {
    let number = pidfd.as_fd().as_raw_fd();
    let options = libc::WEXITED | libc::__WALL | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: siginfo_t is plain data for which all zeros is valid.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` outlives the call.
        let result = unsafe { libc::waitid(libc::P_PIDFD, number as libc::id_t, &mut info, options) };
        if result == 0 {
            // SAFETY: waitid filled the SIGCHLD part, or left the zeros (nothing to report yet).
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            return Ok(match (pid, info.si_code) {
                (0, _) => None,
                (_, libc::CLD_EXITED) => Some(Exit::Code(status)),
                _ => Some(Exit::Signal(status)),
            });
        }
        let error = Error::last("waitid", format!("P_PIDFD, {number}, WEXITED | __WALL"));
        if error.errno() != libc::EINTR {
            return Err(error);
        }
    }
}

/// PIDFD_GET_INFO with the exit status (Linux 6.15): for processes that are not our children. `None` where the kernel
/// cannot tell.
pub fn exit_of_stranger(pidfd: impl AsFd) -> Option<Exit> {
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup_id: u64,
        ids: [u32; 11],
        exit_code: i32,
        coredump: [u32; 2],
    }
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    const PIDFD_GET_INFO: libc::c_ulong =
        0xc000_ff0b | ((std::mem::size_of::<PidfdInfo>() as libc::c_ulong) << 16);
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request number carries the size of `info`, which outlives the call.
    let result = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO, &mut info) };
    if result < 0 || info.mask & PIDFD_INFO_EXIT == 0 {
        return None;
    }
    Some(if libc::WIFSIGNALED(info.exit_code) {
        Exit::Signal(libc::WTERMSIG(info.exit_code))
    } else {
        Exit::Code(libc::WEXITSTATUS(info.exit_code))
    })
}

/// State letter and start time (clock ticks since boot) of a process, from /proc/PID/stat. The start time tells a
/// recycled pid apart. `ENOENT`: no such process.
pub fn state_and_start_time(pid: i32) -> Result<(char, u64)> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read(&path).map_err(|e| Error::from_io("open", path.clone(), &e))?;
    // The name in parentheses may hold anything, spaces and parentheses too: count from the last one.
    let malformed = || Error::new("read", format!("{path:?}"), libc::EPROTO).on(path.clone());
    let after = text.iter().rposition(|byte| *byte == b')').ok_or_else(malformed)?;
    let rest = String::from_utf8_lossy(&text[after + 1..]);
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().and_then(|field| field.chars().next()).ok_or_else(malformed)?;
    let start = fields.nth(18).and_then(|field| field.parse().ok()).ok_or_else(malformed)?;
    Ok((state, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    #[allow(clippy::zombie_processes)] // collected by the call that is tested
    fn a_child_is_signalled_and_reaped() {
        let child = Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap();
        let fd = open(child.id() as i32).unwrap();
        assert_eq!(wait(&fd, false).unwrap(), None);
        send_signal(&fd, libc::SIGKILL).unwrap();
        assert_eq!(wait(&fd, true).unwrap(), Some(Exit::Signal(libc::SIGKILL)));
        assert_eq!(wait(&fd, true).unwrap_err().errno(), libc::ECHILD);
    }

    #[test]
    fn own_start_time_is_known() {
        let (state, start) = state_and_start_time(std::process::id() as i32).unwrap();
        assert!(state.is_ascii_uppercase() && start > 0);
        assert_eq!(state_and_start_time(i32::MAX).unwrap_err().errno(), libc::ENOENT);
    }
}
