//! Pseudo terminals: pty(7), `ioctl_tty(2)`.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, OutputModes, Winsize};

use crate::Result;
use crate::call::{OrError, describe};

/// Unlocks the pty of this master and opens its other end by TIOCGPTPEER: no path that a container could change is
/// looked up. Linux 4.13.
pub fn open_peer(master: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::pty::unlockpt(master).or_error("ioctl", || format!("{}, TIOCSPTLCK, [0]", describe(master)))?;
    rustix::pty::ioctl_tiocgptpeer(master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .or_error("ioctl", || format!("{}, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC", describe(master)))
}

/// Output is passed on as it is written: `\n` does not become `\r\n`.
pub fn clear_onlcr(terminal: BorrowedFd<'_>) -> Result<()> {
    let mut modes = rustix::termios::tcgetattr(terminal)
        .or_error("ioctl", || format!("{}, TCGETS", describe(terminal)))?;
    modes.output_modes.remove(OutputModes::ONLCR);
    rustix::termios::tcsetattr(terminal, OptionalActions::Now, &modes)
        .or_error("ioctl", || format!("{}, TCSETS", describe(terminal)))
}

/// TIOCSWINSZ.
pub fn set_size(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> Result<()> {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal, size).or_error("ioctl", || {
        format!("{}, TIOCSWINSZ, {{ws_row={rows}, ws_col={columns}}}", describe(terminal))
    })
}

/// TIOCSCTTY: the controlling terminal of this session, whose leader we must be.
pub fn make_controlling(terminal: BorrowedFd<'_>) -> Result<()> {
    rustix::process::ioctl_tiocsctty(terminal)
        .or_error("ioctl", || format!("{}, TIOCSCTTY, 0", describe(terminal)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_fresh_pty_gets_its_size_and_plain_newlines() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let peer = open_peer(master.as_fd()).unwrap();
        set_size(peer.as_fd(), 132, 43).unwrap();
        clear_onlcr(peer.as_fd()).unwrap();
        let size = rustix::termios::tcgetwinsize(&master).unwrap();
        assert_eq!((size.ws_col, size.ws_row), (132, 43));
        rustix::io::write(&peer, b"a\nb").unwrap();
        let mut seen = [0u8; 8];
        let count = rustix::io::read(&master, &mut seen).unwrap();
        assert_eq!(&seen[..count], b"a\nb");
    }
}
