//! What a failed execve(2) means: one table for the helper, which reports the failure, and for the process that asked
//! for the start, which learns only the errno where a filter keeps the helper from reporting.

use caisson_code::Code;

// errno(3), as in asm-generic.
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const ENOEXEC: i32 = 8;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const ETXTBSY: i32 = 26;
const ENAMETOOLONG: i32 = 36;
const ENOSYS: i32 = 38;
const ELOOP: i32 = 40;
const ELIBBAD: i32 = 80;

/// Like a shell's status: 127 for what is not found, 126 for what cannot be executed. execve(2) lists the errors.
/// `filtered`: the call was behind a seccomp filter. `None`: a failed call like any other.
pub fn exec_problem(errno: i32, filtered: bool) -> Option<(Code, &'static str)> {
    Some(match errno {
        EPERM | ENOSYS if filtered => (
            Code::ExecDenied,
            "linux.seccomp must allow execve, the first call that is filtered; or it must not be executed here",
        ),
        ENOENT | ENOTDIR | ENAMETOOLONG => (
            Code::ExecNotFound,
            "the file is there, but its interpreter (the #! line, or the dynamic loader) is not",
        ),
        ENOEXEC => (
            Code::ExecDenied,
            "not an executable for this machine (another architecture, or a script without #! line)",
        ),
        EACCES | EPERM => (Code::ExecDenied, "the program or its interpreter must not be executed here"),
        ELOOP => (Code::ExecDenied, "its interpreters form a loop, or are more than five"),
        EINVAL | EISDIR | ELIBBAD => (Code::ExecDenied, "its dynamic loader is not an executable"),
        E2BIG => {
            (Code::ExecDenied, "the arguments and the environment are too long together, or one of them is")
        }
        ETXTBSY => (Code::ExecDenied, "a process has the file open for writing"),
        _ => return None,
    })
}
