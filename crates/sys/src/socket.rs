//! Unix SEQPACKET sockets: one datagram is one message, the kernel keeps the frames, and descriptors travel beside it.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::descriptor::proc_path;
use crate::{Error, Result};

/// Most descriptors that one message may carry (SCM_MAX_FD).
pub const MAX_DESCRIPTORS: usize = 253;

/// A connected pair, close-on-exec. [socketpair(2)](https://man7.org/linux/man-pages/man2/socketpair.2.html)
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|e| Error::new("socketpair", "AF_UNIX, SOCK_SEQPACKET", e.raw_os_error()))
}

/// Binds and listens on `name` in `directory`, for our own user only (mode 0600). The address goes through
/// /proc/self/fd, so that the length of the directory's path does not matter (108 bytes is all that a socket address
/// holds).
pub fn listen(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    let address = address(directory, name)?;
    let arguments = || format!("{name:?}");
    let socket = unix(SocketType::SEQPACKET, SocketFlags::CLOEXEC)?;
    // SECURITY: the name gets the socket's own mode, less the umask: with an umask of 0 every user could connect.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)
        .map_err(|e| Error::new("fchmod", arguments(), e.raw_os_error()))?;
    rustix::net::bind(&socket, &address)
        .map_err(|e| Error::new("bind", arguments(), e.raw_os_error()).on(name))?;
    rustix::net::listen(&socket, 16)
        .map_err(|e| Error::new("listen", arguments(), e.raw_os_error()).on(name))?;
    Ok(socket)
}

/// Connects to `name` in `directory`, without waiting; the socket does not block either. `ENOENT`: no such socket;
/// `ECONNREFUSED`: its listener is gone; `EAGAIN`: the listener accepts nothing and its backlog is full.
pub fn connect(directory: impl AsFd, name: &str) -> Result<OwnedFd> {
    let address = address(directory, name)?;
    let socket = unix(SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    rustix::net::connect(&socket, &address)
        .map_err(|e| Error::new("connect", format!("{name:?}"), e.raw_os_error()).on(name))?;
    Ok(socket)
}

/// Connects to a stream socket by path (a console socket of an engine), without waiting: `EAGAIN` as for [`connect`].
pub fn connect_stream(path: &str) -> Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)
        .map_err(|e| Error::new("connect", format!("{path:?}"), e.raw_os_error()).on(path))?;
    let socket = unix(SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    rustix::net::connect(&socket, &address)
        .map_err(|e| Error::new("connect", format!("{path:?}"), e.raw_os_error()).on(path))?;
    Ok(socket)
}

/// Takes one waiting connection, close-on-exec.
pub fn accept(listener: impl AsFd) -> Result<OwnedFd> {
    retry(|| rustix::net::accept_with(&listener, SocketFlags::CLOEXEC))
        .map_err(|e| Error::new("accept4", "SOCK_CLOEXEC", e.raw_os_error()))
}

/// Sends one message with its descriptors; never raises SIGPIPE.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[&OwnedFd]) -> Result<()> {
    let borrowed: Vec<_> = descriptors.iter().map(|fd| fd.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(Error::new("sendmsg", format!("{} descriptors", borrowed.len()), libc::E2BIG));
    }
    let sent =
        retry(|| rustix::net::sendmsg(&socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL))
            .map_err(|e| Error::new("sendmsg", format!("{} bytes", bytes.len()), e.raw_os_error()))?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(Error::new("sendmsg", format!("{sent} of {} bytes", bytes.len()), libc::EMSGSIZE))
    }
}

/// Ends a connection for both sides, whatever duplicates of the descriptor there are.
pub fn end(socket: impl AsFd) {
    // ENOTCONN: it has ended already.
    let _ = rustix::net::shutdown(&socket, rustix::net::Shutdown::Both);
}

