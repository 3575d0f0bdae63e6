//! Starts a program from a process with many threads and a large heap: `clone3(CLONE_VM | CLONE_VFORK)` copies no
//! page tables and suspends only the calling thread, until the child has exec'd or is gone.
//!
//! Between clone and exec the child runs [`child`] on a stack of its own in the parent's memory: no allocation, no
//! lock, nothing but system calls. All signals are blocked around the clone, so no handler of the host program runs
//! there.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::{Error, Result, pidfd};

/// What to start. The child sees exactly `descriptors`; everything else is close-on-exec.
pub struct Spawn<'a> {
    /// The executable itself (a sealed memfd), run by execveat.
    pub program: BorrowedFd<'a>,
    pub arguments: &'a [&'a CStr],
    pub environment: &'a [&'a CStr],
    /// (ours, the child's number); overlaps are fine. At most [`MAX_DESCRIPTORS`].
    pub descriptors: &'a [(BorrowedFd<'a>, RawFd)],
}

#[derive(Debug)]
pub struct Spawned {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

pub const MAX_DESCRIPTORS: usize = 256;
const STACK_SIZE: usize = 64 * 1024;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Arguments of clone3(2), as of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What the child reads and writes, in the parent's memory.
struct Context {
    program: RawFd,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    descriptors: *const (RawFd, RawFd),
    descriptor_count: usize,
    /// Where the descriptors are parked above all target numbers.
    parked: [RawFd; MAX_DESCRIPTORS],
    first_unused: RawFd,
    /// No descriptor has this number or a higher one.
    descriptor_limit: RawFd,
    /// Set by a failing child: errno and the call it came from.
    errno: c_int,
    step: &'static str,
}

/// Runs `spawn.program` and returns when it has exec'd.
///
/// `EAGAIN`: a limit on processes; `EACCES` or `ETXTBSY`: the memory file is no longer executable.
pub fn spawn(spawn: &Spawn<'_>) -> Result<Spawned> {
    if spawn.descriptors.len() > MAX_DESCRIPTORS {
        return Err(Error::new(
            "clone3",
            format!("{} descriptors to pass", spawn.descriptors.len()),
            libc::E2BIG,
        ));
    }
    let terminated =
        |list: &[&CStr]| list.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>();
    let (arguments, environment) = (terminated(spawn.arguments), terminated(spawn.environment));
    let descriptors: Vec<_> =
        spawn.descriptors.iter().map(|(ours, theirs)| (ours.as_raw_fd(), *theirs)).collect();
    let mut context = Context {
        program: spawn.program.as_raw_fd(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        descriptors: descriptors.as_ptr(),
        descriptor_count: descriptors.len(),
        parked: [-1; MAX_DESCRIPTORS],
        first_unused: descriptors.iter().map(|(_, theirs)| theirs + 1).max().unwrap_or(3).max(3),
        descriptor_limit: descriptor_limit(),
        errno: 0,
        step: "",
    };
    let stack = Stack::new()?;
    let mut pidfd: c_int = -1;
    let pid = with_signals_blocked(|| clone_child(&mut context, &stack, &mut pidfd))??;
    // SAFETY: CLONE_PIDFD stored a new descriptor there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // SAFETY: the child has exec'd or ended (CLONE_VFORK); a volatile read sees what it wrote behind the compiler's
    // back.
    let (errno, step) = unsafe { (ptr::read_volatile(&context.errno), ptr::read_volatile(&context.step)) };
    if errno != 0 {
        let _ = pidfd::wait(&pidfd, true); // it has ended; only its remains are collected
        return Err(Error::new(step, "between clone and exec", errno));
    }
    Ok(Spawned { pid, pidfd })
}

/// RLIMIT_NOFILE as it can have been at most: descriptors above a limit that was lowered stay open.
fn descriptor_limit() -> RawFd {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    limit.and_then(|limit| RawFd::try_from(limit).ok()).unwrap_or(RawFd::MAX).min(1 << 20)
}

/// clone3, or clone where a sandbox answers ENOSYS.
fn clone_child(context: &mut Context, stack: &Stack, pidfd: &mut c_int) -> Result<i32> {
    let common = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD) as u64;
    let arguments = CloneArguments {
        flags: common | CLONE_CLEAR_SIGHAND,
        pidfd: ptr::from_mut(pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.base as u64,
        stack_size: stack.size as u64,
        ..CloneArguments::default()
    };
    let context = ptr::from_mut(context).cast::<c_void>();
    // SAFETY: `arguments` and `context` outlive the call, because CLONE_VFORK keeps this thread suspended until the
    // child is done with our memory; the stack is mapped and used by nothing else.
    let result = unsafe { clone3_into(&arguments, size_of::<CloneArguments>(), child, context) };
    if result >= 0 {
        return Ok(result as i32);
    }
    if result != -(libc::ENOSYS as c_long) {
        return Err(Error::new("clone3", format!("{{flags={:#x}}}", arguments.flags), -result as i32));
    }
    // SAFETY: as above; without CLONE_SETTLS and the TID flags the kernel looks at flags, stack and pidfd only.
    let result = unsafe { clone_into(common | libc::SIGCHLD as u64, stack.top(), pidfd, child, context) };
    if result >= 0 {
        Ok(result as i32)
    } else {
        Err(Error::new("clone", format!("{common:#x}"), -result as i32))
    }
}

/// The child, on its own stack, in the parent's memory.
extern "C" fn child(context: *mut c_void) -> ! {
    // SAFETY: the parent passed a Context and sleeps until we are done with it.
    let context = unsafe { &mut *context.cast::<Context>() };
    let (step, errno) = match prepare(context) {
        Err(failure) => failure,
        Ok(program) => {
            // SAFETY: null-terminated lists of C strings that the parent keeps alive; does not return on success.
            unsafe {
                let empty = c"".as_ptr();
                libc::syscall(
                    libc::SYS_execveat,
                    program,
                    empty,
                    context.arguments,
                    context.environment,
                    libc::AT_EMPTY_PATH,
                );
            }
            ("execveat", errno())
        }
    };
    // SAFETY: plain stores that the parent reads after it wakes; exit_group never returns.
    unsafe {
        ptr::write_volatile(&mut context.step, step);
        ptr::write_volatile(&mut context.errno, errno);
        libc::syscall(libc::SYS_exit_group, 127);
        std::hint::unreachable_unchecked()
    }
}

/// Descriptors to their numbers, everything else close-on-exec. Returns the program's descriptor.
fn prepare(context: &mut Context) -> Result<RawFd, (&'static str, c_int)> {
    let checked = |step, result: c_long| if result < 0 { Err((step, errno())) } else { Ok(result as RawFd) };
    // SAFETY: system calls on plain numbers; the arrays have `descriptor_count` elements, checked by the parent.
    unsafe {
        let park =
            |fd: RawFd| libc::syscall(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, context.first_unused);
        let program = checked("fcntl", park(context.program))?;
        for index in 0..context.descriptor_count {
            let parked = checked("fcntl", park((*context.descriptors.add(index)).0))?;
            context.parked[index] = parked;
        }
        for index in 0..context.descriptor_count {
            let number = (*context.descriptors.add(index)).1;
            checked("dup3", libc::syscall(libc::SYS_dup3, context.parked[index], number, 0))?;
        }
        // SECURITY: CVE-2024-21626 — nothing that Node or one of its addons left open reaches the helper.
        let all = c_long::from(u32::MAX);
        if libc::syscall(libc::SYS_close_range, context.first_unused as c_long, all, 4 /* CLOEXEC */) < 0 {
            // Before Linux 5.11, and in sandboxes that do not know the call: one by one, up to the largest possible.
            for number in context.first_unused..context.descriptor_limit {
                libc::syscall(libc::SYS_fcntl, number, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
        Ok(program)
    }
}

fn errno() -> c_int {
    // SAFETY: the thread's own errno (in the child: the suspended parent thread's, which is not read meanwhile).
    unsafe { *libc::__errno_location() }
}

/// Runs `call` with every signal blocked, glibc's internal ones too. The child starts with this mask; the helper
/// clears it.
fn with_signals_blocked<T>(call: impl FnOnce() -> T) -> Result<T> {
    let (all, mut before) = (u64::MAX, 0u64);
    let size = size_of::<u64>();
    // SAFETY: 64-bit signal sets of the size given, as the kernel's rt_sigprocmask takes them.
    if unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, &mut before, size) } < 0 {
        return Err(Error::last("rt_sigprocmask", "SIG_SETMASK"));
    }
    let result = call();
    // SAFETY: the same; restores what was there.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &before, ptr::null_mut::<u64>(), size)
    };
    Ok(result)
}

/// A small stack with an unmapped page below it.
struct Stack {
    mapping: *mut c_void,
    base: *mut u8,
    size: usize,
}

const GUARD: usize = 64 * 1024; // one page on every page size

impl Stack {
    fn new() -> Result<Self> {
        let (length, protection) = (STACK_SIZE + GUARD, libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if mapping == libc::MAP_FAILED {
            return Err(Error::last("mmap", format!("{length} bytes of stack")));
        }
        // SAFETY: the first GUARD bytes of the mapping just made.
        unsafe { libc::mprotect(mapping, GUARD, libc::PROT_NONE) };
        // SAFETY: stays inside the mapping.
        let base = unsafe { mapping.cast::<u8>().add(GUARD) };
        Ok(Self { mapping, base, size: STACK_SIZE })
    }

    /// One past the highest byte; 16-byte aligned because mapping and sizes are.
    fn top(&self) -> *mut u8 {
        // SAFETY: one past the end of the mapping.
        unsafe { self.base.add(self.size) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; the child no longer runs on it (CLONE_VFORK).
        unsafe { libc::munmap(self.mapping, STACK_SIZE + GUARD) };
    }
}

type Child = extern "C" fn(*mut c_void) -> !;

/// clone3; in the child calls `child(context)` on the new stack. Returns the pid or a negative errno.
/// A plain `syscall()` would return in the child through the parent's stack frame, which CLONE_VM shares.
///
/// # Safety
/// `arguments` must give a stack, and with CLONE_VFORK all that `context` points to must live until this returns.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone3_into(
    arguments: *const CloneArguments,
    size: usize,
    child: Child,
    context: *mut c_void,
) -> c_long {
    core::arch::naked_asm!(
        "mov r8, rcx", // the system call overwrites rcx; rdx and r8 survive it
        "mov eax, 435",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2: xor ebp, ebp",
        "mov rdi, r8",
        "call rdx",
        "ud2",
    )
}

/// clone(2) with the same contract as [`clone3_into`].
///
/// # Safety
/// As [`clone3_into`]; `stack` is one past the highest byte, 16-byte aligned.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone_into(
    flags: u64,
    stack: *mut u8,
    pidfd: *mut c_int,
    child: Child,
    context: *mut c_void,
) -> c_long {
    core::arch::naked_asm!(
        "mov r9, rcx", // child; context stays in r8, the tls argument, which is not looked at
        "xor r10d, r10d",
        "mov eax, 56",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2: xor ebp, ebp",
        "mov rdi, r8",
        "call r9",
        "ud2",
    )
}

/// See the x86-64 version.
///
/// # Safety
/// `arguments` must give a stack, and with CLONE_VFORK all that `context` points to must live until this returns.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn clone3_into(
    arguments: *const CloneArguments,
    size: usize,
    child: Child,
    context: *mut c_void,
) -> c_long {
    core::arch::naked_asm!(
        "mov x8, #435",
        "svc #0",
        "cbz x0, 2f",
        "ret",
        "2: mov x29, #0",
        "mov x0, x3",
        "blr x2",
        "brk #1",
    )
}

/// See the x86-64 version.
///
/// # Safety
/// As [`clone3_into`]; `stack` is one past the highest byte, 16-byte aligned.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn clone_into(
    flags: u64,
    stack: *mut u8,
    pidfd: *mut c_int,
    child: Child,
    context: *mut c_void,
) -> c_long {
    core::arch::naked_asm!(
        "mov x8, #220", // x3 (tls) and x4 (child tid) are not looked at: they carry child and context
        "svc #0",
        "cbz x0, 2f",
        "ret",
        "2: mov x29, #0",
        "mov x0, x4",
        "blr x3",
        "brk #1",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{descriptor, memfd};
    use std::io::Read;
    use std::os::fd::AsFd;

    fn run(program: BorrowedFd<'_>, arguments: &[&CStr]) -> Result<(String, pidfd::Exit)> {
        let (read, write) = descriptor::pipe()?;
        let null = descriptor::null()?;
        let descriptors = [(null.as_fd(), 0), (write.as_fd(), 1), (null.as_fd(), 2)];
        let spawned =
            spawn(&Spawn { program, arguments, environment: &[c"A=b"], descriptors: &descriptors })?;
        drop(write);
        let mut output = String::new();
        std::fs::File::from(read).read_to_string(&mut output).unwrap();
        Ok((output, pidfd::wait(&spawned.pidfd, true)?.unwrap()))
    }

    #[test]
    fn a_program_gets_its_arguments_and_only_its_descriptors() {
        let program = std::fs::File::open("/bin/sh").unwrap();
        let _leak = descriptor::pipe().unwrap();
        let script = c"echo $A $0; ls /proc/self/fd | tr '\n' ' '; exit 3";
        let (output, exit) = run(program.as_fd(), &[c"sh", c"-c", script, c"zero"]).unwrap();
        assert_eq!(output.trim(), "b zero\n0 1 2 3"); // 3 is ls's own
        assert_eq!(exit, pidfd::Exit::Code(3));
    }

    #[test]
    fn a_failing_exec_is_an_error_and_leaves_no_zombie() {
        let program = memfd::executable("not-a-program", b"\x00garbage").unwrap();
        let error = run(program.as_fd(), &[c"x"]).unwrap_err();
        assert_eq!((error.call(), error.errno()), ("execveat", libc::ENOEXEC));
    }
}
