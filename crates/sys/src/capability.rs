//! capabilities(7) of the calling thread, as bit masks: bit n is capability number n.

use std::ffi::c_ulong;

use crate::Result;
use crate::call::check;
use crate::credentials::prctl;

pub const CHOWN: u64 = 1 << 0;
pub const DAC_OVERRIDE: u64 = 1 << 1;
pub const DAC_READ_SEARCH: u64 = 1 << 2;
pub const FOWNER: u64 = 1 << 3;
pub const SETGID: u64 = 1 << 6;
pub const SETUID: u64 = 1 << 7;
pub const NET_ADMIN: u64 = 1 << 12;
pub const SYS_ADMIN: u64 = 1 << 21;
pub const MKNOD: u64 = 1 << 27;

/// The three sets of `capget(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// Two of these make 64 bits; low half first.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// `capget(2)` of this thread.
pub fn get() -> Result<Sets> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: both are live and of the sizes that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    check(result, "capget", || "_LINUX_CAPABILITY_VERSION_3, 0".to_owned())?;
    let join = |half: fn(&Data) -> u32| u64::from(half(&data[0])) | u64::from(half(&data[1])) << 32;
    Ok(Sets {
        effective: join(|data| data.effective),
        permitted: join(|data| data.permitted),
        inheritable: join(|data| data.inheritable),
    })
}

/// `capset(2)` of this thread. EPERM: more than is permitted (or inheritable beyond the bounding set).
pub fn set(sets: Sets) -> Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: both are live and of the sizes that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    check(result, "capset", || {
        let Sets { effective, permitted, inheritable } = sets;
        format!("0, {{effective={effective:#x}, permitted={permitted:#x}, inheritable={inheritable:#x}}}")
    })
    .map(drop)
}

/// Takes everything that is not in `keep` out of the bounding set, and returns what it has then: `keep` without what
/// this kernel does not know or was taken out before.
///
/// EPERM: no CAP_SETPCAP in this user namespace.
pub fn limit_bounding(keep: u64) -> Result<u64> {
    let mut left = 0;
    for number in 0..64u32 {
        let (name, option) = if keep >> number & 1 == 0 {
            ("PR_CAPBSET_DROP", libc::PR_CAPBSET_DROP)
        } else {
            ("PR_CAPBSET_READ", libc::PR_CAPBSET_READ)
        };
        match prctl(name, option, c_ulong::from(number), 0) {
            // One past the last capability there is.
            Err(error) if error.errno() == libc::EINVAL && number > 0 => break,
            Err(error) => return Err(error),
            Ok(value) => left |= (value as u64 & 1) << number,
        }
    }
    Ok(left & keep)
}

/// The ambient set.
pub fn ambient() -> Result<u64> {
    let mut set = 0;
    for number in 0..64u32 {
        let is_set = libc::PR_CAP_AMBIENT_IS_SET as c_ulong;
        match prctl("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT, is_set, number.into()) {
            // One past the last capability there is.
            Err(error) if error.errno() == libc::EINVAL && number > 0 => break,
            Err(error) => return Err(error),
            Ok(value) => set |= (value as u64 & 1) << number,
        }
    }
    Ok(set)
}

/// Clears the ambient set.
pub fn clear_ambient() -> Result<()> {
    prctl("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0).map(drop)
}

/// Adds one capability to the ambient set. EPERM: not both permitted and inheritable.
pub fn raise_ambient(number: u32) -> Result<()> {
    prctl("PR_CAP_AMBIENT", libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as c_ulong, number.into())
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_of_proc_status() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line[name.len()..].trim(), 16).unwrap()
        };
        let sets = get().unwrap();
        assert_eq!(
            sets,
            Sets { effective: field("CapEff:"), permitted: field("CapPrm:"), inheritable: field("CapInh:") }
        );
    }
}
