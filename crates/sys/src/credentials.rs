//! User and group ids, and what prctl(2) keeps beside them. The calls are made directly: the C library's functions
//! would signal every thread of the process, and these are for a process that has only one.

use std::ffi::{CStr, c_int, c_ulong};

use crate::Result;
use crate::call::check;

pub(crate) fn prctl(name: &'static str, option: c_int, value: c_ulong, third: c_ulong) -> Result<i64> {
    // SAFETY: every caller passes an option that takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_prctl, option, value, third, 0 as c_ulong, 0 as c_ulong) };
    check(result, "prctl", || {
        if third == 0 { format!("{name}, {value}") } else { format!("{name}, {value}, {third}") }
    })
}

/// PR_SET_DUMPABLE. Not dumpable: no ptrace, and `/proc/self` belongs to root.
pub fn set_dumpable(dumpable: bool) -> Result<()> {
    prctl("PR_SET_DUMPABLE", libc::PR_SET_DUMPABLE, dumpable.into(), 0).map(drop)
}

/// PR_SET_PDEATHSIG with SIGKILL. Ends with every change of credentials, and with fork.
pub fn die_with_parent() -> Result<()> {
    prctl("PR_SET_PDEATHSIG", libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong, 0).map(drop)
}

/// PR_SET_NAME; the kernel keeps 15 bytes.
pub fn set_name(name: &CStr) -> Result<()> {
    let pointer = name.as_ptr();
    // SAFETY: `name` is a C string that lives through the call.
    let result = unsafe { libc::prctl(libc::PR_SET_NAME, pointer, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) };
    check(result.into(), "prctl", || format!("PR_SET_NAME, {name:?}")).map(drop)
}

/// PR_SET_KEEPCAPS: permitted capabilities survive the change to a user that is not root.
pub fn keep_capabilities(keep: bool) -> Result<()> {
    prctl("PR_SET_KEEPCAPS", libc::PR_SET_KEEPCAPS, keep.into(), 0).map(drop)
}

/// PR_SET_NO_NEW_PRIVS: set-user-id files and file capabilities no longer count, for good.
pub fn no_new_privileges() -> Result<()> {
    prctl("PR_SET_NO_NEW_PRIVS", libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

/// Whether set-user-id programs and file capabilities give this process nothing.
pub fn has_no_new_privileges() -> bool {
    prctl("PR_GET_NO_NEW_PRIVS", libc::PR_GET_NO_NEW_PRIVS, 0, 0) == Ok(1)
}

/// `setgroups(2)`. EPERM: no CAP_SETGID, or the user namespace denies it.
pub fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: `groups` is a live array of 32-bit ids of the length given.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    check(result, "setgroups", || format!("{}, {groups:?}", groups.len())).map(drop)
}

/// `setresgid(gid, gid, gid)`. EINVAL: the id is not mapped in this user namespace.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    check(result, "setresgid", || format!("{gid}, {gid}, {gid}")).map(drop)
}

/// `setresuid(uid, uid, uid)`. EINVAL: the id is not mapped in this user namespace. EAGAIN: RLIMIT_NPROC of that user.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    check(result, "setresuid", || format!("{uid}, {uid}, {uid}")).map(drop)
}

/// Effective user id.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Effective group id.
pub fn effective_gid() -> u32 {
    rustix::process::getegid().as_raw()
}

/// Real, effective and saved user ids, then the same of the group: `getresuid(2)`, `getresgid(2)`.
pub fn all_ids() -> [u32; 6] {
    let mut ids = [0; 6];
    let [a, b, c, d, e, f] = &mut ids;
    // SAFETY: six live numbers; the calls cannot fail on them.
    unsafe {
        libc::getresuid(a, b, c);
        libc::getresgid(d, e, f);
    }
    ids
}
