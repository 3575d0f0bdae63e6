//! Executes the operations of a plan, one by one; a failure names its operation.

mod cgroup;
mod copyup;
mod device;
mod filesystem;
mod kernel;
mod mask;
mod mount;
mod overlay;
pub mod place;
mod root;
mod subject;
mod target;

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_plan::{Hook, NamespaceKind, Operation, Plan};
use caisson_sys::{credentials, keyring, namespace, network, process};

use crate::console::Console;
use crate::control::Control;
use crate::failure::{Problem, Result};
use crate::hook::{self, HookContext};
use crate::procfs::Procfs;
use crate::sources::Sources;

pub use device::mount_point;
pub use subject::of as subject;

/// What the operations share.
#[derive(Debug)]
pub struct Setup<'p> {
    pub plan: &'p Plan,
    pub control: &'p Control,
    pub procfs: &'p Procfs,
    sources: Sources,
    /// The container's root, from [`Operation::OpenRoot`] on.
    root: Option<OwnedFd>,
    masks: mask::Masks,
    last_directory: RefCell<device::LastDirectory>,
    /// Mounts that become read-only when nothing is made below them any more.
    late_readonly: RefCell<Vec<OwnedFd>>,
    /// The newer mount calls are missing here.
    classic: Cell<bool>,
    pub console: Option<Console>,
    /// The mask the program gets: the caller's, until the plan says another.
    pub umask: u32,
}

impl<'p> Setup<'p> {
    pub fn new(
        plan: &'p Plan,
        control: &'p Control,
        procfs: &'p Procfs,
        sources: Sources,
        umask: u32,
    ) -> Self {
        let masks = mask::Masks::default();
        Self {
            plan,
            control,
            procfs,
            sources,
            root: None,
            masks,
            last_directory: RefCell::default(),
            late_readonly: RefCell::default(),
            classic: Cell::new(false),
            console: None,
            umask,
        }
    }

    pub fn run(&mut self) -> Result<()> {
        for operation in &self.plan.setup {
            if !matches!(operation, Operation::Device(_) | Operation::Symlink { .. }) {
                self.last_directory.take();
            }
            self.execute(operation).map_err(|problem| problem.about(&subject::of(operation)))?;
            if matches!(operation, Operation::PivotRoot { .. }) {
                self.write_before_readonly()?;
            }
        }
        Ok(())
    }

    /// What is still written below the root when everything is mounted, before some of it becomes read-only.
    fn write_before_readonly(&mut self) -> Result<()> {
        self.open_console().map_err(|problem| problem.about("process.terminal"))?;
        if let Some(process) = &self.plan.process {
            self.make_working_directory(&process.cwd)?;
        }
        for mounted in self.late_readonly.take() {
            place::make_readonly(self, mounted.as_fd())?;
        }
        Ok(())
    }

    fn execute(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::JoinCgroup { .. } | Operation::ResetCpuAffinity | Operation::UnshareCgroup => {
                return Err(Problem::refused("ERR_INVALID_SPEC", "an operation that has to come early"));
            }
            Operation::NewSessionKeyring => new_session_keyring()?,
            Operation::LoopbackUp => network::loopback_up()?,
            Operation::Propagation { flags } => root::propagate_all(self, *flags)?,
            Operation::OpenRoot { host_path } => self.root = Some(root::open(self, host_path)?),
            Operation::MountOverlay(overlay) => self.root = Some(overlay::mount(self, overlay)?),
            Operation::Mount(mount) => mount::mount(self, mount)?,
            Operation::MountCgroupV1 { inside, flags, hierarchies, cgroup_namespace, readonly, .. } => {
                let view = cgroup::V1 {
                    flags: *flags,
                    hierarchies,
                    namespace: *cgroup_namespace,
                    readonly: *readonly,
                };
                cgroup::mount_v1(self, inside, &view)?;
            }
            Operation::MountCgroupV2 { inside, flags, host_bind, .. } => {
                cgroup::mount_v2(self, inside, *flags, host_bind)?;
            }
            Operation::Device(device) => device::make(self, device)?,
            Operation::Symlink { inside, target } => device::link(self, inside, target)?,
            Operation::CreateContainerHooks { hooks } => self.create_container_hooks(hooks)?,
            Operation::PivotRoot { pivot } => root::change(self, *pivot)?,
            Operation::RootPropagation { flags } => place::propagate(self, self.root()?, *flags)?,
            Operation::RemountReadonly { inside } => root::make_readonly(self, inside)?,
            Operation::Hostname(name) => process::set_hostname(name)?,
            Operation::Domainname(name) => process::set_domainname(name)?,
            Operation::Sysctl { key, value } => kernel::sysctl(self, key, value)?,
            Operation::ReadonlyPath { inside } => mask::make_readonly(self, inside)?,
            Operation::MaskPath { inside } => mask::hide(self, inside)?,
            Operation::Rlimit { resource, soft, hard, .. } => kernel::limit(*resource, *soft, *hard)?,
            Operation::OomScoreAdj(score) => kernel::oom_score(self, *score)?,
            Operation::Personality(domain) => process::set_personality(*domain)?,
            Operation::Umask(mask) => self.umask = *mask,
            Operation::NoNewPrivileges => credentials::no_new_privileges()?,
        }
        Ok(())
    }

    /// The container's root; before [`Operation::OpenRoot`] there is none, and no path inside it.
    pub fn root(&self) -> Result<BorrowedFd<'_>> {
        match &self.root {
            Some(root) => Ok(root.as_fd()),
            None => Err(Problem::refused("ERR_INVALID_SPEC", "there is no root file system yet")),
        }
    }

    /// COMPAT(runc): their working directory is the root file system.
    fn create_container_hooks(&self, hooks: &[Hook]) -> Result<()> {
        process::change_directory(self.root()?)?;
        let context =
            HookContext { plan: self.plan, status: "creating", umask: self.umask, environment: &[] };
        hook::run_all(hooks, &context)
    }

    fn has_namespace(&self, kind: NamespaceKind, flag: u64) -> bool {
        (self.plan.clone_flags | self.plan.clone_after_join) & flag != 0
            || self.plan.join.iter().any(|join| join.kind == kind)
    }

    /// Whether mounts are ours to make: in the caller's own mount namespace nothing may be bound or moved around.
    fn has_mount_namespace(&self) -> bool {
        self.has_namespace(NamespaceKind::Mount, namespace::NEW_MOUNT)
    }

    fn open_console(&mut self) -> Result<()> {
        let terminal = self.plan.process.as_ref().and_then(|process| process.terminal);
        self.console = terminal.map(|terminal| Console::open(self, terminal)).transpose()?;
        Ok(())
    }
}

fn new_session_keyring() -> Result<()> {
    match keyring::join_new_session() {
        // COMPAT(runc): a kernel without keyrings, or a sandbox that hides them, has nothing to protect.
        Err(error) if error.errno() == caisson_sys::errno::ENOSYS => Ok(()),
        Err(error) => Err(Problem::from(error)
            .hint("the user may be out of keys (/proc/key-users); newKeyring: false does without")),
        Ok(_) => Ok(()),
    }
}
