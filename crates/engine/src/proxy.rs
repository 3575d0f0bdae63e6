//! The terminal of the command: copies bytes between a container's pty and our own standard streams without JavaScript.
//! One thread per terminal, which ends with the pty's last user or with the container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use caisson_code::Phase;
use caisson_sys::console::{self, RawMode, Size};
use caisson_sys::{poll, poll::Interest, process, terminal};
use rustix::io::Errno;

use crate::failure::{Failure, Result};

/// SIGWINCH reaches only Node's main thread, and a library should not install a handler: the size is polled.
const SIZE_INTERVAL: Duration = Duration::from_millis(150);

/// A writable pipe accepts this much without blocking (PIPE_BUF).
const CHUNK: usize = 4096;

/// Our side of a terminal.
pub struct Streams<'fd> {
    pub input: BorrowedFd<'fd>,
    pub output: BorrowedFd<'fd>,
}

/// Copies until the pty has no user any more, or `container` (a pidfd) has ended and its last output is written. An
/// input terminal is in raw mode meanwhile. End of file on our input is not forwarded. COMPAT(runc): the peers do not
/// translate it to Ctrl-D either.
pub fn proxy(master: &OwnedFd, container: Option<&OwnedFd>, streams: &Streams<'_>) -> Result<()> {
    let failed = |e: caisson_sys::Error| Failure::syscall(Phase::Start, "cannot proxy the terminal", &e);
    console::set_nonblocking(master).map_err(failed)?;
    let size_of_ours = || console::size(streams.input).or_else(|| console::size(streams.output));
    let mut size = None;
    let raw = RawMode::enter(streams.input).map_err(failed)?;
    let mut to_container = Flow::default();
    let mut to_us = Flow::default();
    let mut input_open = true;
    let mut container = container.map(AsFd::as_fd);
    loop {
        let now = size_of_ours();
        if now != size {
            resize(master, now);
            size = now;
        }
        let wanted = [
            (streams.input, Interest { read: input_open && to_container.is_empty(), write: false }),
            (master.as_fd(), Interest { read: to_us.is_empty(), write: !to_container.is_empty() }),
            (streams.output, Interest { read: false, write: !to_us.is_empty() }),
            // Not polled after its end: it would always be ready.
            (
                container.unwrap_or(master.as_fd()),
                Interest { read: container.is_some() && to_us.is_empty(), write: false },
            ),
        ];
        let ready = poll::ready(wanted, now.map(|_| SIZE_INTERVAL)).map_err(failed)?;
        if ready[0] && input_open {
            input_open = to_container.fill(streams.input)?;
        }
        if ready[1] {
            if to_us.is_empty() && !to_us.fill(master.as_fd())? {
                break;
            }
            if !to_container.is_empty() {
                to_container.drain(master.as_fd())?;
            }
        }
        if !to_us.is_empty() && ready[2] && !to_us.drain(streams.output)? {
            break; // the reader of our output is gone
        }
        if ready[3] && container.take().is_some() {
            // All its output is already in the pty, or read and not yet written. A process that left the container may
            // still hold the pty, so its end of file is not waited for.
            loop {
                while !to_us.is_empty() {
                    let output = (streams.output, Interest { read: false, write: true });
                    poll::ready([output], None).map_err(failed)?;
                    to_us.drain(streams.output)?;
                }
                if !to_us.fill(master.as_fd())? || to_us.is_empty() {
                    break;
                }
            }
            break;
        }
    }
    drop(raw);
    Ok(())
}

/// Like `proxy`, with descriptors 0 and 1 of this process.
pub fn ours(master: &OwnedFd, container: Option<&OwnedFd>) -> Result<()> {
    proxy(master, container, &Streams { input: process::standard(0), output: process::standard(1) })
}

fn resize(master: &OwnedFd, size: Option<Size>) {
    // A terminal without a size (a serial line) reports 0: the container keeps its own size.
    if let Some(Size { columns, rows }) = size.filter(|size| size.columns > 0 && size.rows > 0) {
        // Only an ended pty can fail here, and the copy loop notices that itself.
        let _ = terminal::set_size(master.as_fd(), columns, rows);
    }
}

