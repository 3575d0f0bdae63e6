//! Network interfaces.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::Result;
use crate::call::check;

/// Sets IFF_UP on `lo` of the current network namespace (netdevice(7)); needs CAP_NET_ADMIN there.
pub fn loopback_up() -> Result<()> {
    // Any family will do for interface flags; AF_UNIX is the one that no sandbox forbids and no kernel lacks.
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket.into(), "socket", || "AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0".to_owned())?;
    // SAFETY: the descriptor was just created for us.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut name = [0; libc::IFNAMSIZ];
    for (slot, byte) in name.iter_mut().zip(b"lo") {
        *slot = *byte as libc::c_char;
    }
    let ifr_ifru =
        libc::__c_anonymous_ifr_ifru { ifru_flags: (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short };
    let request = libc::ifreq { ifr_name: name, ifr_ifru };
    // SAFETY: `request` is a live struct ifreq with a terminated name.
    let value = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    check(value.into(), "ioctl", || {
        "AF_UNIX, SIOCSIFFLAGS, {ifr_name=\"lo\", ifr_flags=IFF_UP|IFF_RUNNING}".to_owned()
    })
    .map(drop)
}
