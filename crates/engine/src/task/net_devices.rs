//! `linux.netDevices`: moves devices of the runtime's network namespace into the container's (config-linux.md, "Network
//! Devices"). What becomes of them when the container ends is the kernel's: network_namespaces(7).

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;

use caisson_code::{Code, Phase};
use caisson_plan::{NamespaceKind, NetDevice};
use caisson_sys::link::{Address, Link};
use caisson_sys::netlink::Netlink;
use caisson_sys::{Error, errno, namespace, poll};

use super::Subject;
use crate::failure::{Failure, Result};
use crate::spawner::no_thread;

/// All of them, or none: what was moved before a failure is moved back.
pub fn bring(subject: &Subject) -> Result<()> {
    let devices = &subject.record.plan.net_devices;
    if devices.is_empty() {
        return Ok(());
    }
    let container = network_namespace(subject)?;
    // setns(2) changes a thread for good: this one ends with its work.
    thread::scope(|scope| {
        let work = || Transfer::between(&container)?.bring(devices);
        let thread = thread::Builder::new().name("caisson-net".into()).spawn_scoped(scope, work);
        let ended = thread.map_err(|error| no_thread(&error))?.join();
        ended.unwrap_or_else(|_| {
            Err(Failure::internal(Phase::Setup, "the thread of network devices panicked"))
        })
    })
}

/// Of the first process, which waits for us. Its pid names no other process as long as its pidfd is silent.
fn network_namespace(subject: &Subject) -> Result<File> {
    let path = format!("/proc/{}/ns/{}", subject.pid, NamespaceKind::Network.file());
    let opened = File::open(&path);
    let is_alive = subject.pidfd.as_deref().is_some_and(|process| {
        matches!(poll::readable([process], Some(std::time::Duration::ZERO)), Ok([false]))
    });
    if !is_alive {
        return Err(failure("", "the container's first process has ended", Code::Internal));
    }
    opened.map_err(|error| Failure::io(Phase::Setup, "linux.netDevices: cannot open", path.as_ref(), &error))
}

fn failure(device: &str, message: &str, code: Code) -> Failure {
    let at = if device.is_empty() { String::new() } else { format!(".{device}") };
    Failure::new(code, Phase::Setup, format!("linux.netDevices{at}: {message}"))
}

fn failed(device: &str, error: &Error) -> Failure {
    let failure = Failure::syscall(Phase::Setup, &format!("linux.netDevices.{device}"), error);
    match error.errno() {
        errno::EPERM => {
            failure.hint("needs CAP_NET_ADMIN in the network namespaces of the runtime and of the container")
        }
        errno::EINVAL => failure.hint("some devices, such as lo, belong to their network namespace for good"),
        _ => failure,
    }
}

/// One side: its namespace, and a socket in it.
struct Side {
    namespace: OwnedFd,
    netlink: Netlink,
}

struct Transfer {
    runtime: Side,
    container: Side,
}

/// A device that is in the container now, and how it was.
struct Moved<'d> {
    device: &'d NetDevice,
    before: Link,
    addresses: Vec<Address>,
    now: Link,
}

impl Transfer {
    /// The calling thread is in the container's network namespace afterwards.
    fn between(container: &File) -> Result<Self> {
        let at = |error: Error| Failure::syscall(Phase::Setup, "linux.netDevices", &error);
        let own = "/proc/thread-self/ns/net";
        let opened = File::open(own)
            .and_then(|runtime| Ok((runtime.metadata()?, container.metadata()?, runtime)))
            .and_then(|(ours, theirs, runtime)| Ok((ours, theirs, runtime, container.try_clone()?)));
        let (ours, theirs, runtime, container) =
            opened.map_err(|error| Failure::io(Phase::Setup, "linux.netDevices:", own.as_ref(), &error))?;
        if (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()) {
            let message = "the container's network namespace is the runtime's own";
            return Err(failure("", message, Code::InvalidSpec));
        }
        let runtime = Side { namespace: runtime.into(), netlink: Netlink::open().map_err(at)? };
        namespace::join(container.as_fd(), NamespaceKind::Network.flag()).map_err(at)?;
        let container = Side { namespace: container.into(), netlink: Netlink::open().map_err(at)? };
        Ok(Self { runtime, container })
    }

