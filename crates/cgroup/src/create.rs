//! Creates a container's cgroup: directories, controllers, limits. All or nothing.

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;

use crate::placement::Place;
use crate::{Cgroup, Error, Operation, Placement, Result, devices, files, operation, resources};

impl Placement {
    /// Creates the directories and applies the limits and device rules (default deny, with or without `wanted`).
    ///
    /// # Errors
    /// An existing cgroup that has processes or is frozen is refused, and so is a limit whose controller is missing.
    /// After an error everything that was created is removed.
    pub fn create(&self, wanted: Option<&LinuxResources>) -> Result<Cgroup> {
        self.begin(self.operations(wanted)?)?.finish()
    }

    /// The operations of [`create`](Self::create), as data, without side effects.
    ///
    /// # Errors
    /// A limit whose controller is missing, or that this version of cgroups does not support.
    pub fn operations(&self, wanted: Option<&LinuxResources>) -> Result<Vec<Operation>> {
        let make = |directory: &Path| Operation::MakeDirectory { directory: directory.to_path_buf() };
        let mut list = Vec::new();
        for place in self.places.iter().filter(|place| place.unified) {
            list.push(make(&place.directory));
            list.extend(place.leaf.as_deref().map(make));
        }
        list.extend(self.places.iter().filter(|place| !place.unified).map(|place| make(&place.directory)));
        list.extend(resources::operations(&self.places, wanted)?);
        list.extend(devices::operation(&self.places, wanted, self.rootless)?);
        for place in &self.places {
            list.extend(place.leaf.as_deref().map(|leaf| match place.unified {
                true => Operation::EnableControllers { directory: place.directory.clone() },
                false => make(leaf),
            }));
        }
        list.extend(resources::operations_of_leaves(&self.places, wanted)?);
        Ok(list)
    }

    /// The first half of [`create`](Self::create): the version 2 directories, into which a process can be cloned while
    /// the rest is created. Dropping the value before it is finished removes what was created. The list comes from
    /// [`operations`](Self::operations).
    pub fn begin(&self, operations: Vec<Operation>) -> Result<Making> {
        let is_first = |operation: &Operation| match operation {
            Operation::MakeDirectory { directory } => self.of(directory).is_some_and(|place| place.unified),
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

    fn make(place: &Place, made: &mut Made) -> Result<()> {
        let directory = &place.directory;
        // A hybrid host has controllers in version 2 that no version 1 hierarchy has.
        if place.unified && !place.controllers.is_empty() {
            make_parents(place, made)?;
            enable_controllers(place)?;
        }
        match fs::create_dir(directory) {
            Ok(()) => made.directories.push(directory.clone()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                refuse_used(directory)?;
                // A leaf that an earlier container has left keeps its cpus, which would conflict with new ones.
                place.leaf.iter().for_each(|leaf| drop(fs::remove_dir(leaf)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_parents(place, made)?;
                fs::create_dir(directory).map_err(|e| Error::io("cannot make", directory, &e))?;
                made.directories.push(directory.clone());
            }
            Err(error) => return Err(Error::io("cannot make", directory, &error)),
        }
        if place.unified || has(place, "freezer") {
            refuse_frozen(directory)?; // by an ancestor: a process that joins would never start
        }
        if has(place, "cpuset") && !place.unified {
            inherit_cpuset(&place.mount_point, directory)?;
        }
        Ok(())
    }
}

fn make_leaf(place: &Place, made: &mut Made) -> Result<()> {
    let Some(leaf) = &place.leaf else { return Ok(()) };
    // Before Linux 5.11, `memory.use_hierarchy` must be set to include children, and only before there are any.
    if !place.unified && files::read(&place.directory, "memory.use_hierarchy").is_ok_and(|v| v.trim() == "0")
    {
        files::write(&place.directory, "memory.use_hierarchy", "1")?;
    }
    fs::create_dir(leaf).map_err(|error| Error::io("cannot make", leaf, &error))?;
    made.directories.push(leaf.clone());
    if has(place, "cpuset") && !place.unified {
        inherit_cpuset(&place.directory, leaf)?;
    }
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
        Operation::MakeDirectory { directory } => match placement.of(directory) {
            Some(place) if place.directory == *directory => Placement::make(place, made),
            Some(place) => make_leaf(place, made),
            None => Ok(()),
        },
        Operation::EnableControllers { directory } => hand_down(directory),
        Operation::CheckUsage { directory, file, limit } => operation::check_usage(directory, file, *limit),
        Operation::Write(write) => write.apply(),
        Operation::WriteInEitherOrder(first, second) => match first.apply() {
            Ok(()) => second.apply(),
            Err(_) => second.apply().and_then(|()| first.apply()),
        },
        Operation::RestrictDevices { directory, rules, if_permitted } => {
            let unified = placement.of(directory).is_some_and(|place| place.unified);
            match devices::restrict(directory, rules, unified) {
                Err(error) if *if_permitted && error.is_denied() => Ok(()),
                other => other,
            }
        }
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

fn make_parents(place: &Place, made: &mut Made) -> Result<()> {
    let missing: Vec<_> = place
        .directory
        .ancestors()
        .skip(1)
        .take_while(|d| d.starts_with(&place.mount_point) && !d.exists())
        .map(Path::to_path_buf)
        .collect();
    for directory in missing.iter().rev() {
        match fs::create_dir(directory) {
            Ok(()) => made.parents.insert(0, directory.clone()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {} // a concurrent start creates the same parent
            Err(error) => return Err(Error::io("cannot make", directory, &error)),
        }
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

fn has(place: &Place, controller: &str) -> bool {
    place.controllers.iter().any(|name| name == controller)
}

/// Version 1: a new cpuset is empty and accepts no process; every level inherits its parent's values.
fn inherit_cpuset(top: &Path, directory: &Path) -> Result<()> {
    let mut levels: Vec<_> = directory.ancestors().take_while(|d| *d != top).collect();
    levels.reverse();
    for directory in levels {
        let Some(parent) = directory.parent() else { continue };
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if files::read(directory, file)?.trim().is_empty() {
                files::write(directory, file, files::read(parent, file)?.trim())?;
            }
        }
    }
    Ok(())
}

/// Version 2: every level above the container enables its controllers for children, all at once or one by one (one that
/// cannot be enabled must not prevent the others; a limit that needs it fails by itself).
fn enable_controllers(place: &Place) -> Result<()> {
    // The usual case: all controllers are already enabled for the container's parent.
    let parent = place.directory.parent().unwrap_or(&place.mount_point);
    let enabled = files::read(parent, "cgroup.subtree_control")?;
    if place.controllers.iter().all(|c| enabled.split_ascii_whitespace().any(|name| name == c)) {
        return Ok(());
    }
    let mut levels: Vec<_> =
        place.directory.ancestors().skip(1).take_while(|d| d.starts_with(&place.mount_point)).collect();
    levels.reverse();
    for directory in levels {
        hand_down(directory)?;
    }
    Ok(())
}

fn hand_down(directory: &Path) -> Result<()> {
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
