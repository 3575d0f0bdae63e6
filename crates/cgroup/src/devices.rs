//! Which devices a container may use. Default deny (GHSA-g54h: an empty list is not "allow all"): the configuration's
//! rules in order, then the devices every container has.

use std::path::Path;

use caisson_sys::bpf;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::placement::Place;
use crate::{Error, Result, files};

/// One rule of the list, wildcards as `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    allow: bool,
    /// `b`, `c`, or `a` for both.
    kind: char,
    major: Option<u32>,
    minor: Option<u32>,
    read: bool,
    write: bool,
    mknod: bool,
}

/// What the specification gives every container, and what the peers add: mknod of anything (using it is another matter),
/// ptys, /dev/ptmx, /dev/net/tun.
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

pub(crate) fn apply(places: &[Place], wanted: &[LinuxDeviceCgroup], version_2: bool) -> Result<()> {
    let rules = complete(wanted)?;
    if version_2 {
        return places.first().map_or(Ok(()), |place| attach(&place.directory, &rules));
    }
    let place = places.iter().find(|place| place.controllers.iter().any(|c| c == "devices"));
    match place {
        Some(place) => write_v1(&place.directory, &rules),
        None => Ok(()),
    }
}

/// Deny all, the configuration's rules, the devices every container has; nothing before the last rule about everything matters.
fn complete(wanted: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>> {
    let deny_all =
        Rule { allow: false, kind: 'a', major: None, minor: None, read: true, write: true, mknod: true };
    let mut rules = vec![deny_all];
    for rule in wanted {
        rules.push(parse(rule)?);
    }
    for (kind, major, minor, access) in ALWAYS {
        rules.push(with_access(
            Rule { allow: true, kind, major, minor, read: false, write: false, mknod: false },
            access,
        )?);
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
            .map_err(|_| Error::new(format!("linux.resources.devices: {value} is no device number"))),
    };
    let (major, minor) = (number(rule.major())?, number(rule.minor())?);
    let base = Rule { allow: rule.allow(), kind, major, minor, read: false, write: false, mknod: false };
    // A rule about everything is about every access too, as in devices.allow.
    let access = rule.access().as_deref().unwrap_or(if kind == 'a' { "rwm" } else { "" });
    with_access(base, access)
}

fn with_access(mut rule: Rule, access: &str) -> Result<Rule> {
    for letter in access.chars() {
        match letter {
            'r' => rule.read = true,
            'w' => rule.write = true,
            'm' => rule.mknod = true,
            other => {
                return Err(Error::new(format!(
                    "linux.resources.devices: access {other:?} is none of r, w, m"
                )));
            }
        }
    }
    Ok(rule)
}

impl Rule {
    fn is_total(&self) -> bool {
        self.kind == 'a'
            && self.major.is_none()
            && self.minor.is_none()
            && self.read
            && self.write
            && self.mknod
    }

    /// As devices.allow and devices.deny take it.
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

fn write_v1(directory: &Path, rules: &[Rule]) -> Result<()> {
    for rule in rules {
        // `a` with numbers does not exist in version 1: the kernel would take it for everything.
        let kinds: &[char] = if rule.kind == 'a' && !rule.is_total() { &['b', 'c'] } else { &[rule.kind] };
        for kind in kinds {
            let rule = if rule.is_total() { *rule } else { Rule { kind: *kind, ..*rule } };
            files::write(directory, if rule.allow { "devices.allow" } else { "devices.deny" }, &rule.text())?;
        }
    }
    Ok(())
}

/// Version 2: the rules become a program; a list that ends in "allow all" needs none.
fn attach(directory: &Path, rules: &[Rule]) -> Result<()> {
    if rules.iter().all(|rule| rule.allow) {
        return Ok(());
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
    let failed = |e: caisson_sys::Error| {
        let io = std::io::Error::from_raw_os_error(e.errno());
        Error::io(&format!("cannot restrict devices ({e}) of"), directory, &io)
    };
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let cgroup = rustix::fs::open(directory, flags, rustix::fs::Mode::empty())
        .map_err(|e| Error::io("cannot open", directory, &e.into()))?;
    bpf::attach_device_program(&cgroup, &program).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::LinuxDeviceCgroupBuilder;

    #[test]
    fn nothing_asked_for_is_not_everything() {
        let rules = complete(&[]).unwrap();
        assert!(!rules[0].allow && rules[0].is_total());
        assert_eq!(rules.len(), 12);
        assert_eq!(rules[1].text(), "c *:* m");
        assert_eq!(rules[3].text(), "c 1:3 rwm");
    }

    #[test]
    fn the_last_rule_about_everything_replaces_what_came_before() {
        let allow_all = LinuxDeviceCgroupBuilder::default().allow(true).access("rwm").build().unwrap();
        let rules = complete(std::slice::from_ref(&allow_all)).unwrap();
        assert!(rules.iter().all(|rule| rule.allow));
        assert_eq!(rules[0].text(), "a");
    }

    #[test]
    fn unknown_access_is_refused() {
        let odd = LinuxDeviceCgroupBuilder::default().allow(true).access("rx").build().unwrap();
        assert!(complete(&[odd]).unwrap_err().to_string().contains("'x'"));
    }
}
