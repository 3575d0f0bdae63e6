//! Creates a container's cgroup: directories, controllers, limits. All or nothing.

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::io::Errno;

use crate::list::{directories_v1, directories_v2};
use crate::placement::Place;
use crate::{Cgroup, Error, Operation, Placement, Result, devices, files, operation, owner};

impl Placement {
    /// Creates the directories and applies the limits and device rules (default deny, with or without `wanted`).
    ///
    /// # Errors
    /// An existing cgroup that has processes or is frozen is refused, and so is a limit whose controller is missing.
    /// After an error everything that was created is removed.
    pub fn create(&self, wanted: Option<&LinuxResources>) -> Result<Cgroup> {
        self.begin(self.operations(wanted)?)?.finish()
    }

    /// The first half of [`create`](Self::create): the version 2 directories, into which a process can be cloned while
    /// the rest is created. Dropping the value before it is finished removes what was created. The list comes from
    /// [`operations`](Self::operations).
    pub fn begin(&self, operations: Vec<Operation>) -> Result<Making> {
        let is_first = |operation: &Operation| match operation {
            Operation::MakeParent { directory }
            | Operation::MakeDirectory { directory }
            | Operation::EnableControllers { directory } => {
                self.places.iter().any(|place| place.unified && directory.starts_with(&place.mount_point))
            }
            _ => false,
        };
        let count = operations.iter().take_while(|operation| is_first(operation)).count();
        let mut making =
            Making { placement: self.clone(), made: Made::default(), pending: operations.into() };
        making.advance(count)?;
        Ok(making)
    }

    /// The place of a directory in the list.
    fn of(&self, directory: &Path) -> Option<&Place> {
        self.places
            .iter()
            .find(|place| place.directory == directory || place.leaf.as_deref() == Some(directory))
    }
}

/// Attempts to make a directory whose parents other containers keep removing with themselves.
const ATTEMPTS: usize = 100;

/// Makes the container's directory, and its parents again if another container has removed them meanwhile.
fn make_again(place: &Place, placement: &Placement, made: &mut Made) -> Result<()> {
    let mut result = make_directory(place, made);
    for _ in 0..ATTEMPTS {
        if !matches!(&result, Err(error) if error.errno() == Some(Errno::NOENT.raw_os_error())) {
            break;
        }
        let list = if place.unified { directories_v2(place) } else { directories_v1(place) };
        for parent in
            list.iter().take_while(|operation| !matches!(operation, Operation::MakeDirectory { .. }))
        {
            perform(parent, placement, made)?;
        }
        result = make_directory(place, made);
    }
    result
}

/// The container's directory, which may have existed before.
fn make_directory(place: &Place, made: &mut Made) -> Result<()> {
    let directory = &place.directory;
    match fs::create_dir(directory) {
        Ok(()) => made.directories.push(directory.clone()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            refuse_used(directory)?;
            // A leaf that an earlier container has left keeps its cpus, which would conflict with new ones.
            place.leaf.iter().for_each(|leaf| drop(fs::remove_dir(leaf)));
        }
        Err(error) => return Err(Error::io("cannot make", directory, &error)),
    }
    if place.unified {
        refuse_threaded(directory)?;
    }
    if place.unified || place.has("freezer") {
        refuse_frozen(directory)?; // by an ancestor: a process that joins would never start
    }
    Ok(())
}

fn make_leaf(leaf: &Path, made: &mut Made) -> Result<()> {
    fs::create_dir(leaf).map_err(|error| {
        let failure = Error::io("cannot make", leaf, &error);
        match error.kind() {
            ErrorKind::OutOfMemory => failure.hint("the memory limit is too small: allow at least 1 MiB"),
            _ => failure,
        }
    })?;
    made.directories.push(leaf.to_path_buf());
    Ok(())
}

/// A partially created cgroup.
#[must_use]
pub struct Making {
    placement: Placement,
    made: Made,
    pending: VecDeque<Operation>,
}

impl Making {
    fn unified(&self) -> Option<PathBuf> {
        self.placement.places.iter().find(|place| place.unified).map(|place| place.directory.clone())
    }

    /// The version 2 directory of the processes, for CLONE_INTO_CGROUP.
    pub fn unified_fd(&self) -> Option<OwnedFd> {
        let place = self.placement.places.iter().find(|place| place.unified)?;
        crate::cgroup::handle(place.processes())
    }

    /// Creates the other directories and applies limits and device rules. After an error, dropping the value removes
    /// what was created; drop it only after the process that was cloned into it has ended.
    pub fn finish(&mut self) -> Result<Cgroup> {
        self.advance(self.pending.len())?;
        let unified = self.unified();
        let parents = std::mem::take(&mut self.made).parents;
        Ok(Cgroup::new(self.placement.directories(), parents, unified))
    }

