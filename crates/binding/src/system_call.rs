//! System calls that wait for an answer, as JavaScript objects.

use caisson_engine::Notification;
use caisson_seccomp::{Architecture, names};
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

/// A system call that waits for an answer.
#[napi(object)]
pub struct NativeSyscall {
    pub id: BigInt,
    /// Thread id.
    pub pid: i32,
    /// Negative numbers of the architecture are above 2³¹.
    pub number: u32,
    /// Absent for a number without a name.
    pub name: Option<String>,
    /// As in `linux.seccomp.architectures`; absent for one that is not known.
    pub architecture: Option<String>,
    pub instruction_pointer: BigInt,
    /// Six, as unsigned numbers.
    pub arguments: Vec<BigInt>,
}

impl From<Notification> for NativeSyscall {
    fn from(call: Notification) -> Self {
        let number = call.number.cast_unsigned();
        let architecture = architecture_of(call.architecture, number);
        Self {
            id: call.id.into(),
            pid: call.pid,
            number,
            name: architecture.and_then(|one| names::name(one, number)).map(str::to_owned),
            architecture: architecture.map(|one| one.name().to_owned()),
            instruction_pointer: call.instruction_pointer.into(),
            arguments: call.arguments.map(BigInt::from).into(),
        }
    }
}

/// `audit`: `AUDIT_ARCH_*`, which x32 shares with x86-64.
fn architecture_of(audit: u32, number: u32) -> Option<Architecture> {
    const X32_BIT: u32 = 0x4000_0000;
    let x32 = audit == Architecture::X32.audit() && number & X32_BIT != 0;
    let same = |one: &&Architecture| one.audit() == audit && (**one == Architecture::X32) == x32;
    Architecture::ALL.iter().find(same).copied()
}
