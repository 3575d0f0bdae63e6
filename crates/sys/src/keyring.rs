//! Session keyrings: `keyctl(2)`.

use std::ffi::{c_int, c_ulong};

use crate::Result;
use crate::call::{check, with_c_str};

const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
const KEYCTL_SETPERM: c_int = 5;
/// What the kernel gives a new session keyring: all for its possessor, view, read and link for its owner.
const DEFAULT_PERMISSIONS: c_ulong = 0x3f13_0000;
const OWNER_MAY_SEARCH: c_ulong = 0x0008_0000;
const OTHERS_MAY_SEARCH: c_ulong = 0x0000_0008;

/// Gives this process a session keyring of its own called `name`, so that it cannot reach the keys of its caller. A
/// process that joins the container later must be able to find it by name: that takes the right to search, for others
/// too where a user namespace changes who the owner is.
///
/// ENOSYS: a kernel without keyrings. EDQUOT: the user has too many keys (keyrings(7)).
pub fn join_new_session(name: &str, others_may_search: bool) -> Result<()> {
    let joined = with_c_str(name, "keyctl", |name_c| {
        // SAFETY: `name_c` is a C string that lives through the call.
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name_c) }
    })?;
    let serial = check(joined, "keyctl", || format!("KEYCTL_JOIN_SESSION_KEYRING, {name:?}"))?;
    let search = if others_may_search { OTHERS_MAY_SEARCH } else { OWNER_MAY_SEARCH };
    let permissions = DEFAULT_PERMISSIONS | search;
    // SAFETY: no pointers.
    let changed = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_SETPERM, serial, permissions) };
    check(changed, "keyctl", || format!("KEYCTL_SETPERM, {serial}, {permissions:#x}")).map(drop)
}
