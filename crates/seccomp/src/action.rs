//! Actions, and the values that a filter returns for them: seccomp(2).

use crate::named::named;

named! {
    /// What happens to a system call.
    Action {
        /// The same as `KillThread`.
        Kill = "SCMP_ACT_KILL",
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        KillThread = "SCMP_ACT_KILL_THREAD",
        Trap = "SCMP_ACT_TRAP",
        Errno = "SCMP_ACT_ERRNO",
        Trace = "SCMP_ACT_TRACE",
        Allow = "SCMP_ACT_ALLOW",
        Log = "SCMP_ACT_LOG",
        Notify = "SCMP_ACT_NOTIFY",
    }
}

/// The errno of a rule that names none: EPERM, as runc and crun have it.
pub(crate) const DEFAULT_ERRNO: u32 = 1;
/// The kernel passes larger values on as this one (`MAX_ERRNO`).
pub(crate) const MAX_ERRNO: u32 = 4095;
/// `SECCOMP_RET_DATA`: 16 bits, for tracers.
pub(crate) const MAX_TRACE: u32 = 0xffff;

impl Action {
    /// Whether `errnoRet` applies.
    pub const fn takes_errno(self) -> bool {
        matches!(self, Self::Errno | Self::Trace)
    }

    /// `SECCOMP_RET_*` with its data.
    pub(crate) const fn value(self, errno: Option<u32>) -> u32 {
        match self {
            Self::Kill | Self::KillThread => 0,
            Self::KillProcess => 0x8000_0000,
            Self::Trap => 0x0003_0000,
            Self::Errno | Self::Trace => {
                let data = match errno {
                    Some(errno) => errno & MAX_TRACE,
                    None => DEFAULT_ERRNO,
                };
                let action = if matches!(self, Self::Errno) { 0x0005_0000 } else { 0x7ff0_0000 };
                action | data
            }
            Self::Notify => 0x7fc0_0000,
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }
}
