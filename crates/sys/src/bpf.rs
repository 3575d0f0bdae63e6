//! The device controller of cgroup version 2 is a BPF program: generated, loaded and attached here.
//! [bpf(2)](https://man7.org/linux/man-pages/man2/bpf.2.html), BPF_PROG_TYPE_CGROUP_DEVICE.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    Block = 1,
    Char = 2,
}

/// `None` matches everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    pub allow: bool,
    pub kind: Option<DeviceKind>,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// BPF_DEVCG_ACC_*: mknod 1, read 2, write 4.
    pub access: u32,
}

/// struct bpf_insn.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const ALL_ACCESS: u32 = 7;

/// Loads the program of the rules (the last rule about an access decides; none denies) and makes it the only one of a
/// cgroup directory: what an earlier container left there goes. Programs of the cgroups above keep their say.
pub fn attach_device_program(cgroup: impl AsFd, rules: &[DeviceRule]) -> Result<()> {
    const BPF_PROG_ATTACH: i64 = 8;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let (cgroup, program) = (cgroup.as_fd(), loaded(rules)?);
    let mut attribute = target(cgroup, program.as_fd(), BPF_F_ALLOW_MULTI);
    let attached = bpf(BPF_PROG_ATTACH, &mut attribute, "BPF_PROG_ATTACH, BPF_CGROUP_DEVICE");
    let all = device_programs(cgroup)?;
    if attached.is_ok() && all.len() < 2 {
        return Ok(());
    }
    let own = id_of(program.as_fd())?;
    if !all.contains(&own) {
        attached?; // EINVAL is the answer for one that is attached already
    }
    all.into_iter().filter(|id| *id != own).try_for_each(|id| detach(cgroup, id))
}

/// Takes away what restricts devices in this very directory. EPERM: not allowed to look, let alone to restrict.
pub fn detach_device_programs(cgroup: impl AsFd) -> Result<()> {
    let cgroup = cgroup.as_fd();
    device_programs(cgroup)?.into_iter().try_for_each(|id| detach(cgroup, id))
}

fn detach(cgroup: BorrowedFd<'_>, id: u32) -> Result<()> {
    const BPF_PROG_DETACH: i64 = 9;
    const BPF_PROG_GET_FD_BY_ID: i64 = 13;
    let mut attribute = Attribute::default();
    attribute.0[0] = id.into();
    let program = bpf(BPF_PROG_GET_FD_BY_ID, &mut attribute, "BPF_PROG_GET_FD_BY_ID")?;
    // SAFETY: BPF_PROG_GET_FD_BY_ID returned a new descriptor.
    let program = unsafe { OwnedFd::from_raw_fd(program as i32) };
    let mut attribute = target(cgroup, program.as_fd(), 0);
    bpf(BPF_PROG_DETACH, &mut attribute, "BPF_PROG_DETACH, BPF_CGROUP_DEVICE").map(drop)
}

fn target(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, flags: u32) -> Attribute {
    let mut attribute = Attribute::default();
    attribute.0[0] = pair(number(cgroup), number(program));
    attribute.0[1] = pair(BPF_CGROUP_DEVICE, flags);
    attribute
}

const BPF_CGROUP_DEVICE: u32 = 6;

/// Ids of the device programs of this very directory.
fn device_programs(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    const BPF_PROG_QUERY: i64 = 16;
    let mut ids = [0u32; 64]; // BPF_CGROUP_MAX_PROGS
    let mut attribute = Attribute::default();
    attribute.0[0] = pair(number(cgroup), BPF_CGROUP_DEVICE);
    attribute.0[2] = ids.as_mut_ptr() as u64;
    attribute.0[3] = ids.len() as u64;
    bpf(BPF_PROG_QUERY, &mut attribute, "BPF_PROG_QUERY, BPF_CGROUP_DEVICE")?;
    Ok(ids.into_iter().take(attribute.0[3] as u32 as usize).collect())
}

fn id_of(program: BorrowedFd<'_>) -> Result<u32> {
    const BPF_OBJ_GET_INFO_BY_FD: i64 = 15;
    let mut information = [0u32; 8]; // the start of struct bpf_prog_info: type, id, …
    let mut attribute = Attribute::default();
    attribute.0[0] = pair(number(program), size_of_val(&information) as u32);
    attribute.0[1] = information.as_mut_ptr() as u64;
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute, "BPF_OBJ_GET_INFO_BY_FD")?;
    Ok(information[1])
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Two 32-bit members in a row.
fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) | u64::from(second) << 32
}

/// Programs of the rule lists used last, newest last: verifying and compiling one takes the kernel a millisecond, and
/// most containers of a process have the same list. One program can be attached to any number of cgroups.
static LOADED: Mutex<Vec<(Vec<DeviceRule>, Arc<OwnedFd>)>> = Mutex::new(Vec::new());

/// Each is a descriptor that stays open.
const KEPT: usize = 4;

fn loaded(rules: &[DeviceRule]) -> Result<Arc<OwnedFd>> {
    let mut kept = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = match kept.iter().position(|(list, _)| list == rules) {
        Some(index) => kept.remove(index),
        None => (rules.to_vec(), Arc::new(load(&generate(rules))?)),
    };
    if kept.len() >= KEPT {
        kept.remove(0);
    }
    let program = Arc::clone(&entry.1);
    kept.push(entry);
    Ok(program)
}