/// One received message.
#[derive(Debug)]
pub struct Message {
    pub bytes: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

/// Receives one message of at most `limit` bytes; `None` at end of file. `EAGAIN` with `wait` false and nothing
/// there; `EMSGSIZE` for a message that was longer. Without room for its descriptors (`ulimit -n`) a message comes
/// without any.
pub fn receive(socket: impl AsFd, limit: usize, wait: bool) -> Result<Option<Message>> {
    let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
    let length = length_of_next(&socket, flags)
        .map_err(|e| Error::new("recvmsg", format!("{limit} bytes"), e.raw_os_error()))?;
    let mut bytes = vec![0; length.min(limit)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let received =
        retry(|| rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags))
            .map_err(|e| Error::new("recvmsg", format!("{limit} bytes"), e.raw_os_error()))?;
    let descriptors: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(
            |message| if let RecvAncillaryMessage::ScmRights(fds) = message { Some(fds) } else { None },
        )
        .flatten()
        .collect();
    if received.flags.contains(rustix::net::ReturnFlags::TRUNC) {
        return Err(Error::new("recvmsg", format!("a message longer than {limit} bytes"), libc::EMSGSIZE));
    }
    // All or none: who comes first is not who is meant.
    let cut = received.flags.contains(rustix::net::ReturnFlags::CTRUNC);
    let descriptors = if cut { Vec::new() } else { descriptors };
    if received.bytes == 0 {
        return Ok(None);
    }
    bytes.truncate(received.bytes);
    Ok(Some(Message { bytes, descriptors }))
}

/// Bytes of the message that is next; 0 at end of file. A buffer for the longest message would cost a fresh process
/// a page fault for every 4 KiB of it.
fn length_of_next(socket: &impl AsFd, flags: RecvFlags) -> rustix::io::Result<usize> {
    let flags = flags | RecvFlags::PEEK | RecvFlags::TRUNC;
    retry(|| rustix::net::recv(socket, &mut [0u8; 0][..], flags)).map(|(_, length)| length)
}

fn address(directory: impl AsFd, name: &str) -> Result<SocketAddrUnix> {
    let path = format!("{}/{name}", proc_path(directory));
    SocketAddrUnix::new(path.as_str())
        .map_err(|e| Error::new("socket address", format!("{path:?}"), e.raw_os_error()).on(path))
}

fn unix(kind: SocketType, flags: SocketFlags) -> Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)
        .map_err(|e| Error::new("socket", "AF_UNIX", e.raw_os_error()))
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_message_arrives_whole_with_its_descriptor() {
        let (a, b) = pair().unwrap();
        let (read, write) = crate::descriptor::pipe().unwrap();
        send(&a, b"hello", &[&write]).unwrap();
        let message = receive(&b, 64, true).unwrap().unwrap();
        assert_eq!(message.bytes, b"hello");
        assert_eq!(message.descriptors.len(), 1);
        rustix::io::write(&message.descriptors[0], b"x").unwrap();
        let mut byte = [0];
        assert_eq!(rustix::io::read(&read, &mut byte).unwrap(), 1);
        drop(a);
        assert!(receive(&b, 64, true).unwrap().is_none());
    }

    #[test]
    fn a_longer_message_is_an_error_not_a_cut() {
        let (a, b) = pair().unwrap();
        send(&a, &[1; 100], &[]).unwrap();
        assert_eq!(receive(&b, 10, true).unwrap_err().errno(), libc::EMSGSIZE);
    }

    #[test]
    fn a_listener_is_reached_through_its_directory() {
        let folder =
            std::env::temp_dir().join(format!("caisson-socket-{}-{}", std::process::id(), "x".repeat(150)));
        std::fs::create_dir(&folder).unwrap();
        let directory = OwnedFd::from(std::fs::File::open(&folder).unwrap());
        let listener = listen(&directory, "start.sock").unwrap();
        let mode = std::fs::metadata(folder.join("start.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "whatever the umask is");
        let client = connect(&directory, "start.sock").unwrap();
        let server = accept(&listener).unwrap();
        assert!(server.as_raw_fd() >= 0);
        send(&client, b"go", &[]).unwrap();
        assert_eq!(receive(&server, 8, true).unwrap().unwrap().bytes, b"go");
        drop(listener);
        assert_eq!(connect(&directory, "start.sock").unwrap_err().errno(), libc::ECONNREFUSED);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_listener_is_its_owners_and_a_full_backlog_is_told_at_once() {
        use std::os::unix::fs::MetadataExt;
        let folder = std::env::temp_dir().join(format!("caisson-backlog-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let directory = OwnedFd::from(std::fs::File::open(&folder).unwrap());
        // Of this process, with whatever other tests run in it: none of them depends on it.
        let before = rustix::process::umask(rustix::fs::Mode::empty());
        let _listener = listen(&directory, "start.sock").unwrap();
        rustix::process::umask(before);
        assert_eq!(std::fs::metadata(folder.join("start.sock")).unwrap().mode() & 0o7777, 0o600);
        let mut waiting = Vec::new();
        let error = loop {
            match connect(&directory, "start.sock") {
                Ok(socket) => waiting.push(socket),
                Err(error) => break error,
            }
            assert!(waiting.len() < 1000);
        };
        assert_eq!(error.errno(), libc::EAGAIN);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
