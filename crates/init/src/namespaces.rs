//! From the clone to a process that sits in all its namespaces with the ids of the container's root.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::{Code, Phase};
use caisson_flags::Namespaces;
use caisson_plan::protocol::Report;
use caisson_plan::{JoinNamespace, NamespaceKind, Operation, Plan, TimeOffsets};
use caisson_sys::file::{self, CWD, O_RDONLY, O_WRONLY};
use caisson_sys::namespace;
use caisson_sys::sibling::{Clone, clone_sibling};
use caisson_sys::{capability, credentials, descriptor, errno, process, scheduling};

use crate::caller::Caller;
use crate::control::{Control, ControlMessage};
use crate::failure::{Result, SetupError};
use crate::mappings;
use crate::procfs::Procfs;
use crate::sources::Sources;

const PHASE: Phase = Phase::Spawn;

/// What is known of the namespaces afterwards.
pub struct Entered {
    pub sources: Sources,
    /// setgroups(2) is denied in the user namespace, so that no group can be dropped: none means anything inside.
    pub keeps_groups: bool,
}

/// Joins, creates and waits as the plan says. The host paths that the caller's user may open are open when it returns.
pub fn enter(plan: &Plan, control: &Control, procfs: &Procfs, guard: Option<OwnedFd>) -> Result<Entered> {
    let new_user = plan.user_namespace.is_some();
    let joins = |kind| plan.join.iter().any(|join| join.kind == kind);
    let joins_user = joins(NamespaceKind::User);
    // SECURITY: CVE-2016-9962 and its kin: no process of a namespace that we enter may look into this one. The guard
    // has made it so, but for an ordinary user's new user namespace: to write its maps the process must be dumpable
    // until then.
    if !new_user {
        credentials::set_dumpable(false).map_err(|error| at("", error))?;
    }
    follow_caller(plan, control)?;
    // A joined mount namespace may show another /proc.
    let host = guard.as_ref().map(|_| Procfs::of_the_host()).transpose()?;
    await_word(control, "its control groups")?;

    let changes_user = joins_user || plan.clone_after_join.contains(Namespaces::USER);
    for operation in &plan.early {
        match operation {
            Operation::JoinCgroup { host_procs_file } => join_cgroup(host_procs_file)?,
            Operation::ResetCpuAffinity => reset_cpu_affinity(control),
            Operation::JoinResctrl { host_tasks_file } => join_resctrl(host_tasks_file)?,
            // It is owned by the user namespace of the process that unshares it: that one comes later here.
            Operation::UnshareCgroup if changes_user => {}
            Operation::UnshareCgroup => unshare(NamespaceKind::Cgroup)?,
            other => {
                let reason = format!("{other:?} is not an early operation");
                return Err(SetupError::internal(reason).phase(PHASE));
            }
        }
    }
    let in_time = changes_user && use_callers_rights(plan)?;
    join_and_clone(plan, control)?;
    if changes_user && plan.early.contains(&Operation::UnshareCgroup) {
        unshare(NamespaceKind::Cgroup)?;
    }

    let caller = guard.zip(host).map(|(guard, host)| Caller::new(guard, &host)).transpose()?;
    let mut sources = Sources::new(caller);
    if new_user || joins_user {
        sources.open_all(plan)?;
    }
    let mut in_time = in_time;
    if new_user {
        // Before the change of ids: only its owner may write to the files of this process.
        if let Some(score) = oom_score(plan) {
            let _ = Procfs::of_the_host().and_then(|procfs| set_oom_score(&procfs, score));
        }
        if let Some(offsets) = plan.time_namespace.as_ref().filter(|_| !in_time) {
            enter_time_namespace(offsets, &Procfs::of_the_host()?)?;
            in_time = true;
        }
        await_word(control, "the id mappings")?;
    }
    if let Some(expected) = &plan.joined_mappings {
        mappings::verify(expected).map_err(|problem| problem.phase(PHASE))?;
    }
    let mut keeps_groups = false;
    if new_user || joins_user {
        keeps_groups =
            become_root().map_err(|problem| problem.phase(PHASE).about("linux.namespaces: user"))?;
        credentials::set_dumpable(false).map_err(|error| at("", error))?;
        follow_caller(plan, control)?;
    }
    if let Some(offsets) = plan.time_namespace.as_ref().filter(|_| !in_time) {
        enter_time_namespace(offsets, procfs)?;
    }
    if plan.waits_for_runtime_hooks {
        control.report(&Report::NamespacesReady, None).map_err(|problem| problem.phase(PHASE))?;
        await_word(control, "the runtime's hooks")?;
    }
    Ok(Entered { sources, keeps_groups })
}

