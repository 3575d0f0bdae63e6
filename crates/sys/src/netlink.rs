//! Requests to the kernel's routing tables and network devices: netlink(7), rtnetlink(7).

use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{Error, Result};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const HEADER: usize = 16;
/// As much as the kernel ever puts into one datagram of a dump.
const BUFFER: usize = 32 << 10;
/// A dump is repeated so often when the tables change under it.
const ATTEMPTS: usize = 16;

/// A socket of the network namespace in which it was opened, whatever namespace its user enters later.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// One answer: its type, and what follows the header.
#[derive(Debug)]
pub(crate) struct Answer {
    pub kind: u16,
    pub body: Vec<u8>,
}

impl Netlink {
    /// In the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        // No protocol is number 0: NETLINK_ROUTE.
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .map(|socket| Self { socket, sequence: 0 })
            .map_err(|e| {
                Error::new("socket", "AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE", e.raw_os_error())
            })
    }

    /// Sends one request and waits until the kernel has acknowledged it. `what` is for the error: `{RTM_GETLINK, …}`.
    pub(crate) fn ask(&mut self, kind: u16, body: &[u8], what: &str) -> Result<Vec<Answer>> {
        self.exchange(kind, NLM_F_REQUEST | NLM_F_ACK, body, what).map(|(answers, _)| answers)
    }

    /// All entries of a table.
    pub(crate) fn dump(&mut self, kind: u16, body: &[u8], what: &str) -> Result<Vec<Answer>> {
        let mut last = Vec::new();
        for _ in 0..ATTEMPTS {
            let (answers, interrupted) = self.exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, body, what)?;
            last = answers;
            if !interrupted {
                break;
            }
        }
        Ok(last)
    }

    fn exchange(&mut self, kind: u16, flags: u16, body: &[u8], what: &str) -> Result<(Vec<Answer>, bool)> {
        self.sequence += 1;
        let failed =
            |call: &'static str, errno: i32| Error::new(call, format!("NETLINK_ROUTE, {what}"), errno);
        let length = u32::try_from(HEADER + body.len()).map_err(|_| failed("sendto", libc::EMSGSIZE))?;
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0u32.to_ne_bytes());
        message.extend(body);
        rustix::net::send(&self.socket, &message, SendFlags::empty())
            .map_err(|e| failed("sendto", e.raw_os_error()))?;
        let (mut answers, mut interrupted) = (Vec::new(), false);
        loop {
            let mut buffer = vec![0; BUFFER];
            let received = match rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other.map_err(|e| failed("recvfrom", e.raw_os_error()))?,
            };
            for part in Parts(&buffer[..received.0]) {
                if part.sequence != self.sequence {
                    continue; // the rest of an exchange that has failed
                }
                interrupted |= part.flags & NLM_F_DUMP_INTR != 0;
                match part.kind {
                    NLMSG_DONE => return Ok((answers, interrupted)),
                    NLMSG_ERROR => {
                        let errno =
                            part.body.first_chunk().map_or(libc::EBADMSG, |code| -i32::from_ne_bytes(*code));
                        return if errno == 0 {
                            Ok((answers, interrupted))
                        } else {
                            Err(failed("sendto", errno))
                        };
                    }
                    kind => answers.push(Answer { kind, body: part.body.to_vec() }),
                }
            }
        }
    }
}

struct Part<'b> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'b [u8],
}

/// The messages of one datagram.
struct Parts<'b>(&'b [u8]);

impl<'b> Iterator for Parts<'b> {
    type Item = Part<'b>;

    fn next(&mut self) -> Option<Part<'b>> {
        let length = u32::from_ne_bytes(*self.0.first_chunk()?) as usize;
        let message = self.0.get(..length).filter(|message| message.len() >= HEADER)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        let number = |at: usize| u16::from_ne_bytes([message[at], message[at + 1]]);
        let sequence = u32::from_ne_bytes([message[8], message[9], message[10], message[11]]);
        Some(Part { kind: number(4), flags: number(6), sequence, body: &message[HEADER..] })
    }
}

const fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

/// Attributes behind a header: type and value.
pub(crate) fn attributes(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(head) = bytes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let Some(value) = bytes.get(4..length) else { break };
        found.push((u16::from_ne_bytes([head[2], head[3]]), value.to_vec()));
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    found
}

/// Appends an attribute.
pub(crate) fn push_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(aligned(message.len()), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_come_back_whole() {
        let mut message = vec![];
        push_attribute(&mut message, 3, b"eth0\0");
        push_attribute(&mut message, 28, &7u32.to_ne_bytes());
        assert_eq!(message.len(), 12 + 8);
        assert_eq!(attributes(&message), [(3, b"eth0\0".to_vec()), (28, 7u32.to_ne_bytes().to_vec())]);
        // A length that lies ends the list.
        assert_eq!(attributes(&[40, 0, 3, 0, 1]), []);
        assert_eq!(attributes(&[0, 0, 3, 0]), []);
    }

    #[test]
    fn a_datagram_that_is_cut_has_no_message() {
        assert_eq!(Parts(&[16, 0, 0, 0, 3]).count(), 0);
        assert_eq!(Parts(&[4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
    }
}