/// Closes the programs kept for the next container; attached ones stay in force.
pub fn forget_device_programs() {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

fn load(instructions: &[Instruction]) -> Result<OwnedFd> {
    const BPF_PROG_LOAD: i64 = 5;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u64 = 15;
    let license = c"Apache-2.0";
    let mut attribute = Attribute::default();
    attribute.0[0] = BPF_PROG_TYPE_CGROUP_DEVICE | (instructions.len() as u64) << 32;
    attribute.0[1] = instructions.as_ptr() as u64;
    attribute.0[2] = license.as_ptr() as u64;
    let arguments = "BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE";
    let fd = match bpf(BPF_PROG_LOAD, &mut attribute, arguments) {
        // Before Linux 5.11 programs count against RLIMIT_MEMLOCK.
        Err(error) if error.errno() == libc::EPERM => {
            let _unlimited = LockedMemory::unlimited().ok_or(error)?;
            bpf(BPF_PROG_LOAD, &mut attribute, arguments)?
        }
        other => other?,
    };
    // SAFETY: BPF_PROG_LOAD returned a new descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// RLIMIT_MEMLOCK lifted for a moment: it is the whole process's, and containers inherit it.
struct LockedMemory(libc::rlimit);

impl LockedMemory {
    fn unlimited() -> Option<Self> {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: plain structures that outlive the calls.
        let lifted = unsafe {
            libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut before) == 0
                && libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) == 0
        };
        lifted.then_some(Self(before))
    }
}

impl Drop for LockedMemory {
    fn drop(&mut self) {
        // SAFETY: a plain structure that outlives the call. Lowering a limit cannot fail.
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &self.0) };
    }
}

/// union bpf_attr, at a size no kernel goes beyond, and zeroed: kernels 6.17 to 7.1 write past a short one.
#[repr(C, align(8))]
#[derive(Default)]
struct Attribute([u64; 32]);

fn bpf(command: i64, attribute: &mut Attribute, arguments: &str) -> Result<i64> {
    // SAFETY: `attribute` is as large as the size says; pointers inside it are kept alive by the caller.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attribute), size_of::<Attribute>())
    };
    if result < 0 { Err(Error::last("bpf", arguments)) } else { Ok(result) }
}

// Registers: r1 the context {u32 access_type; u32 major; u32 minor}, then scratch; r2 kind, r3 the access that no rule
// has decided yet, r4 major, r5 minor.
const LOAD_WORD: u8 = 0x61;
const MOVE_REGISTER: u8 = 0xbc;
const MOVE: u8 = 0xb4;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_EQUAL: u8 = 0x16;
const JUMP_NOT_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

/// The program of a list of rules: each kind of access is decided by the last rule about the device and this access;
/// what no rule is about is denied. A request is allowed if all of its access is.
fn generate(rules: &[DeviceRule]) -> Vec<Instruction> {
    let step = |code: u8, destination: u8, source: u8, offset: i16, immediate: u32| Instruction {
        code,
        registers: destination | source << 4,
        offset,
        immediate: immediate.cast_signed(),
    };
    let mut program = vec![
        step(LOAD_WORD, 2, 1, 0, 0),
        step(MOVE_REGISTER, 3, 2, 0, 0),
        step(AND, 2, 0, 0, 0xffff),
        step(SHIFT_RIGHT, 3, 0, 0, 16),
        step(LOAD_WORD, 4, 1, 4, 0),
        step(LOAD_WORD, 5, 1, 8, 0),
    ];
    for rule in rules.iter().rev() {
        let mut block = Vec::new();
        if let Some(kind) = rule.kind {
            block.push(step(JUMP_NOT_EQUAL, 2, 0, 0, kind as u32));
        }
        if let Some(major) = rule.major {
            block.push(step(JUMP_NOT_EQUAL, 4, 0, 0, major));
        }
        if let Some(minor) = rule.minor {
            block.push(step(JUMP_NOT_EQUAL, 5, 0, 0, minor));
        }
        match rule.access & ALL_ACCESS {
            ALL_ACCESS => {}
            access if rule.allow => {
                block.push(step(AND, 3, 0, 0, !access));
                block.push(step(JUMP_NOT_EQUAL, 3, 0, 0, 0));
            }
            access => {
                block.push(step(MOVE_REGISTER, 1, 3, 0, 0));
                block.push(step(AND, 1, 0, 0, access));
                block.push(step(JUMP_EQUAL, 1, 0, 0, 0));
            }
        }
        let unconditional = block.is_empty();
        block.push(step(MOVE, 0, 0, 0, u32::from(rule.allow)));
        block.push(step(EXIT, 0, 0, 0, 0));
        let length = block.len();
        for (index, instruction) in block.iter_mut().enumerate() {
            if matches!(instruction.code, JUMP_EQUAL | JUMP_NOT_EQUAL) {
                // To the first instruction after the block; a block has at most eight.
                instruction.offset = i16::try_from(length - index - 1).unwrap_or(i16::MAX);
            }
        }
        program.extend(block);
        if unconditional {
            return program; // what follows can never be reached, and the verifier refuses dead code
        }
    }
    program.extend([step(MOVE, 0, 0, 0, 0), step(EXIT, 0, 0, 0, 0)]);
    program
}

#[cfg(test)]
mod tests;
