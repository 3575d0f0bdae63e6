//! The operations that prepare this process for the program: streams, directory, user, descriptors, hooks.

use std::os::fd::{AsFd, AsRawFd};

use caisson_plan::protocol::fd;
use caisson_plan::{Hook, User};
use caisson_sys::errno::EACCES;
use caisson_sys::file::{O_DIRECTORY, O_PATH};
use caisson_sys::{credentials, descriptor, process, resolve};

use crate::failure::{Result, SetupError};
use crate::hook::{self, HookContext};
use crate::setup::{HostDescriptors, Setup};
use crate::{identity, namespaces, stdio};

impl Setup<'_> {
    pub fn hand_over_streams(&mut self, uid: u32) -> Result<()> {
        match self.console.take() {
            Some(console) => console.install(uid).map_err(|problem| problem.about("process.terminal")),
            None => stdio::hand_over(self.root()?, uid),
        }
    }

    pub fn make_working_directory(&self, inside: &str) -> Result<()> {
        match resolve::make_directories(self.root()?, inside, 0o755) {
            // A file system that knows only its user: that one may see it later.
            Err(error) if error.errno() == EACCES => Ok(()),
            Err(error) => Err(SetupError::from(error).on(inside)),
            Ok(_) => Ok(()),
        }
    }

    /// Where we are not in it already; the `last` time it must be possible.
    pub fn enter_directory(&mut self, inside: &str, last: bool) -> Result<()> {
        if self.outside {
            let directory = resolve::open_in_root(self.root()?, inside, O_PATH | O_DIRECTORY);
            match directory.and_then(|directory| process::change_directory(directory.as_fd())) {
                Err(error) if error.errno() == EACCES && !last => return Ok(()),
                Err(error) if error.errno() == EACCES => {
                    let hint = "neither root nor the user may enter the directory";
                    return Err(SetupError::from(error).hint(hint).on(inside));
                }
                other => other.map_err(|error| SetupError::from(error).on(inside))?,
            }
            self.outside = false;
        }
        if last { verify_directory().map_err(|problem| problem.on(inside)) } else { Ok(()) }
    }

    pub fn become_user(&self, user: &User) -> Result<()> {
        identity::become_user(user, self.keeps_groups)?;
        // A change of credentials has made us traceable and deaf to the caller's death again.
        credentials::set_dumpable(false)?;
        namespaces::follow_caller(self.plan, self.control)
    }

    /// SECURITY: close-on-exec acts after the kernel has looked up a program, its interpreter and its loader: links
    /// of the image to `/proc/self/fd/N` would lead it to the host. Preserved descriptors 6… become 3….
    pub fn close_descriptors(&mut self) -> Result<()> {
        self.host = HostDescriptors::default();
        let count = self.plan.preserve_fds.cast_signed();
        for index in 0..count {
            descriptor::renumber(process::borrowed(fd::PRESERVED + index)?, 3 + index)?;
        }
        let control = self.control.socket().as_raw_fd();
        let sockets = self.listener.iter().map(AsRawFd::as_raw_fd).chain([control]);
        let keep: Vec<_> = (3..3 + count).chain(sockets).collect();
        descriptor::close_all_but(&keep)?;
        self.closed = true;
        Ok(())
    }

    pub fn start_container_hooks(&self, hooks: &[Hook]) -> Result<()> {
        self.must_be_closed()?;
        let environment = self.plan.program().map_or(&[][..], |program| &program.env);
        let context = HookContext { plan: self.plan, status: "created", umask: self.umask, environment };
        hook::run_all(hooks, &context)
    }
}

/// SECURITY: CVE-2024-21626: a directory outside the root shows as unreachable.
fn verify_directory() -> Result<()> {
    let here = process::current_directory()?;
    if here.starts_with('/') {
        return Ok(());
    }
    Err(SetupError::unsafe_path("the working directory is outside the container's root"))
}
