//! The list of operations for a container's cgroups, in order. Pure: no file is accessed.

use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;

use crate::placement::Place;
use crate::{Mode, Operation, Placement, Result, Write, devices, resources};

impl Placement {
    /// The operations of [`create`](Self::create), as data, without side effects.
    ///
    /// # Errors
    /// A limit whose controller is missing, or that this version of cgroups does not support.
    pub fn operations(&self, wanted: Option<&LinuxResources>) -> Result<Vec<Operation>> {
        let (version_2, version_1): (Vec<_>, Vec<_>) = self.places.iter().partition(|place| place.unified);
        let mut list = Vec::new();
        for place in &version_2 {
            list.extend(directories_v2(place));
        }
        for place in &version_1 {
            list.extend(directories_v1(place));
        }
        list.extend(resources::operations(&self.places, wanted)?);
        list.extend(devices::operation(self, wanted)?);
        for place in &self.places {
            list.extend(if place.unified { child_v2(place) } else { child_v1(place) });
        }
        list.extend(resources::operations_of_leaves(&self.places, wanted)?);
        list.extend(self.change_owner());
        Ok(list)
    }

    /// SECURITY: only in version 2, where these files do not reach the limits. In version 1 delegation is not secure.
    fn change_owner(&self) -> Option<Operation> {
        let place = self.places.first().filter(|_| self.mode == Mode::V2)?;
        let directory = place.processes().to_path_buf();
        self.owner.map(|owner| Operation::ChangeOwner { directory, owner, if_permitted: self.rootless })
    }
}

fn make(directory: &Path) -> Operation {
    Operation::MakeDirectory { directory: directory.to_path_buf() }
}

/// The directories between the mount point and the container's, from the top.
fn parents(place: &Place) -> Vec<PathBuf> {
    let above = place.directory.ancestors().skip(1);
    let mut parents: Vec<_> =
        above.take_while(|d| *d != place.mount_point && d.starts_with(&place.mount_point)).collect();
    parents.reverse();
    parents.into_iter().map(Path::to_path_buf).collect()
}

/// A hybrid host has version 2 without controllers, as a rule.
pub(crate) fn directories_v2(place: &Place) -> Vec<Operation> {
    let enable = |directory: &Path| {
        (!place.controllers.is_empty())
            .then(|| Operation::EnableControllers { directory: directory.to_path_buf() })
    };
    let mut list: Vec<_> = enable(&place.mount_point).into_iter().collect();
    for directory in parents(place) {
        let enable = enable(&directory);
        list.push(Operation::MakeParent { directory });
        list.extend(enable);
    }
    list.push(make(&place.directory));
    list.extend(place.leaf.as_deref().map(make));
    list
}

pub(crate) fn directories_v1(place: &Place) -> Vec<Operation> {
    let mut list = Vec::new();
    for directory in parents(place) {
        list.push(Operation::MakeParent { directory: directory.clone() });
        list.extend(inherit_cpuset(place, &directory));
    }
    list.push(make(&place.directory));
    list.extend(inherit_cpuset(place, &place.directory));
    list
}

fn inherit_cpuset(place: &Place, directory: &Path) -> Option<Operation> {
    place.has("cpuset").then(|| Operation::InheritCpuset { directory: directory.to_path_buf() })
}

fn child_v2(place: &Place) -> Vec<Operation> {
    let directory = place.leaf.as_ref().map(|_| place.directory.clone());
    directory.map(|directory| Operation::EnableControllers { directory }).into_iter().collect()
}

fn child_v1(place: &Place) -> Vec<Operation> {
    let Some(leaf) = &place.leaf else { return Vec::new() };
    // Before Linux 5.11 a memory cgroup includes its children only if this is set before there are any.
    let hierarchical = place
        .has("memory")
        .then(|| Operation::Write(Write::new(&place.directory, "memory.use_hierarchy", 1).optional(true)));
    hierarchical.into_iter().chain([make(leaf)]).chain(inherit_cpuset(place, leaf)).collect()
}