fn at(subject: &str, error: caisson_sys::Error) -> SetupError {
    SetupError::from(error).phase(PHASE).about(subject)
}

fn refused(reason: String) -> SetupError {
    SetupError::refused(Code::InvalidSpec, reason).phase(PHASE)
}

/// Arms the signal for the caller's death, and catches a death that came first. Needed again after every change of
/// credentials and in every new process.
pub fn follow_caller(plan: &Plan, control: &Control) -> Result<()> {
    if plan.kill_on_parent_death {
        credentials::die_with_parent().map_err(|error| at("", error))?;
        if control.is_closed() {
            process::exit(1);
        }
    }
    Ok(())
}

fn await_word(control: &Control, what: &str) -> Result<()> {
    match control.wait() {
        Ok(ControlMessage::Proceed) => Ok(()),
        Ok(ControlMessage::Start(..)) => {
            let reason = format!("protocol error: got Start while waiting for {what}");
            Err(SetupError::internal(reason).phase(PHASE))
        }
        Ok(ControlMessage::End) => process::exit(1), // the caller is gone
        Err(problem) => Err(problem.phase(PHASE).about(&format!("waiting for {what}"))),
    }
}

/// In a joined user namespace a process that was started outside may not write its own files in procfs: what is
/// inherited by a second clone is set before, with the caller's rights. Whether a new time namespace is among it.
fn use_callers_rights(plan: &Plan) -> Result<bool> {
    let procfs = Procfs::default(); // of the caller's pid namespace, and gone before any other is entered
    if let Some(score) = oom_score(plan) {
        let _ = set_oom_score(&procfs, score);
    }
    let Some(offsets) = &plan.time_namespace else { return Ok(false) };
    match enter_time_namespace(offsets, &procfs) {
        Err(problem) if problem.errno() == errno::EPERM => Ok(false),
        other => other.map(|()| true),
    }
}

fn oom_score(plan: &Plan) -> Option<i32> {
    plan.setup.iter().find_map(|operation| match operation {
        Operation::OomScoreAdj(score) => Some(*score),
        _ => None,
    })
}

/// Where this fails the operation itself, later, reports it.
fn set_oom_score(procfs: &Procfs, score: i32) -> Result<()> {
    procfs.write("self/oom_score_adj", &score.to_string())
}

/// The cgroup's `cgroup.procs` belongs to the user who called us: this comes before any change of ids.
fn join_cgroup(procs_file: &str) -> Result<()> {
    let join = || {
        let file = file::open_at(CWD, procs_file, O_WRONLY, 0)?;
        file::write_once(file.as_fd(), b"0").map_err(|error| error.on(procs_file))
    };
    join().map_err(|error| {
        SetupError::from(error)
            .code(Code::CgroupUnavailable)
            .phase(PHASE)
            .about("unable to apply cgroup configuration")
    })
}

/// Whatever is cloned later is in the group as well.
fn join_resctrl(tasks_file: &str) -> Result<()> {
    let join = || {
        let file = file::open_at(CWD, tasks_file, O_WRONLY, 0)?;
        file::write_once(file.as_fd(), b"0").map_err(|error| error.on(tasks_file))
    };
    join().map_err(|error| at("unable to apply Intel RDT configuration", error))
}

