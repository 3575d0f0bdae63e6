//! The container's terminal: a pty in its own devpts, opened by descriptor from end to end.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::Code;
use caisson_plan::Terminal;
use caisson_plan::protocol::Report;
use caisson_sys::file::{self, DEVPTS_SUPER_MAGIC, Kind, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDWR};
use caisson_sys::{errno, process, resolve, terminal};

use crate::failure::{Result, SetupError};
use crate::setup::place::{self, MountTarget, Path};
use crate::setup::{Setup, mount_point};

/// Group `tty`, by which devpts(5) names the owner of terminals.
const TTY_GROUP: u32 = 5;
/// Character devices of pty slaves: UNIX98_PTY_SLAVE_MAJOR and the seven after it.
const SLAVE_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// The container's end.
#[derive(Debug)]
pub struct Console {
    slave: OwnedFd,
}

impl Console {
    /// Makes the pty, sends its master out, and shows its slave as `/dev/console` where that is asked for.
    pub fn open(setup: &Setup<'_>, wanted: Terminal) -> Result<Self> {
        let master = open_master(setup)?;
        let slave = terminal::open_peer(master.as_fd())?;
        verify(&slave)?;
        if let Some((columns, rows)) = wanted.size {
            terminal::set_size(slave.as_fd(), columns, rows)?;
        }
        let console = Self { slave };
        if wanted.console {
            console.show(setup)?;
        }
        setup.control.report(&Report::Console, Some(&master))?;
        Ok(console)
    }

    /// SECURITY: CVE-2025-52565, CVE-2026-88264: the slave is bound by descriptor, and what is at `/dev/console` is
    /// neither followed nor written to.
    fn show(&self, setup: &Setup<'_>) -> Result<()> {
        let (parent, name) = resolve::make_parent(setup.root()?, "/dev/console")?;
        let point = mount_point(parent.as_fd(), name)?;
        let target = MountTarget { fd: point.as_fd(), path: Path::Inside("/dev/console") };
        place::bind(setup, self.slave.as_fd(), target, false).map(drop)
    }

    /// Makes it the controlling terminal and standard input, output and error of this process.
    pub fn install(self, uid: u32) -> Result<()> {
        match file::change_owner(self.slave.as_fd(), Some(uid), Some(TTY_GROUP)) {
            // The group is not mapped in this user namespace: the one that devpts gave stays.
            Err(error) if error.errno() == errno::EINVAL => {
                file::change_owner(self.slave.as_fd(), Some(uid), None)?;
            }
            other => other?,
        }
        terminal::make_controlling(self.slave.as_fd())?;
        for number in 0..=2 {
            process::install(self.slave.as_fd(), number)?;
        }
        Ok(())
    }
}

fn open_master(setup: &Setup<'_>) -> Result<OwnedFd> {
    let hint = "terminal: true needs a devpts mounted at /dev/pts";
    let pts = resolve::open_in_root(setup.root()?, "/dev/pts", O_PATH | O_DIRECTORY)
        .map_err(|error| SetupError::from(error).hint(hint))?;
    // SECURITY: files of a devpts cannot be made or swapped, so its `ptmx` is the kernel's.
    if file::filesystem(pts.as_fd())? != DEVPTS_SUPER_MAGIC {
        return Err(SetupError::refused(Code::InvalidSpec, "/dev/pts is not a devpts")
            .on("/dev/pts")
            .hint(hint));
    }
    file::open_at(pts.as_fd(), "ptmx", O_RDWR | O_NOFOLLOW, 0).map_err(|error| {
        SetupError::from(error)
            .hint("the devpts must be mounted with ptmxmode=0666 where its owner is another user")
    })
}

fn verify(slave: &OwnedFd) -> Result<()> {
    let status = file::status(slave.as_fd())?;
    let is_slave = status.kind == Kind::CharacterDevice
        && SLAVE_MAJORS.contains(&status.node.0)
        && file::filesystem(slave.as_fd())? == DEVPTS_SUPER_MAGIC;
    if is_slave { Ok(()) } else { Err(SetupError::unsafe_path("the peer of the pty is not a pty slave")) }
}
