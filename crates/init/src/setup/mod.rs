//! Executes the operations of a plan, one by one; a failure names its operation.

mod cgroup;
mod copyup;
mod device;
pub mod filesystem;
mod kernel;
mod label;
mod link;
mod mask;
mod mount;
mod overlay;
pub mod place;
mod root;
mod scheduling;
mod subject;
mod target;

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_flags::Namespaces;
use caisson_plan::{Hook, NamespaceKind, Operation, Plan};
use caisson_sys::{credentials, keyring, network, process};

use crate::console::Console;
use crate::control::Control;
use crate::failure::{Result, SetupError};
use crate::hook::{self, HookContext};
use crate::namespaces::Entered;
use crate::procfs::Procfs;
use crate::sources::Sources;
use crate::starter::Starter;
use crate::{identity, lookup, passwd};

pub use device::{kind as device_kind, mount_point};
pub use subject::of as subject;

/// What the operations share.
#[derive(Debug)]
pub struct Setup<'p> {
    pub plan: &'p Plan,
    pub control: &'p Control,
    /// The process that asked for the start, from then on.
    pub starter: Option<Starter<'p>>,
    /// The start socket, until the start is asked for.
    pub listener: Option<OwnedFd>,
    pub host: HostDescriptors,
    /// The newer mount calls are missing here.
    classic: Cell<bool>,
    pub console: Option<Console>,
    /// SELinux context of new file systems.
    mount_label: Option<String>,
    /// The mask the program gets: the caller's, until the plan says another.
    pub umask: u32,
    /// setgroups(2) is denied in the user namespace.
    pub keeps_groups: bool,
    /// The working directory is not entered yet.
    pub outside: bool,
    /// What the bounding set has.
    pub bounding: u64,
    pub home: Option<String>,
    /// Where the program was found.
    pub program: Option<String>,
    /// Nothing of the host is open.
    pub closed: bool,
}

/// Descriptors by which the host can be reached, or the container's root: all are closed before the image is trusted
/// with a path.
#[derive(Debug, Default)]
pub struct HostDescriptors {
    pub procfs: Procfs,
    sources: Sources,
    /// The container's root, from [`Operation::OpenRoot`] on.
    root: Option<OwnedFd>,
    masks: mask::Masks,
    last_directory: RefCell<device::LastDirectory>,
    /// File systems that the configuration has mounted, by the ids of their mounts: a remount may change them.
    made: RefCell<Vec<u64>>,
    /// Mounts that become read-only when nothing is made below them any more.
    late_readonly: RefCell<Vec<OwnedFd>>,
}

impl<'p> Setup<'p> {
    pub fn new(
        plan: &'p Plan,
        control: &'p Control,
        listener: OwnedFd,
        procfs: Procfs,
        entered: Entered,
        umask: u32,
    ) -> Self {
        let Entered { sources, keeps_groups } = entered;
        Self {
            plan,
            control,
            starter: None,
            listener: Some(listener),
            host: HostDescriptors { procfs, sources, ..HostDescriptors::default() },
            classic: Cell::new(false),
            console: None,
            mount_label: None,
            umask,
            keeps_groups,
            outside: true,
            bounding: u64::MAX,
            home: None,
            program: None,
            closed: false,
        }
    }

    /// Executes operations in their order. The first that fails ends it, and is named.
    pub fn run(&mut self, operations: &[Operation]) -> Result<()> {
        for operation in operations {
            if !matches!(operation, Operation::Device(_) | Operation::Symlink { .. }) {
                self.host.last_directory.take();
            }
            self.execute(operation).map_err(|problem| problem.about(&subject::of(operation)))?;
        }
        Ok(())
    }