/// COMPAT(runc): where a sandbox refuses it, the container starts with the caller's affinity, and a warning.
fn reset_cpu_affinity(control: &Control) {
    if let Err(error) = scheduling::use_all_cpus() {
        control.warn(format!("the CPU affinity of the caller is inherited: {error}"));
    }
}

fn unshare(kind: NamespaceKind) -> Result<()> {
    namespace::unshare(kind.flag()).map_err(|error| at(&format!("linux.namespaces: {}", kind.name()), error))
}

struct Opened<'p> {
    join: &'p JoinNamespace,
    fd: OwnedFd,
}

impl Opened<'_> {
    fn enter(&self) -> caisson_sys::Result<()> {
        namespace::join(self.fd.as_fd(), self.join.kind.flag())
    }
    fn failed(&self, error: caisson_sys::Error) -> SetupError {
        at(&format!("linux.namespaces: {} {:?}", self.join.kind.name(), self.join.path), error)
    }
}

fn open(join: &JoinNamespace) -> Result<Opened<'_>> {
    let subject = format!("linux.namespaces: {} {:?}", join.kind.name(), join.path);
    let fd = file::open_at(CWD, &join.path, O_RDONLY, 0).map_err(|error| at(&subject, error))?;
    match namespace::kind_of(fd.as_fd()) {
        Ok(kind) if kind == join.kind.flag() => Ok(Opened { join, fd }),
        _ => {
            let reason = format!("the path is not a {} namespace", join.kind.name());
            Err(SetupError::refused(Code::InvalidSpec, reason).on(&join.path).phase(PHASE).about(&subject))
        }
    }
}

