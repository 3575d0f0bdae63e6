//! The devices that a container may use. Default deny (GHSA-g54h: an empty list does not mean "allow all"): the
//! configuration's rules in order, then the devices that every container has.

use std::path::Path;

use caisson_sys::{bpf, errno};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, LinuxResources};
use serde::Serialize;

use crate::{Error, Operation, Placement, Result, files};

/// One rule of the list, wildcards as `None`; serialised as `allow c 1:3 rwm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Rule {
    allow: bool,
    /// `b`, `c`, or `a` for both.
    kind: char,
    major: Option<u32>,
    minor: Option<u32>,
    read: bool,
    write: bool,
    mknod: bool,
}

/// The devices that the specification gives every container, and those that the peers add: mknod of any device (which
/// does not include its use), ptys, /dev/ptmx, /dev/net/tun.
const ALWAYS: [(char, Option<u32>, Option<u32>, &str); 11] = [
    ('c', None, None, "m"),
    ('b', None, None, "m"),
    ('c', Some(1), Some(3), "rwm"),
    ('c', Some(1), Some(8), "rwm"),
    ('c', Some(1), Some(7), "rwm"),
    ('c', Some(5), Some(0), "rwm"),
    ('c', Some(1), Some(5), "rwm"),
    ('c', Some(1), Some(9), "rwm"),
    ('c', Some(136), None, "rwm"),
    ('c', Some(5), Some(2), "rwm"),
    ('c', Some(10), Some(200), "rwm"),
];

/// # Errors
/// SECURITY: without a hierarchy that can restrict devices a program with CAP_MKNOD could use all of the host's. For an
/// unprivileged user, who cannot create devices, `None`. COMPAT(runc): refused there, too.
pub(crate) fn operation(placement: &Placement, wanted: Option<&LinuxResources>) -> Result<Option<Operation>> {
    let rules = complete(wanted.and_then(|limits| limits.devices().as_deref()).unwrap_or_default())?;
    let places = &placement.places;
    let version_1 = places.iter().find(|place| place.has("devices"));
    // A program can be attached to any cgroup of version 2, those of a hybrid host included.
    let Some(place) = version_1.or_else(|| places.iter().find(|place| place.unified)) else {
        if placement.rootless {
            return Ok(None);
        }
        return Err(Error::new(
            "linux.resources.devices: no cgroup hierarchy that can restrict devices is mounted",
        )
        .hint("mount cgroup version 2, or the devices hierarchy of version 1; or use the cgroup manager \"disabled\""));
    };
    let rules = if place.unified { rules } else { exceptions(&rules)? };
    let directory = place.directory.clone();
    Ok(Some(Operation::RestrictDevices { directory, rules, if_permitted: placement.rootless }))
}

/// Applies the rules of [`operation`].
pub(crate) fn restrict(directory: &Path, rules: &[Rule], version_2: bool) -> Result<()> {
    if version_2 { attach(directory, rules) } else { write_v1(directory, rules) }
}

/// Deny all, the configuration's rules, the devices that every container has. Rules before the last one about all
/// devices have no effect.
fn complete(wanted: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>> {
    let mut rules = vec![with_access(Rule::none(false, 'a', None, None), "rwm")?];
    for rule in wanted {
        rules.push(parse(rule)?);
    }
    for (kind, major, minor, access) in ALWAYS {
        rules.push(with_access(Rule::none(true, kind, major, minor), access)?);
    }
    let last_total = rules.iter().rposition(Rule::is_total).unwrap_or(0);
    Ok(rules.split_off(last_total))
}

fn parse(rule: &LinuxDeviceCgroup) -> Result<Rule> {
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => 'a',
        Some(LinuxDeviceType::B) => 'b',
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
        Some(LinuxDeviceType::P) => {
            return Err(Error::new("linux.resources.devices: a FIFO has no device rule"));
        }
    };
    let number = |value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| Error::new(format!("linux.resources.devices: invalid device number {value}"))),
    };
    let (major, minor) = (number(rule.major())?, number(rule.minor())?);
    let base = Rule::none(rule.allow(), kind, major, minor);
    match rule.access().as_deref().unwrap_or_default() {
        // COMPAT(runc): refused.
        "" => Err(Error::new("linux.resources.devices: missing access: expected letters of \"rwm\"")),
        access => with_access(base, access),
    }
}

fn with_access(mut rule: Rule, access: &str) -> Result<Rule> {
    for letter in access.chars() {
        match letter {
            'r' => rule.read = true,
            'w' => rule.write = true,
            'm' => rule.mknod = true,
            other => {
                return Err(Error::new(format!(
                    "linux.resources.devices: invalid access {other:?}: expected letters of \"rwm\""
                )));
            }
        }
    }
    Ok(rule)
}

impl Rule {
    /// A rule without any access.
    fn none(allow: bool, kind: char, major: Option<u32>, minor: Option<u32>) -> Self {
        Self { allow, kind, major, minor, read: false, write: false, mknod: false }
    }