    fn execute(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::JoinCgroup { .. }
            | Operation::JoinResctrl { .. }
            | Operation::ResetCpuAffinity
            | Operation::UnshareCgroup => {
                return Err(SetupError::internal("an operation that has to come early"));
            }
            Operation::NewSessionKeyring => new_session_keyring()?,
            Operation::LoopbackUp => network::loopback_up()?,
            Operation::Propagation { flags } => root::propagate_all(self, *flags)?,
            Operation::OpenRoot { host_path } => self.host.root = Some(root::open(self, host_path)?),
            Operation::MountOverlay(overlay) => self.host.root = Some(overlay::mount(self, overlay)?),
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
            Operation::Symlink { inside, target, replace } => device::link(self, inside, target, *replace)?,
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
            Operation::KeyLabel(label) => label::of_keys(self, label)?,
            Operation::MountLabel(label) => self.mount_label = Some(label.clone()),
            Operation::AppArmorProfile(profile) => label::apparmor_profile(self, profile)?,
            Operation::ExecLabel(label) => label::of_program(self, label)?,
            Operation::Scheduler(scheduler) => scheduling::set_scheduler(scheduler)?,
            Operation::IoPriority { class, priority } => scheduling::set_io_priority(*class, *priority)?,
            Operation::MemoryPolicy(policy) => scheduling::set_memory_policy(policy)?,
            Operation::Personality(domain) => process::set_personality(*domain)?,
            Operation::Umask(mask) => self.umask = *mask,
            Operation::NoNewPrivileges => credentials::no_new_privileges()?,
            Operation::Console(terminal) => self.console = Some(Console::open(self, *terminal)?),
            Operation::MakeWorkingDirectory { inside } => self.make_working_directory(inside)?,
            Operation::SealMounts => {
                for mounted in self.host.late_readonly.take() {
                    place::make_readonly(self, mounted.as_fd())?;
                }
            }
            Operation::NewSession => new_session()?,
            Operation::Streams { uid } => self.hand_over_streams(*uid)?,
            Operation::Home { uid } => self.home = Some(passwd::home(self.root()?, *uid)),
            Operation::EnterDirectory { inside, last } => self.enter_directory(inside, *last)?,
            Operation::BoundingSet(mask) => self.bounding = identity::limit_bounding(*mask, self.control)?,
            Operation::User(user) => self.become_user(user)?,
            Operation::Capabilities(wanted) => identity::set(wanted, self.bounding, self.control)?,
            Operation::CloseDescriptors => self.close_descriptors()?,
            Operation::FindProgram { name, path } => {
                self.must_be_closed()?;
                self.program = Some(lookup::find(name, path.as_deref())?);
            }
            Operation::StartContainerHooks { hooks } => self.start_container_hooks(hooks)?,
            Operation::Exec(program) => return Err(self.exec(program)),
        }
        Ok(())
    }

    /// SECURITY: the image decides where paths lead from here on.
    pub fn must_be_closed(&self) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        Err(SetupError::internal("descriptors of the host are open still"))
    }

    /// The container's root; an error before [`Operation::OpenRoot`].
    pub fn root(&self) -> Result<BorrowedFd<'_>> {
        match &self.host.root {
            Some(root) => Ok(root.as_fd()),
            None => Err(SetupError::internal("no root file system is open yet")),
        }
    }

    /// COMPAT(runc): their working directory is the root file system.
    fn create_container_hooks(&self, hooks: &[Hook]) -> Result<()> {
        process::change_directory(self.root()?)?;
        let context =
            HookContext { plan: self.plan, status: "creating", umask: self.umask, environment: &[] };
        hook::run_all(hooks, &context)
    }

    /// Whether mounts are ours to make: in the caller's own mount namespace nothing may be bound or moved around.
    fn has_mount_namespace(&self) -> bool {
        (self.plan.clone_flags | self.plan.clone_after_join).contains(Namespaces::MOUNT)
            || self.plan.join.iter().any(|join| join.kind == NamespaceKind::Mount)
    }
}

fn new_session_keyring() -> Result<()> {
    match keyring::join_new_session() {
        // COMPAT(runc): a kernel without keyrings, or a sandbox that hides them, has nothing to protect.
        Err(error) if error.errno() == caisson_sys::errno::ENOSYS => Ok(()),
        Err(error) => Err(SetupError::from(error)
            .hint("the user may be out of keys (/proc/key-users); newKeyring: false does without")),
        Ok(_) => Ok(()),
    }
}

/// Leading a session already is as good.
fn new_session() -> Result<()> {
    match process::new_session() {
        Err(error) if error.errno() == caisson_sys::errno::EPERM => Ok(()),
        other => Ok(other?),
    }
}
