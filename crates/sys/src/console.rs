//! The terminal that the caller itself sits at: its size, and raw mode that is undone whatever happens.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, OutputModes, Termios, Winsize};

use crate::Result;
use crate::call::{OrError, describe};

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: u16,
    pub rows: u16,
}

/// Size of the terminal behind `fd`; `None`: not a terminal. TIOCGWINSZ.
pub fn size(fd: impl AsFd) -> Option<Size> {
    let Winsize { ws_col: columns, ws_row: rows, .. } = rustix::termios::tcgetwinsize(fd).ok()?;
    Some(Size { columns, rows })
}

/// A terminal in raw mode (termios(3), `cfmakeraw`) until this is dropped.
#[derive(Debug)]
pub struct RawMode<'fd> {
    terminal: BorrowedFd<'fd>,
    before: Termios,
}

impl<'fd> RawMode<'fd> {
    /// `None` where `terminal` is not a terminal.
    pub fn enter(terminal: BorrowedFd<'fd>) -> Result<Option<Self>> {
        let Ok(before) = rustix::termios::tcgetattr(terminal) else { return Ok(None) };
        let mut raw = before.clone();
        raw.make_raw();
        // COMPAT(runc): the end of a line is still made here, because the container's terminal leaves it as it is.
        raw.output_modes.insert(OutputModes::OPOST);
        rustix::termios::tcsetattr(terminal, OptionalActions::Now, &raw)
            .or_error("ioctl", || format!("{}, TCSETS", describe(terminal)))?;
        Ok(Some(Self { terminal, before }))
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // A terminal that is gone (hang-up) needs no restoring.
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// O_NONBLOCK on an open file that is not shared: every process that shares it would see the change.
pub fn set_nonblocking(fd: &OwnedFd) -> Result<()> {
    let flags =
        rustix::fs::fcntl_getfl(fd).or_error("fcntl", || format!("{}, F_GETFL", describe(fd.as_fd())))?;
    rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)
        .or_error("fcntl", || format!("{}, F_SETFL, O_NONBLOCK", describe(fd.as_fd())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal;
    use rustix::pty::OpenptFlags;
    use rustix::termios::LocalModes;

    #[test]
    fn raw_mode_ends_with_its_guard() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let peer = terminal::open_peer(master.as_fd()).unwrap();
        let echoes = || rustix::termios::tcgetattr(&peer).unwrap().local_modes.contains(LocalModes::ECHO);
        assert!(echoes());
        let raw = RawMode::enter(peer.as_fd()).unwrap();
        assert!(raw.is_some() && !echoes());
        drop(raw);
        assert!(echoes());
    }

    #[test]
    fn a_pipe_is_no_terminal() {
        let (read, _write) = crate::descriptor::pipe().unwrap();
        assert!(RawMode::enter(read.as_fd()).unwrap().is_none());
        assert_eq!(size(&read), None);
    }
}
