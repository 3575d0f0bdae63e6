//! The last part of create: stdio, directory, user, program. Nothing is left for start but hooks and exec.

use std::os::fd::AsFd;

use caisson_plan::Process;
use caisson_sys::file::{O_DIRECTORY, O_PATH};
use caisson_sys::process::{self, Strings};
use caisson_sys::{Error, credentials, errno, resolve};

use crate::failure::{Problem, Result};
use crate::setup::Setup;
use crate::{identity, lookup, namespaces, passwd, stdio};

/// A program that only has to be executed.
#[derive(Debug)]
pub struct Program {
    /// `args[0]` until it is [located](Self::locate).
    pub path: String,
    /// Where its name is searched.
    search: Vec<String>,
    pub arguments: Strings,
    pub environment: Strings,
    /// Descriptors from 3 on that it keeps.
    pub preserved: i32,
    pub umask: u32,
}

impl Program {
    /// Finds the program. Nothing of the host may be open any more.
    pub fn locate(self) -> Result<Self> {
        let path = lookup::find(&self.path, &self.search)?;
        Ok(Self { path, search: vec![], ..self })
    }
}

impl Setup<'_> {
    /// `None`: the configuration has no process.
    pub fn prepare_process(&mut self) -> Result<Option<Program>> {
        let Some(process) = &self.plan.process else { return Ok(None) };
        let program = self.become_process(process)?;
        namespaces::follow_caller(self.plan, self.control)?;
        Ok(Some(program))
    }

    fn become_process(&mut self, process: &Process) -> Result<Program> {
        // Leading a session already is as good.
        match process::new_session() {
            Err(error) if error.errno() == errno::EPERM => {}
            other => other?,
        }
        match self.console.take() {
            Some(console) => {
                console.install(process.uid).map_err(|problem| problem.about("process.terminal"))?
            }
            None => stdio::hand_over(self.root()?, process.uid)?,
        }
        let environment = self.environment(process)?;
        let arguments = Strings::new(process.args.iter().map(String::as_str))?;
        let about = |problem| about_directory(problem, &process.cwd);
        let entered = self.enter_directory(&process.cwd).map_err(about)?;
        identity::assume(process, self.control)?;
        // A change of credentials has made us traceable again.
        credentials::set_dumpable(false)?;
        if !entered && !self.enter_directory(&process.cwd).map_err(about)? {
            let denied = Error::new("fchdir", format!("{:?}", process.cwd), errno::EACCES);
            return Err(about(
                Problem::from(denied).hint("neither root nor the user may enter the directory"),
            ));
        }
        verify_directory().map_err(about)?;
        let preserved = i32::try_from(process.preserve_fds).unwrap_or(i32::MAX);
        let name = process.args.first().cloned().unwrap_or_default();
        let search = process.env.clone();
        Ok(Program { path: name, search, arguments, environment, preserved, umask: self.umask })
    }

    fn environment(&self, process: &Process) -> Result<Strings> {
        let given = process.env.iter().map(String::as_str);
        if !process.home_from_passwd {
            return Ok(Strings::new(given)?);
        }
        let home = format!("HOME={}", passwd::home(self.root()?, process.uid));
        Ok(Strings::new(given.filter(|variable| !variable.starts_with("HOME=")).chain([home.as_str()]))?)
    }

    /// COMPAT(runc): a working directory that the image lacks is made.
    pub fn make_working_directory(&self, cwd: &str) -> Result<()> {
        match resolve::make_directories(self.root()?, cwd, 0o755) {
            // A file system that knows only its user: that one may see it later.
            Err(error) if error.errno() == errno::EACCES => Ok(()),
            Err(error) => Err(about_directory(error.into(), cwd)),
            Ok(_) => Ok(()),
        }
    }

    /// `false`: we may not enter it.
    fn enter_directory(&self, cwd: &str) -> Result<bool> {
        let directory = resolve::open_in_root(self.root()?, cwd, O_PATH | O_DIRECTORY);
        match directory.and_then(|directory| process::change_directory(directory.as_fd())) {
            Err(error) if error.errno() == errno::EACCES => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }
}

fn about_directory(problem: Problem, cwd: &str) -> Problem {
    problem.about(&format!("process.cwd {cwd:?}")).on(cwd)
}

/// SECURITY: CVE-2024-21626: a directory outside the root shows as unreachable.
fn verify_directory() -> Result<()> {
    let here = process::current_directory()?;
    if here.starts_with('/') {
        return Ok(());
    }
    let error = Error::new("getcwd", "", errno::ENOENT);
    Err(Problem::from(error).message("the working directory is outside the container's root"))
}
