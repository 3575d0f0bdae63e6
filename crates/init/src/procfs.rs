//! A procfs that no container has touched, for every write to procfs.
//!
//! SECURITY: CVE-2019-16884, CVE-2019-19921, CVE-2025-52881, CVE-2026-115521: what lies at `/proc` in a container may
//! be a link, another file system, or a procfs with other files mounted over some of it.

use std::cell::OnceCell;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use caisson_flags::{MountAttributes, NamespaceKind};
use caisson_sys::file::{self, CWD, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY};
use caisson_sys::mount;
use caisson_sys::{errno, process, resolve};

use crate::failure::{Result, SetupError};

/// Inode number of every procfs root.
const PROC_ROOT_INO: u64 = 1;

/// Opened when first needed; most containers never do.
#[derive(Debug, Default)]
pub struct Procfs {
    root: OnceCell<OwnedFd>,
}

impl Procfs {
    /// The host's, which must still be in reach.
    pub fn of_the_host() -> Result<Self> {
        Ok(Self { root: OnceCell::from(host_instance()?) })
    }

    /// The root of the private procfs. Must be called before pivot_root where it may be needed later: without the right
    /// to mount a procfs of our own it is the host's `/proc`, which is out of reach then.
    pub fn root(&self) -> Result<BorrowedFd<'_>> {
        if let Some(root) = self.root.get() {
            return Ok(root.as_fd());
        }
        let root = match new_instance() {
            Ok(root) => root,
            Err(refused) => host_instance().map_err(|_| refused)?,
        };
        Ok(self.root.get_or_init(|| root).as_fd())
    }

    /// Writes to one file, e.g. `sys/net/ipv4/ip_forward` or `self/oom_score_adj`.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let file = self.open(path, O_WRONLY)?;
        Ok(file::write_once(file.as_fd(), text.as_bytes())?)
    }

    /// The same to the first of several files that exists.
    pub fn write_first(&self, paths: &[&str], text: &str) -> Result<()> {
        let mut opened = Err(SetupError::internal("no file to write to"));
        for path in paths {
            opened = self.open(path, O_WRONLY);
            if !matches!(&opened, Err(problem) if problem.errno() == errno::ENOENT) {
                break;
            }
        }
        Ok(file::write_once(opened?.as_fd(), text.as_bytes())?)
    }

    /// Reads a small file.
    pub fn read(&self, path: &str, limit: usize) -> Result<String> {
        let file = self.open(path, O_RDONLY)?;
        let bytes = file::read_all(file.as_fd(), limit)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn open(&self, path: &str, flags: i32) -> Result<OwnedFd> {
        // `self` is a link; our own number is the same without following one.
        let path = match path.strip_prefix("self/") {
            Some(rest) => format!("{}/{rest}", self.own_number()?),
            None => path.to_owned(),
        };
        let file = resolve::open_beneath(self.root()?, &path, flags)
            .map_err(|error| error.on(format!("/proc/{path}")))?;
        Ok(file)
    }

    /// A namespace of this process, to be sent to another one.
    pub fn namespace(&self, kind: NamespaceKind) -> Result<OwnedFd> {
        self.namespace_file(kind.file())
    }

    /// The time namespace that children are born in.
    pub fn time_for_children(&self) -> Result<OwnedFd> {
        self.namespace_file("time_for_children")
    }

    fn namespace_file(&self, name: &str) -> Result<OwnedFd> {
        let directory = self.open("self/ns", O_PATH | O_DIRECTORY)?;
        // A magic link, in a directory of a procfs that is known to be one.
        Ok(file::open_at(directory.as_fd(), name, O_RDONLY, 0)?)
    }

    /// Our pid as this procfs counts, which is not getpid where we could not mount one of our own.
    fn own_number(&self) -> Result<String> {
        Ok(file::read_link(self.root()?, "self")?)
    }

    /// Runs `body` with the names that system calls by path can use for these descriptors. The current directory is the
    /// private procfs meanwhile.
    pub fn with_names<T>(&self, fds: &[BorrowedFd<'_>], body: impl FnOnce(&[String]) -> T) -> Result<T> {
        let here = file::open_at(CWD, ".", O_PATH | O_DIRECTORY, 0)?;
        process::change_directory(self.root()?)?;
        let names: Vec<_> = fds.iter().map(|fd| format!("self/fd/{}", fd.as_raw_fd())).collect();
        let result = body(&names);
        process::change_directory(here.as_fd())?;
        Ok(result)
    }
}

fn new_instance() -> caisson_sys::Result<OwnedFd> {
    let fs = mount::fsopen("proc")?;
    mount::fsconfig_create(fs.as_fd())?;
    mount::fsmount(fs.as_fd(), MountAttributes::NOSUID | MountAttributes::NODEV | MountAttributes::NOEXEC)
}

fn host_instance() -> Result<OwnedFd> {
    let root = file::open_at(CWD, "/proc", O_PATH | O_DIRECTORY, 0)?;
    let is_proc = file::filesystem(root.as_fd())? == file::PROC_SUPER_MAGIC
        && file::status(root.as_fd())?.inode == PROC_ROOT_INO;
    if is_proc { Ok(root) } else { Err(SetupError::unsafe_path("/proc is not a procfs").on("/proc")) }
}