    fn advance(&mut self, count: usize) -> Result<()> {
        for operation in self.pending.drain(..count) {
            perform(&operation, &self.placement, &mut self.made)?;
        }
        Ok(())
    }
}

fn perform(operation: &Operation, placement: &Placement, made: &mut Made) -> Result<()> {
    match operation {
        Operation::MakeParent { directory } => make_parent(directory, made),
        Operation::MakeDirectory { directory } => match placement.of(directory) {
            Some(place) if place.directory == *directory => make_again(place, placement, made),
            _ => make_leaf(directory, made),
        },
        Operation::EnableControllers { directory } => {
            unless_removed(directory, enable_controllers(directory))
        }
        Operation::InheritCpuset { directory } => unless_removed(directory, copy_cpuset(directory)),
        Operation::CheckUsage { directory, file, limited, limit } => {
            operation::check_usage(directory, file, limited, *limit)
        }
        Operation::Write(write) => write.apply(),
        Operation::WriteInAnyOrder(writes) => operation::write_in_any_order(writes),
        Operation::RestrictDevices { directory, rules, if_permitted } => {
            let unified = placement.of(directory).is_some_and(|place| place.unified);
            permitted(devices::restrict(directory, rules, unified), *if_permitted)
        }
        Operation::ChangeOwner { directory, owner, if_permitted } => {
            permitted(owner::change(directory, *owner), *if_permitted)
        }
    }
}

/// A parent that another container has just removed with itself is made again with the container's directory.
fn unless_removed(directory: &Path, result: Result<()>) -> Result<()> {
    result.or_else(|error| if directory.exists() { Err(error) } else { Ok(()) })
}

fn permitted(result: Result<()>, if_permitted: bool) -> Result<()> {
    match result {
        Err(error) if if_permitted && error.is_denied() => Ok(()),
        other => other,
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let Made { directories, parents } = std::mem::take(&mut self.made);
        let _ = Cgroup::new(directories, parents, None).remove();
    }
}

#[derive(Default)]
struct Made {
    /// Without directories that existed before.
    directories: Vec<PathBuf>,
    /// Deepest first.
    parents: Vec<PathBuf>,
}

fn make_parent(directory: &Path, made: &mut Made) -> Result<()> {
    match fs::create_dir(directory) {
        Ok(()) => made.parents.insert(0, directory.to_path_buf()),
        // In the second case its own parent was removed; making the container's directory notices.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
        Err(error) => return Err(Error::io("cannot make", directory, &error)),
    }
    Ok(())
}

/// COMPAT(runc): its wording. The limits would apply to processes of another container.
fn refuse_used(directory: &Path) -> Result<()> {
    let cgroup = Cgroup::new(vec![directory.to_path_buf()], Vec::new(), None);
    let count = cgroup.processes()?.len();
    if count > 0 {
        return Err(Error::new(format!(
            "container's cgroup is not empty: {count} process(es) found in {}",
            directory.display()
        )));
    }
    refuse_frozen(directory)
}

/// COMPAT(runc): its wording.
fn refuse_frozen(directory: &Path) -> Result<()> {
    if !Cgroup::new(vec![directory.to_path_buf()], Vec::new(), None).is_frozen() {
        return Ok(());
    }
    Err(Error::new(format!("container's cgroup unexpectedly frozen: {}", directory.display()))
        .hint("thaw it, or the cgroup above it that is frozen"))
}

/// Such a cgroup has no memory and no I/O limits, and neither lists nor kills its processes.
fn refuse_threaded(directory: &Path) -> Result<()> {
    let kind = files::read(directory, "cgroup.type").unwrap_or_default();
    if !matches!(kind.trim(), "threaded" | "domain invalid") {
        return Ok(());
    }
    Err(Error::new(format!("{}: the cgroup's type is {:?}", directory.display(), kind.trim())).hint(
        "the cgroup above it is threaded, or has processes beside its children: choose another cgroupsPath",
    ))
}

fn copy_cpuset(directory: &Path) -> Result<()> {
    let Some(parent) = directory.parent() else { return Ok(()) };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if files::read(directory, file)?.trim().is_empty() {
            files::write(directory, file, files::read(parent, file)?.trim())?;
        }
    }
    Ok(())
}

fn enable_controllers(directory: &Path) -> Result<()> {
    let available = files::read(directory, "cgroup.controllers")?;
    let enabled = files::read(directory, "cgroup.subtree_control")?;
    let enabled: Vec<_> = enabled.split_ascii_whitespace().collect();
    let missing: Vec<_> = available
        .split_ascii_whitespace()
        .filter(|c| !enabled.contains(c))
        .map(|c| format!("+{c}"))
        .collect();
    if missing.is_empty() || files::write(directory, "cgroup.subtree_control", &missing.join(" ")).is_ok() {
        return Ok(());
    }
    for controller in &missing {
        let _ = files::write(directory, "cgroup.subtree_control", controller);
    }
    Ok(())
}
