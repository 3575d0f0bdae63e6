//! Session keyrings: `keyctl(2)`.

use std::ffi::{c_char, c_int};

use crate::Result;
use crate::call::check;

const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;

/// Gives this process a new session keyring, so that it cannot reach the keys of its caller. Returns its serial
/// number.
///
/// SECURITY: the keyring has no name. One with a name is joined where it exists already, and another user, or an
/// earlier container, may have made it.
///
/// ENOSYS: a kernel without keyrings. EDQUOT: the user has too many keys (keyrings(7)).
pub fn join_new_session() -> Result<i32> {
    let name = std::ptr::null::<c_char>();
    // SAFETY: NULL asks for a keyring without a name.
    let serial = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) };
    check(serial, "keyctl", || "KEYCTL_JOIN_SESSION_KEYRING, NULL".to_owned()).map(|serial| serial as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_keyring_is_a_new_one() {
        let join = || std::thread::spawn(join_new_session).join().unwrap();
        match (join(), join()) {
            (Ok(first), Ok(second)) => assert_ne!(first, second),
            (first, _) => assert_eq!(first.unwrap_err().errno(), libc::ENOSYS),
        }
    }
}