/// SECURITY: a namespace that is joined may be the caller's own: what is set in it is set for the host.
fn refuse_settings_of_the_caller(plan: &Plan, opened: &[Opened<'_>]) -> Result<()> {
    for namespace in opened {
        let kind = namespace.join.kind;
        let theirs = file::status(namespace.fd.as_fd()).map_err(|error| namespace.failed(error))?;
        let own = format!("/proc/self/ns/{}", kind.file());
        let ours = file::status_of(&own).map_err(|error| at(&own, error))?;
        if (theirs.device, theirs.inode) != (ours.device, ours.inode) {
            continue;
        }
        for operation in &plan.setup {
            let reason = match operation {
                // COMPAT(runc): its sentence.
                Operation::Sysctl { key, .. } if caisson_plan::namespace_of_sysctl(key) == Some(kind) => {
                    format!(
                        "sysctl {:?} not allowed in host {} namespace",
                        key.replace('/', "."),
                        kind.name()
                    )
                }
                Operation::Hostname(_) | Operation::Domainname(_) if kind == NamespaceKind::Uts => {
                    format!("{} not allowed in host uts namespace", crate::setup::subject(operation))
                }
                _ => continue,
            };
            return Err(refused(reason));
        }
    }
    Ok(())
}

/// Joins by path, then creates what is left. Every path is opened before the first join, as a joined mount namespace
/// has other paths.
fn join_and_clone(plan: &Plan, control: &Control) -> Result<()> {
    let opened = plan.join.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    refuse_settings_of_the_caller(plan, &opened)?;
    let of_kind = |kind| opened.iter().find(move |namespace: &&Opened| namespace.join.kind == kind);
    let (user, pid) = (of_kind(NamespaceKind::User), of_kind(NamespaceKind::Pid));
    // What our own user namespace owns has to be joined while we have its rights, and what a joined user namespace owns
    // when we have that one's: try, and try again.
    let mut later = vec![];
    for namespace in &opened {
        if matches!(namespace.join.kind, NamespaceKind::User | NamespaceKind::Pid) {
            continue;
        }
        match namespace.enter() {
            Err(error) if error.errno() == errno::EPERM && user.is_some() => later.push(namespace),
            other => other.map_err(|error| namespace.failed(error))?,
        }
    }
    let pid_joined = join_early(pid, user.is_some())?;
    if let Some(user) = user {
        user.enter().map_err(|error| user.failed(error))?;
        // A change of credentials makes a process what fs.suid_dumpable says.
        credentials::set_dumpable(false).map_err(|error| at("", error))?;
    }
    for namespace in later {
        namespace.enter().map_err(|error| namespace.failed(error))?;
    }
    if let Some(pid) = pid.filter(|_| !pid_joined) {
        pid.enter().map_err(|error| pid.failed(error))?;
    }

    let only_a_clone_makes = Namespaces::PID | Namespaces::USER;
    if pid.is_some() || plan.clone_after_join.intersects(only_a_clone_makes) {
        replace(plan, control)?;
    } else if !plan.clone_after_join.is_empty() {
        namespace::unshare(plan.clone_after_join).map_err(|error| at("linux.namespaces", error))?;
    }
    Ok(())
}

/// Joining a pid namespace changes nothing before the next clone, so it is as late as can be in any order; it only has
/// to come before a user namespace in which we would have no right to it.
fn join_early(pid: Option<&Opened<'_>>, before_user: bool) -> Result<bool> {
    match pid {
        Some(pid) if before_user => match pid.enter() {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == errno::EPERM => Ok(false),
            Err(error) => Err(pid.failed(error)),
        },
        _ => Ok(false),
    }
}

/// Goes on as a sibling in the joined pid namespace and in new ones; this process only tells the caller about it.
fn replace(plan: &Plan, control: &Control) -> Result<()> {
    let replace = || -> Result<()> {
        let (told, telling) = descriptor::pipe()?;
        match clone_sibling(plan.clone_after_join, None)? {
            Clone::Caller { pid, pidfd } => {
                control.report(&Report::Replaced { pid }, Some(&pidfd))?;
                process::exit(0);
            }
            Clone::Sibling { .. } => {
                // Nothing of ours may reach the caller before it knows who we are.
                drop(telling);
                file::read_all(told.as_fd(), 0)?;
                Ok(())
            }
        }
    };
    replace().map_err(|problem| problem.phase(PHASE).about("linux.namespaces"))?;
    follow_caller(plan, control)
}

/// The ids of the container's root, all capabilities over its namespaces, none that programs would inherit. Whether the
/// groups stay: an unprivileged user namespace may not drop them.
fn become_root() -> Result<bool> {
    let keeps_groups = match credentials::set_groups(&[]) {
        Err(error) if error.errno() == errno::EPERM => true,
        other => other.map(|()| false)?,
    };
    let unmapped = "container ids 0 must be mapped (linux.uidMappings, linux.gidMappings)";
    credentials::set_gid(0).map_err(|error| SetupError::from(error).hint(unmapped))?;
    credentials::set_uid(0).map_err(|error| SetupError::from(error).hint(unmapped))?;
    let sets = capability::get()?;
    capability::clear_ambient()?;
    capability::set(capability::Sets { effective: sets.permitted, inheritable: 0, ..sets })?;
    Ok(keeps_groups)
}

/// The offsets are written before a process is in it. Only since Linux 6.3 does execve(2) enter it by itself.
fn enter_time_namespace(offsets: &TimeOffsets, procfs: &Procfs) -> Result<()> {
    unshare(NamespaceKind::Time)?;
    let line = |clock, offset: Option<(i64, u32)>| {
        offset.map(|(seconds, nanoseconds)| format!("{clock} {seconds} {nanoseconds}\n")).unwrap_or_default()
    };
    let lines = line("monotonic", offsets.monotonic) + &line("boottime", offsets.boottime);
    if !lines.is_empty() {
        procfs.write("self/timens_offsets", &lines).map_err(|problem| {
            problem
                .hint("offsets need CAP_SYS_TIME in the user namespace and must not make a clock negative")
                .phase(PHASE)
                .about("linux.timeOffsets")
        })?;
    }
    let enter = || -> Result<()> {
        let made = procfs.time_for_children()?;
        Ok(namespace::join(made.as_fd(), Namespaces::TIME)?)
    };
    enter().map_err(|problem| problem.phase(PHASE).about("linux.namespaces: time"))
}
