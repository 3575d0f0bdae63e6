//! Network devices and their addresses, by rtnetlink(7).

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::netlink::{Netlink, attributes, push_attribute};
use crate::{Error, Result};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFA_LABEL: u16 = 3;
const IFA_FLAGS: u16 = 8;
/// IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_CACHEINFO, IFA_RT_PRIORITY, IFA_PROTO.
const KEPT: [u16; 6] = [1, 2, 4, 6, 9, 11];
const IFA_F_PERMANENT: u32 = 0x80;
/// What a request may set: NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN.
const SETTABLE: u32 = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;
const RT_SCOPE_UNIVERSE: u8 = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub index: i32,
    pub name: String,
    pub is_up: bool,
    /// Of the hardware.
    pub address: Vec<u8>,
}

/// An address of a device, to be added to a device again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    family: u8,
    prefix_length: u8,
    flags: u32,
    label: Option<Vec<u8>>,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Netlink {
    /// ENODEV: the namespace has no such device.
    pub fn find_link(&mut self, name: &str) -> Result<Link> {
        let what = format!("{{RTM_GETLINK, IFLA_IFNAME={name:?}}}");
        let mut request = header(0, 0, 0);
        push_attribute(&mut request, IFLA_IFNAME, &terminated(name));
        let answers = self.ask(RTM_GETLINK, &request, &what)?;
        let link = answers.iter().filter(|answer| answer.kind == RTM_NEWLINK).find_map(|a| link(&a.body));
        link.ok_or_else(|| Error::new("recvfrom", what, libc::ENODEV))
    }

    pub fn links(&mut self) -> Result<Vec<Link>> {
        let answers = self.dump(RTM_GETLINK, &header(0, 0, 0), "{RTM_GETLINK}")?;
        Ok(answers.iter().filter(|answer| answer.kind == RTM_NEWLINK).filter_map(|a| link(&a.body)).collect())
    }

    /// Moves a device into another network namespace and names it there: a name, or a template such as `eth%d`. The
    /// kernel takes down the device and drops its addresses.
    ///
    /// EEXIST: the name is taken there. The device may have been moved nevertheless, with its old name.
    pub fn move_link(&mut self, link: &Link, namespace: BorrowedFd<'_>, name: &str) -> Result<()> {
        let mut request = header(link.index, 0, 0);
        push_attribute(&mut request, IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        push_attribute(&mut request, IFLA_IFNAME, &terminated(name));
        let what = format!(
            "{{RTM_SETLINK, ifi_index={} ({:?}), IFLA_NET_NS_FD={}, IFLA_IFNAME={name:?}}}",
            link.index,
            link.name,
            namespace.as_raw_fd()
        );
        self.ask(RTM_SETLINK, &request, &what).map(drop)
    }

    /// Sets IFF_UP.
    pub fn set_link_up(&mut self, index: i32) -> Result<()> {
        let up = libc::IFF_UP as u32;
        let what = format!("{{RTM_SETLINK, ifi_index={index}, IFF_UP}}");
        self.ask(RTM_SETLINK, &header(index, up, up), &what).map(drop)
    }

    /// Addresses of a device that are permanent and of global scope (RT_SCOPE_UNIVERSE), in their order.
    pub fn global_addresses(&mut self, index: i32) -> Result<Vec<Address>> {
        let answers = self.dump(RTM_GETADDR, &[0; 8], "{RTM_GETADDR}")?;
        let addresses = answers.iter().filter(|answer| answer.kind == RTM_NEWADDR);
        Ok(addresses.filter_map(|answer| address(&answer.body, index)).collect())
    }

    /// Adds an address as it was on a device of another name: labels of that name get the new one.
    pub fn add_address(&mut self, link: &Link, former: &str, address: &Address) -> Result<()> {
        let mut request = vec![address.family, address.prefix_length, 0, RT_SCOPE_UNIVERSE];
        request.extend(link.index.to_ne_bytes());
        for (kind, value) in &address.attributes {
            push_attribute(&mut request, *kind, value);
        }
        push_attribute(&mut request, IFA_FLAGS, &(address.flags & SETTABLE).to_ne_bytes());
        if let Some(label) = address.label.as_deref().and_then(|label| relabelled(label, former, &link.name))
        {
            push_attribute(&mut request, IFA_LABEL, &label);
        }
        let what = format!("{{RTM_NEWADDR, ifa_index={} ({:?})}}", link.index, link.name);
        self.ask(RTM_NEWADDR, &request, &what).map(drop)
    }
}

/// `struct ifinfomsg`.
fn header(index: i32, flags: u32, change: u32) -> Vec<u8> {
    let mut header = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    header.extend(index.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header.extend(change.to_ne_bytes());
    header
}

fn terminated(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn link(body: &[u8]) -> Option<Link> {
    let (header, rest) = body.split_at_checked(16)?;
    let number = |at: usize| header[at..].first_chunk::<4>().copied();
    let attributes = attributes(rest);
    let value = |wanted: u16| attributes.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let name = value(IFLA_IFNAME)?.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(Link {
        index: i32::from_ne_bytes(number(4)?),
        name: String::from_utf8_lossy(name).into_owned(),
        is_up: u32::from_ne_bytes(number(8)?) & libc::IFF_UP as u32 != 0,
        address: value(IFLA_ADDRESS).cloned().unwrap_or_default(),
    })
}

fn address(body: &[u8], wanted: i32) -> Option<Address> {
    let (header, rest) = body.split_at_checked(8)?;
    let index = i32::from_ne_bytes(*header[4..].first_chunk()?);
    let attributes = attributes(rest);
    let value = |wanted: u16| attributes.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let long = value(IFA_FLAGS).and_then(|flags| flags.first_chunk()).map(|flags| u32::from_ne_bytes(*flags));
    let flags = long.unwrap_or(header[2].into());
    if index != wanted || flags & IFA_F_PERMANENT == 0 || header[3] != RT_SCOPE_UNIVERSE {
        return None;
    }
    let label = value(IFA_LABEL).cloned();
    let attributes = attributes.into_iter().filter(|(kind, _)| KEPT.contains(kind)).collect();
    Some(Address { family: header[0], prefix_length: header[1], flags, label, attributes })
}

/// `eth0:1` of eth0 becomes `net1:1` of net1. `None` where it would be too long: the kernel takes the name then.
fn relabelled(label: &[u8], former: &str, name: &str) -> Option<Vec<u8>> {
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    let own = label.strip_prefix(former.as_bytes()).filter(|rest| rest.is_empty() || rest[0] == b':');
    let label = own.map_or_else(|| label.to_vec(), |rest| [name.as_bytes(), rest].concat());
    (label.len() < libc::IFNAMSIZ).then(|| [label, vec![0]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_is_found_and_another_is_not() {
        let mut netlink = Netlink::open().unwrap();
        let loopback = netlink.find_link("lo").unwrap();
        assert_eq!((loopback.index, loopback.name.as_str()), (1, "lo"));
        assert!(netlink.links().unwrap().contains(&loopback));
        let error = netlink.find_link("caisson-none").unwrap_err();
        assert_eq!(error.errno(), libc::ENODEV, "{error}");
        // ::1 and 127.0.0.1 are of the host's scope.
        assert_eq!(netlink.global_addresses(1).unwrap(), []);
    }

    #[test]
    fn labels_follow_the_name() {
        assert_eq!(relabelled(b"eth0:1\0", "eth0", "net1").unwrap(), b"net1:1\0");
        assert_eq!(relabelled(b"eth0\0", "eth0", "net1").unwrap(), b"net1\0");
        assert_eq!(relabelled(b"eth01\0", "eth0", "net1").unwrap(), b"eth01\0");
        assert_eq!(relabelled(b"eth0:longer\0", "eth0", "a-very-long-one"), None);
    }
}