/// Bytes that were read on one side and not yet written on the other.
#[derive(Default)]
struct Flow {
    bytes: Vec<u8>,
    written: usize,
}

impl Flow {
    fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// `false` at end of file, or on EIO of a pty whose last user is gone.
    fn fill(&mut self, from: BorrowedFd<'_>) -> Result<bool> {
        let mut buffer = [0; CHUNK];
        let (count, open) = match rustix::io::read(from, &mut buffer) {
            Ok(0) | Err(Errno::IO) => (0, false),
            Ok(count) => (count, true),
            Err(Errno::AGAIN | Errno::INTR) => (0, true),
            Err(errno) => return Err(broken("read", errno)),
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(&buffer[..count]);
        self.written = 0;
        Ok(open)
    }

    /// `false` if the other side is gone; the bytes are dropped.
    fn drain(&mut self, to: BorrowedFd<'_>) -> Result<bool> {
        match rustix::io::write(to, &self.bytes[self.written..]) {
            Ok(count) => self.written += count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::IO | Errno::PIPE) => {
                self.written = self.bytes.len();
                return Ok(false);
            }
            Err(errno) => return Err(broken("write", errno)),
        }
        Ok(true)
    }
}

fn broken(call: &'static str, errno: Errno) -> Failure {
    let error = caisson_sys::Error::new(call, "a standard stream", errno.raw_os_error());
    Failure::syscall(Phase::Start, "cannot proxy the terminal", &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use caisson_sys::descriptor;
    use rustix::pty::OpenptFlags;
    use std::io::{Read, Write};

    fn pty() -> (OwnedFd, OwnedFd) {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        let peer = terminal::open_peer(master.as_fd()).unwrap();
        (master, peer)
    }

    #[test]
    fn bytes_go_both_ways_until_the_last_user_is_gone() {
        let (master, peer) = pty();
        terminal::clear_onlcr(peer.as_fd()).unwrap();
        let ((input, ours), (result, output)) = (descriptor::pipe().unwrap(), descriptor::pipe().unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                proxy(&master, None, &Streams { input: input.as_fd(), output: output.as_fd() }).unwrap()
            });
            std::fs::File::from(ours).write_all(b"question\n").unwrap(); // and end of input
            let mut peer = std::fs::File::from(peer);
            let mut line = [0; 64];
            let count = peer.read(&mut line).unwrap();
            assert_eq!(&line[..count], b"question\n");
            peer.write_all(&[b'x'; 20_000]).unwrap();
        });
        drop(output);
        let mut seen = Vec::new();
        std::fs::File::from(result).read_to_end(&mut seen).unwrap();
        assert_eq!(seen.len(), "question\n".len() + 20_000); // the echo, then the reply
    }

    #[test]
    fn the_last_words_are_passed_on_when_the_container_has_ended_at_the_same_time() {
        let (master, peer) = pty();
        let ((input, _ours), (result, output), ended) =
            (descriptor::pipe().unwrap(), descriptor::pipe().unwrap(), descriptor::pipe().unwrap().0);
        std::fs::File::from(peer.try_clone().unwrap()).write_all(b"last words").unwrap();
        proxy(&master, Some(&ended), &Streams { input: input.as_fd(), output: output.as_fd() }).unwrap();
        drop(output);
        let mut seen = String::new();
        std::fs::File::from(result).read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "last words");
        drop(peer); // held until here by another process
    }

    #[test]
    fn the_size_of_our_terminal_is_the_size_of_theirs() {
        let ((master, peer), (_ours, terminal_of_ours)) = (pty(), pty());
        terminal::set_size(terminal_of_ours.as_fd(), 91, 37).unwrap();
        let (sleeper, seen) = (descriptor::pipe().unwrap(), peer);
        std::thread::scope(|scope| {
            let streams = Streams { input: terminal_of_ours.as_fd(), output: terminal_of_ours.as_fd() };
            let ended = &sleeper.0;
            scope.spawn(move || proxy(&master, Some(ended), &streams).unwrap());
            while console::size(&seen) != Some(Size { columns: 91, rows: 37 }) {
                std::thread::yield_now();
            }
            drop(sleeper.1); // the container ends, the pty stays open
        });
    }
}