    fn is_about_the_devices_of(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn shares_devices_with(&self, other: &Self) -> bool {
        let either = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        let kinds = self.kind == other.kind || self.kind == 'a' || other.kind == 'a';
        kinds && either(self.major, other.major) && either(self.minor, other.minor)
    }

    /// The devices of both, of one kind.
    fn intersection(&self, other: &Self) -> Self {
        Self { major: self.major.or(other.major), minor: self.minor.or(other.minor), ..*self }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let access = (self.read && other.read) || (self.write && other.write) || (self.mknod && other.mknod);
        access && self.shares_devices_with(other)
    }

    /// Whether this rule applies to all devices of `other`.
    fn covers_devices_of(&self, other: &Self) -> bool {
        let covers = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
        (self.kind == 'a' || self.kind == other.kind)
            && covers(self.major, other.major)
            && covers(self.minor, other.minor)
    }

    fn is_total(&self) -> bool {
        self.kind == 'a'
            && self.major.is_none()
            && self.minor.is_none()
            && self.read
            && self.write
            && self.mknod
    }

    /// Version 1 does not support `a` with numbers: the kernel would apply it to all devices.
    fn by_kind(&self) -> Vec<Self> {
        let kinds: &[char] = if self.kind == 'a' { &['b', 'c'] } else { &[self.kind] };
        kinds.iter().map(|kind| Self { kind: *kind, ..*self }).collect()
    }

    /// The format of devices.allow and devices.deny.
    fn text(&self) -> String {
        if self.is_total() {
            return "a".into();
        }
        let number = |value: Option<u32>| value.map_or("*".to_owned(), |value| value.to_string());
        let letters = [(self.read, 'r'), (self.write, 'w'), (self.mknod, 'm')];
        let access: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
        format!("{} {}:{} {access}", self.kind, number(self.major), number(self.minor))
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        format!("{} {}", if rule.allow { "allow" } else { "deny" }, rule.text())
    }
}

/// Version 1 has a default verdict, the first rule, and a set of exceptions, not a list. The kernel removes an
/// exception only if the numbers are equal, and otherwise ignores the request silently, so the effect of the list is
/// computed here.
fn exceptions(rules: &[Rule]) -> Result<Vec<Rule>> {
    let Some((first, rest)) = rules.split_first() else { return Ok(Vec::new()) };
    let mut set: Vec<Rule> = Vec::new();
    for rule in rest.iter().flat_map(Rule::by_kind) {
        if rule.allow != first.allow {
            include(&mut set, rule);
            continue;
        }
        for old in set.iter_mut().filter(|old| rule.overlaps(old)) {
            if !rule.covers_devices_of(old) {
                return Err(Error::new(format!(
                    "linux.resources.devices: {:?} takes back a part of {:?}, which cgroup version 1 cannot express",
                    rule.text(),
                    old.text()
                ))
                .hint("list the devices one by one, or use a host with cgroup version 2"));
            }
            old.read &= !rule.read;
            old.write &= !rule.write;
            old.mknod &= !rule.mknod;
        }
        set.retain(|old| old.read || old.write || old.mknod);
    }
    if !first.allow {
        join_halves(&mut set);
    }
    Ok(std::iter::once(*first).chain(set).collect())
}

fn include(set: &mut Vec<Rule>, rule: Rule) {
    match set.iter_mut().find(|old| old.is_about_the_devices_of(&rule)) {
        Some(old) => {
            old.read |= rule.read;
            old.write |= rule.write;
            old.mknod |= rule.mknod;
        }
        None => set.push(rule),
    }
}

/// Opening for reading and writing is one request, which the kernel allows only if one exception has both. So devices
/// that one exception lets be read and another written, `c 10:* r` and `c 10:229 w`, get an exception with both.
fn join_halves(set: &mut Vec<Rule>) {
    let mut index = 0;
    while let Some(one) = set.get(index).copied() {
        for other in set.clone() {
            let both = Rule { read: true, write: true, mknod: false, ..one.intersection(&other) };
            let halves = (one.read && !one.write && other.write) || (one.write && !one.read && other.read);
            let is_there = |old: &Rule| old.read && old.write && old.covers_devices_of(&both);
            if halves && one.shares_devices_with(&other) && !set.iter().any(is_there) {
                include(set, both);
            }
        }
        index += 1;
    }
}

/// Writes the default verdict and its exceptions.
fn write_v1(directory: &Path, rules: &[Rule]) -> Result<()> {
    let Some((first, exceptions)) = rules.split_first() else { return Ok(()) };
    let (verdict, other) =
        if first.allow { ("devices.allow", "devices.deny") } else { ("devices.deny", "devices.allow") };
    files::write(directory, verdict, &first.text())?;
    if exceptions.is_empty() {
        return Ok(());
    }
    let file = files::Writer::open(directory, other)?; // one rule per write, one open for all
    exceptions.iter().try_for_each(|rule| file.write(&rule.text()))
}

/// Version 2: the rules become a BPF program; a list that ends in "allow all" needs none.
fn attach(directory: &Path, rules: &[Rule]) -> Result<()> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let cgroup = rustix::fs::open(directory, flags, rustix::fs::Mode::empty())
        .map_err(|e| Error::io("cannot open", directory, &e.into()))?;
    let failed = |e: caisson_sys::Error| {
        let io = std::io::Error::from_raw_os_error(e.errno());
        Error::io(&format!("cannot restrict devices ({e}) of"), directory, &io)
    };
    if rules.iter().all(|rule| rule.allow) {
        return match bpf::detach_device_programs(&cgroup) {
            Err(error) if error.errno() == errno::EPERM => Ok(()), // no permission to query, so no restriction either
            other => other.map_err(failed),
        };
    }
    let program: Vec<_> = rules
        .iter()
        .map(|rule| bpf::DeviceRule {
            allow: rule.allow,
            kind: match rule.kind {
                'b' => Some(bpf::DeviceKind::Block),
                'c' => Some(bpf::DeviceKind::Char),
                _ => None,
            },
            major: rule.major,
            minor: rule.minor,
            access: u32::from(rule.mknod) | u32::from(rule.read) << 1 | u32::from(rule.write) << 2,
        })
        .collect();
    bpf::attach_device_program(&cgroup, &program).map_err(failed)
}

#[cfg(test)]
mod tests;
