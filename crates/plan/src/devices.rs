//! The devices and links every container has, and `linux.devices`.

use crate::config::Config;
use crate::host::Host;
use crate::mount_options;
use crate::{Device, DeviceKind, DeviceOrigin, NamespaceKind, Operation};

/// The specification's default devices: path, major, minor.
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/urandom", 1, 9),
    ("/dev/random", 1, 8),
];

/// Its links, and `/dev/core`, which the peers make where the kernel offers /proc/kcore.
const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// A /dev that is the host's own, bound, is left alone.
pub(crate) fn has_own_dev(config: &Config) -> bool {
    !config.document.mounts.iter().flatten().any(|mount| {
        let bind = mount_options::decode(mount.options.as_deref().unwrap_or_default()).bind.is_some();
        bind && mount.destination.split('/').filter(|part| !part.is_empty()).eq(["dev"])
    })
}

/// Where nodes come from: those that every container has, and those of the configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins {
    pub default: DeviceOrigin,
    pub listed: DeviceOrigin,
}

impl Origins {
    /// mknod is refused outside the initial user namespace. Root of the host makes the configuration's nodes there
    /// before: the host may lack them, or have them with another mode.
    pub fn of(config: &Config, host: &Host) -> Self {
        let host_root = host.rights.makes_devices;
        let (default, listed) = match (config.namespace(NamespaceKind::User).is_some(), host_root) {
            (false, true) => (DeviceOrigin::New, DeviceOrigin::New),
            (true, true) => (DeviceOrigin::Host, DeviceOrigin::Caller),
            (_, false) => (DeviceOrigin::Host, DeviceOrigin::Host),
        };
        Self { default, listed }
    }
}

pub(crate) fn operations(config: &Config, origins: Origins) -> Vec<Operation> {
    // Without a mount namespace nothing is bound, and the root may be the host's own: what is there stays.
    let replace = config.namespace(NamespaceKind::Mount).is_some();
    if !has_own_dev(config) || !replace && origins.default != DeviceOrigin::New {
        return Vec::new();
    }
    let defaults = DEFAULT.iter().map(|&(path, major, minor)| Device {
        inside: path.to_owned(),
        kind: DeviceKind::Char,
        major,
        minor,
        mode: 0o666,
        uid: 0,
        gid: 0,
        origin: origins.default,
    });
    let wanted = config.linux.devices.iter().flatten().map(|device| Device {
        inside: device.path.clone(),
        kind: match device.kind.as_str() {
            "b" => DeviceKind::Block,
            "p" => DeviceKind::Fifo,
            _ => DeviceKind::Char,
        },
        // Numbers were checked; a FIFO has none.
        major: device.major.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        minor: device.minor.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        mode: device.file_mode.unwrap_or(0o666) & 0o7777,
        uid: device.uid.unwrap_or(0),
        gid: device.gid.unwrap_or(0),
        origin: if device.kind == "p" { DeviceOrigin::New } else { origins.listed },
    });
    // A device of the configuration replaces the default one at the same path.
    let wanted: Vec<_> = wanted.collect();
    let defaults = defaults.filter(|device| !wanted.iter().any(|other| other.inside == device.inside));
    let devices: Vec<_> = defaults.chain(wanted.iter().cloned()).map(Operation::Device).collect();
    let links = LINKS.iter().map(|&(inside, target)| Operation::Symlink {
        inside: inside.to_owned(),
        target: target.to_owned(),
        replace,
    });
    devices.into_iter().chain(links).collect()
}
