/** A filter in the form of those that engines send: nothing but a list is allowed, some calls by their arguments. */

// What containers of busybox, shells and servers call; engines list some four hundred.
const ALLOWED = `
  accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres clock_gettime
  clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
  epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fstat
  fstatfs fsync ftruncate futex futex_waitv getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
  getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
  get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getxattr
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents ioprio_get
  ioprio_set io_setup io_submit ipc kill lchown lgetxattr link linkat listen listxattr llistxattr lseek lstat madvise
  membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlockall mmap mmap2 mprotect mremap mseal msgctl
  msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat _newselect open openat openat2 pause
  pidfd_open pidfd_send_signal pipe pipe2 poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev read
  readahead readlink readlinkat readv recv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir
  rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
  sched_setaffinity sched_yield seccomp select semctl semget semop semtimedop send sendfile sendmmsg sendmsg sendto
  setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit
  set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setxattr shmat shmctl shmdt shmget shutdown
  sigaltstack signalfd signalfd4 socketcall socketpair splice stat stat64 statfs statx symlink symlinkat sync sync_file_range
  syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
  timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice
  wait4 waitid waitpid write writev`
  .trim()
  .split(/\s+/)

const allow = (names: string[], more: object = {}): object => ({ names, action: 'SCMP_ACT_ALLOW', ...more })
const equal = (value: number): object => ({ args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })
/** The flags of clone(2) that make namespaces. */
const NAMESPACES = 0x7e020000

/** `errnoRet` is 1 for Docker's and containerd's, 38 for podman's and CRI-O's. */
export const profile = (errnoRet: 1 | 38): object => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: errnoRet,
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  syscalls: [
    allow([...ALLOWED, 'a_call_of_the_future']),
    ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((value) => allow(['personality'], equal(value))),
    allow(['socket'], { args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] }),
    allow(['clone'], { args: [{ index: 0, value: NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] }),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    {
      names: ['mount', 'umount2', 'pivot_root', 'setns', 'unshare', 'bpf'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 1,
    },
  ],
})
