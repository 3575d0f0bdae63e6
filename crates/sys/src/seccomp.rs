//! seccomp(2): filters of classic BPF. Loading one is the last call before execve(2), because no later one is certain
//! to be allowed. [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html)

mod errno_page;
mod execute;
mod handover;
mod memory;
mod notification;

use std::ffi::{c_ulong, c_ushort};

use caisson_flags::{Named, SeccompFlags};

use crate::call::check;
use crate::{Error, Result};

pub use errno_page::{ErrnoPage, failed_with};
pub use execute::execute;
pub use handover::Handover;
pub use memory::read_memory;
pub use notification::{Answer, Listener, Notification};

/// One `struct sock_filter`: code, jt, jf, k.
pub type Instruction = (u16, u8, u8, u32);

/// A filter in the form that the kernel reads.
pub struct Filter {
    instructions: Vec<libc::sock_filter>,
    flags: SeccompFlags,
}

impl Filter {
    /// EINVAL: more instructions than a length has bits for.
    pub fn new(instructions: impl IntoIterator<Item = Instruction>, flags: SeccompFlags) -> Result<Self> {
        let instruction = |(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k };
        let instructions: Vec<_> = instructions.into_iter().map(instruction).collect();
        if c_ushort::try_from(instructions.len()).is_err() {
            return Err(Error::new("seccomp", format!("{} instructions", instructions.len()), libc::EINVAL));
        }
        Ok(Self { instructions, flags })
    }

    fn listens(&self) -> bool {
        self.flags.contains(SeccompFlags::NEW_LISTENER)
    }

    /// Loads it on the calling thread; with `NEW_LISTENER` the number of the listener, which is close-on-exec.
    ///
    /// EACCES: neither no_new_privs nor CAP_SYS_ADMIN. EBUSY: a filter with a listener is loaded already. EINVAL: an
    /// invalid program or flag. ENOMEM: the filters of the task are too long together.
    fn load(&self) -> Result<i32> {
        let program = libc::sock_fprog {
            len: self.instructions.len() as c_ushort,
            filter: self.instructions.as_ptr().cast_mut(),
        };
        // SAFETY: `program` and the instructions it points at live through the call, which only reads them.
        let result = unsafe {
            let operation = libc::SECCOMP_SET_MODE_FILTER as c_ulong;
            libc::syscall(libc::SYS_seccomp, operation, self.flags.bits() as c_ulong, &raw const program)
        };
        check(result, "seccomp", || {
            let length = self.instructions.len();
            format!("SECCOMP_SET_MODE_FILTER, {:?}, {{len={length}}}", self.flags)
        })
        .map(|number| number as i32)
    }
}

/// The flags that the kernel knows. Loads nothing: flags are checked before the program, which cannot be read.
///
/// ENOSYS: a kernel without filters. EPERM: a filter around this process denies seccomp(2).
pub fn known_flags() -> Result<SeccompFlags> {
    let mut known = SeccompFlags::empty();
    for (flag, _) in SeccompFlags::NAMES {
        // Valid beside a listener only.
        let beside = if *flag == SeccompFlags::WAIT_KILLABLE_RECV {
            SeccompFlags::NEW_LISTENER
        } else {
            SeccompFlags::empty()
        };
        if knows(*flag | beside)? {
            known |= *flag;
        }
    }
    Ok(known)
}

fn knows(flags: SeccompFlags) -> Result<bool> {
    let none = std::ptr::null::<libc::sock_fprog>();
    // SAFETY: the kernel does not follow a null pointer: EFAULT.
    let result = unsafe {
        let operation = libc::SECCOMP_SET_MODE_FILTER as c_ulong;
        libc::syscall(libc::SYS_seccomp, operation, flags.bits() as c_ulong, none)
    };
    match check(result, "seccomp", || format!("SECCOMP_SET_MODE_FILTER, {flags:?}, NULL")) {
        Err(error) if error.errno() == libc::EFAULT => Ok(true),
        Err(error) if error.errno() == libc::EINVAL => Ok(false),
        other => other.map(|_| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_apart_without_loading_anything() {
        let filters = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            status.lines().find(|line| line.starts_with("Seccomp_filters:")).map(str::to_owned)
        };
        let before = filters();
        assert!(known_flags().unwrap().contains(SeccompFlags::NEW_LISTENER | SeccompFlags::LOG));
        assert!(!knows(SeccompFlags::from_bits(1 << 31)).unwrap());
        assert_eq!(filters(), before);
    }

    #[test]
    fn a_filter_that_is_too_long_for_its_length_is_refused() {
        let allow = std::iter::repeat_n((6, 0, 0, 0x7fff_0000), 65_536);
        let error = Filter::new(allow, SeccompFlags::empty()).err().unwrap();
        assert_eq!(error.errno(), libc::EINVAL);
    }
}
