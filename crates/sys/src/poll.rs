//! epoll and eventfd for the reactor; poll for the helper.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll};

use crate::{Error, Result};

/// An epoll set whose members are known by a number of the caller's.
#[derive(Debug)]
pub struct Poller(OwnedFd);

impl Poller {
    pub fn new() -> Result<Self> {
        epoll::create(epoll::CreateFlags::CLOEXEC)
            .map(Self)
            .map_err(|e| Error::new("epoll_create1", "EPOLL_CLOEXEC", e.raw_os_error()))
    }

    /// Reports `key` whenever `fd` is readable, at its end, or in error (level-triggered).
    pub fn add(&self, fd: impl AsFd, key: u64) -> Result<()> {
        let number = fd.as_fd().as_raw_fd();
        epoll::add(&self.0, fd, epoll::EventData::new_u64(key), epoll::EventFlags::IN)
            .map_err(|e| Error::new("epoll_ctl", format!("EPOLL_CTL_ADD, {number}"), e.raw_os_error()))
    }

    /// Reports `key` when the peer of a socket is gone, whatever may be read until then.
    pub fn add_hang_up(&self, fd: impl AsFd, key: u64) -> Result<()> {
        let number = fd.as_fd().as_raw_fd();
        epoll::add(&self.0, fd, epoll::EventData::new_u64(key), epoll::EventFlags::empty())
            .map_err(|e| Error::new("epoll_ctl", format!("EPOLL_CTL_ADD, {number}"), e.raw_os_error()))
    }

    /// Must be called before the descriptor is closed where duplicates of it may live on in a child.
    pub fn remove(&self, fd: impl AsFd) -> Result<()> {
        let number = fd.as_fd().as_raw_fd();
        epoll::delete(&self.0, fd)
            .map_err(|e| Error::new("epoll_ctl", format!("EPOLL_CTL_DEL, {number}"), e.raw_os_error()))
    }

    /// The keys that are ready; none when `timeout` passed first. `None` waits for ever.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<u64>> {
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; 64];
        let limit = timeout.map(timespec);
        match epoll::wait(&self.0, &mut events, limit.as_ref()) {
            Ok(count) => Ok(events[..count].iter().map(|event| event.data.u64()).collect()),
            Err(rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(e) => Err(Error::new("epoll_wait", "", e.raw_os_error())),
        }
    }
}

/// A counter that wakes a poller: the way other threads reach the reactor.
#[derive(Debug)]
pub struct Waker(OwnedFd);

impl Waker {
    pub fn new() -> Result<Self> {
        rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Self)
            .map_err(|e| Error::new("eventfd", "0, EFD_CLOEXEC | EFD_NONBLOCK", e.raw_os_error()))
    }

    pub fn wake(&self) {
        // A full counter (EAGAIN) already wakes; there is no other error for a live eventfd.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Back to quiet; call it before looking at what the wake-up was for.
    pub fn drain(&self) {
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of the descriptors is readable or at its end; says which. All false: `timeout` passed.
pub fn readable<const N: usize>(descriptors: [&OwnedFd; N], timeout: Option<Duration>) -> Result<[bool; N]> {
    let deadline = timeout.map(|t| Instant::now() + t);
    let mut set = descriptors.map(|fd| PollFd::new(fd, PollFlags::IN));
    loop {
        let limit = deadline.map(|d| timespec(d.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut set, limit.as_ref()) {
            Ok(_) => return Ok(std::array::from_fn(|i| !set[i].revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new("poll", format!("{N} descriptors"), e.raw_os_error())),
        }
    }
}

/// What to wait for on a descriptor; neither: it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    pub read: bool,
    pub write: bool,
}

/// Waits until one of the descriptors can be read or written as asked, or is at its end or in error; says which.
/// All false: `timeout` passed.
pub fn ready<const N: usize>(
    wanted: [(BorrowedFd<'_>, Interest); N],
    timeout: Option<Duration>,
) -> Result<[bool; N]> {
    let flags = |Interest { read, write }| {
        (if read { PollFlags::IN } else { PollFlags::empty() })
            | if write { PollFlags::OUT } else { PollFlags::empty() }
    };
    // poll(2) reports the end of a descriptor even where nothing is asked of it: such ones stay out of the set.
    let mut set: Vec<_> = wanted
        .iter()
        .filter(|(_, i)| i.read || i.write)
        .map(|(fd, i)| PollFd::from_borrowed_fd(*fd, flags(*i)))
        .collect();
    let limit = timeout.map(timespec);
    match rustix::event::poll(&mut set, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(Error::new("poll", format!("{N} descriptors"), e.raw_os_error())),
    }
    let mut polled = set.iter();
    Ok(wanted.map(|(_, i)| (i.read || i.write) && polled.next().is_some_and(|fd| !fd.revents().is_empty())))
}

/// Whether reading would not wait now. Files on a disk never do.
pub fn readable_now(fd: impl AsFd) -> Result<bool> {
    let read = Interest { read: true, write: false };
    ready([(fd.as_fd(), read)], Some(Duration::ZERO)).map(|[now]| now)
}

/// Waits until the other side of `fd` is gone for good, whatever may be read until then; for a pidfd: until its process
/// has been collected (Linux 6.9). `false`: `timeout` passed.
pub fn hung_up(fd: &impl AsFd, timeout: Duration) -> Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        let limit = timespec(deadline.saturating_duration_since(Instant::now()));
        match rustix::event::poll(&mut [PollFd::new(fd, PollFlags::empty())], Some(&limit)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new("poll", "1 descriptor, POLLHUP", e.raw_os_error())),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waker_wakes_once_drained_it_is_quiet() {
        let (poller, waker) = (Poller::new().unwrap(), Waker::new().unwrap());
        poller.add(&waker, 7).unwrap();
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
        waker.wake();
        assert_eq!(poller.wait(None).unwrap(), [7]);
        waker.drain();
        assert!(poller.wait(Some(Duration::ZERO)).unwrap().is_empty());
    }

    #[test]
    #[allow(clippy::print_stdout)] // a skipped test says why
    fn a_pidfd_hangs_up_when_its_process_is_collected() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pidfd = crate::pidfd::open(child.id() as i32).unwrap();
        readable([&pidfd], None).unwrap();
        assert_eq!(crate::pidfd::exit_of_stranger(&pidfd), None);
        assert!(!hung_up(&pidfd, Duration::ZERO).unwrap());
        child.wait().unwrap();
        match hung_up(&pidfd, Duration::from_secs(5)) {
            Ok(true) => {}
            other => println!("SKIPPED: this kernel does not hang up pidfds: {other:?}"),
        }
    }
}