    fn bring(mut self, devices: &[NetDevice]) -> Result<()> {
        // What can be known is known before the first one is moved.
        let links = devices.iter().map(|device| self.check(device)).collect::<Result<Vec<_>>>()?;
        let mut moved: Vec<Moved<'_>> = Vec::new();
        for (device, link) in devices.iter().zip(links) {
            match self.bring_one(device, link) {
                Ok(done) => moved.push(done),
                Err(mut failure) => {
                    for done in moved.iter().rev() {
                        self.take_back(done, &mut failure);
                    }
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// config-linux.md: "MUST check if moving the network interface to the container namespace is possible".
    fn check(&mut self, device: &NetDevice) -> Result<Link> {
        let NetDevice { outside, inside } = device;
        let link = self.runtime.netlink.find_link(outside).map_err(|error| match error.errno() {
            errno::ENODEV => Failure {
                errno: Some(error.errno_name()),
                ..failure(outside, "the runtime's network namespace has no such device", Code::NotFound)
            },
            _ => failed(outside, &error),
        })?;
        if !is_template(inside) {
            match self.container.netlink.find_link(inside) {
                Ok(_) => {
                    let message =
                        format!("the container's network namespace has a device {inside:?} already");
                    return Err(failure(outside, &message, Code::Exists));
                }
                Err(error) if error.errno() == errno::ENODEV => {}
                Err(error) => return Err(failed(outside, &error)),
            }
        }
        Ok(link)
    }

    fn bring_one<'d>(&mut self, device: &'d NetDevice, before: Link) -> Result<Moved<'d>> {
        let outside = &device.outside;
        let at = |error: Error| failed(outside, &error);
        let addresses = self.runtime.netlink.global_addresses(before.index).map_err(at)?;
        let others = self.container.netlink.links().map_err(at)?;
        let (target, name) = (self.container.namespace.as_fd(), &device.inside);
        let asked = self.runtime.netlink.move_link(&before, target, name).map_err(at);
        // To the kernel moving and naming are two steps: the first may be done although the second failed.
        match (self.arrived(&others, &before, name).map_err(at)?, asked) {
            (None, Err(failure)) => Err(failure),
            (None, Ok(())) => Err(failure(outside, "the device is gone", Code::Changed)),
            (Some(now), asked) => {
                let moved = Moved { device, before, addresses, now };
                match asked.and_then(|()| self.configure(&moved)) {
                    Ok(()) => Ok(moved),
                    Err(mut failure) => {
                        self.take_back(&moved, &mut failure);
                        Err(failure)
                    }
                }
            }
        }
    }

    /// The new device of that hardware address in the container: the kernel may have changed name and index.
    fn arrived(&mut self, others: &[Link], before: &Link, name: &str) -> caisson_sys::Result<Option<Link>> {
        let links = self.container.netlink.links()?;
        let is_new = |link: &&Link| !others.iter().any(|other| other.index == link.index);
        let new: Vec<_> = links.iter().filter(is_new).filter(|link| link.address == before.address).collect();
        Ok(new.iter().find(|link| link.name == name).or(new.first()).map(|link| (*link).clone()))
    }

    fn configure(&mut self, moved: &Moved<'_>) -> Result<()> {
        let at = |error: Error| failed(&moved.device.outside, &error);
        let netlink = &mut self.container.netlink;
        for address in &moved.addresses {
            netlink.add_address(&moved.now, &moved.before.name, address).map_err(at)?;
        }
        netlink.set_link_up(moved.now.index).map_err(at)
    }

    /// As it was. What cannot be undone is added to the failure that made it necessary.
    fn take_back(&mut self, moved: &Moved<'_>, reason: &mut Failure) {
        let Moved { before, addresses, now, .. } = moved;
        let runtime = &mut self.runtime.netlink;
        let mut undo = || {
            self.container.netlink.move_link(now, self.runtime.namespace.as_fd(), &before.name)?;
            let link = runtime.find_link(&before.name)?;
            for address in addresses {
                runtime.add_address(&link, &now.name, address)?;
            }
            if before.is_up { runtime.set_link_up(link.index) } else { Ok(()) }
        };
        if let Err(error) = undo() {
            let name = &before.name;
            reason.message = format!("{}; {name:?} could not be moved back: {error}", reason.message);
        }
    }
}

fn is_template(name: &str) -> bool {
    name.contains('%')
}
