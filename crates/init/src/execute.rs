//! The last operation: execve(2), behind a filter where there is one.

use caisson_plan::protocol::Execution;
use caisson_plan::{Filter, Program, exec_problem};
use caisson_sys::process::{self, Strings};
use caisson_sys::seccomp::{self, ErrnoPage, Handover};
use caisson_sys::{Error, descriptor};

use crate::courier::Courier;
use crate::failure::{Result, SetupError};
use crate::lookup;
use crate::setup::Setup;

struct Prepared<'a> {
    path: &'a str,
    arguments: Strings,
    environment: Strings,
}

impl Setup<'_> {
    /// Comes back only with what went wrong.
    pub fn exec(&self, program: &Program) -> SetupError {
        let prepared = match self.prepare_exec(program) {
            Ok(prepared) => prepared,
            Err(problem) => return problem.about("process.args"),
        };
        match &program.filter {
            None => explain(process::execute(prepared.path, &prepared.arguments, &prepared.environment)),
            Some(filter) => match self.exec_filtered(&prepared, filter) {
                Ok(problem) | Err(problem) => problem.about("linux.seccomp"),
            },
        }
    }

    fn prepare_exec(&self, program: &Program) -> Result<Prepared<'_>> {
        self.must_be_closed()?;
        let not_found = || SetupError::internal("the program was not looked up");
        let path = self.program.as_deref().ok_or_else(not_found)?;
        let arguments = Strings::new(program.args.iter().map(String::as_str))?;
        let home = self.home.as_ref().map(|home| format!("HOME={home}"));
        let given = program.env.iter().map(String::as_str);
        let given = given.filter(|variable| home.is_none() || !variable.starts_with("HOME="));
        let environment = Strings::new(given.chain(home.as_deref()))?;
        // Descriptors 3… stay open in the program; all others, our sockets, close on exec.
        let count = self.plan.preserve_fds.cast_signed();
        process::close_on_exec_from(3 + count)?;
        for number in 3..3 + count {
            descriptor::keep_on_exec(number)?;
        }
        process::set_umask(self.umask);
        // What was found at create may have been replaced since.
        lookup::check(path)?;
        Ok(Prepared { path, arguments, environment })
    }

    /// Everything that takes a system call comes before the filter.
    fn exec_filtered(&self, prepared: &Prepared<'_>, filter: &Filter) -> Result<SetupError> {
        let Prepared { path, arguments, environment } = prepared;
        let starter = self
            .starter
            .as_ref()
            .ok_or_else(|| SetupError::internal("no process has asked for the start"))?;
        let instructions = filter.instructions.0.iter();
        let loaded =
            instructions.map(|instruction| (instruction.code, instruction.jt, instruction.jf, instruction.k));
        let loaded = seccomp::Filter::new(loaded, filter.flags)?;
        let (page, page_file) = ErrnoPage::new()?;
        let text = process::execve_arguments(path, arguments, environment);
        starter.executing(Execution { path: (*path).to_owned(), arguments: text }, &page_file);
        drop(page_file);
        let execute =
            |handover: &Handover| seccomp::execute(path, arguments, environment, &loaded, &page, handover);
        let Some(listener) = &filter.listener else {
            return Ok(execute(&Handover::default()).into());
        };
        let agent = starter.agent.as_ref().ok_or_else(|| SetupError::internal("no agent is connected"))?;
        let message = self.plan.container_process_state(listener, starter.request.pid);
        Ok(Courier { agent, message, starter }.accompany(execute))
    }
}

fn explain(error: Error) -> SetupError {
    let known = exec_problem(error.errno(), false);
    let problem = SetupError::from(error).about("process.args");
    match known {
        Some((code, hint)) => problem.code(code).hint(hint),
        None => problem,
    }
}
