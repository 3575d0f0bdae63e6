//! Connects the cgroup crate and the plan.

use caisson_cgroup as cgroup;
use caisson_code::{Code, Phase};
use caisson_plan as plan;

use crate::failure::{Failure, Result};

/// COMPAT(runc): `unable to apply cgroup configuration` is its wording.
pub fn failure(error: cgroup::Error) -> Failure {
    let failure = Failure::new(
        Code::CgroupUnavailable,
        Phase::Cgroup,
        format!("unable to apply cgroup configuration: {error}"),
    );
    Failure {
        errno: error.errno_name(),
        path: error.path().map(Into::into),
        hint: error.advice().map(Into::into),
        ..failure
    }
}

/// The container's cgroups. `None` without one: cgroups are off, or an unprivileged user cannot create one and nothing
/// in the configuration needs it.
pub fn place(
    host: &cgroup::Host,
    request: &cgroup::Request<'_>,
    config: &plan::Config,
    euid: u32,
) -> Result<Option<cgroup::Placement>> {
    let resources = config.resources();
    let mut placement = host.place(request).map_err(failure)?;
    if let Some(limits) = resources.filter(|_| config.maps_user(euid)) {
        placement.protect(limits);
    }
    // What the caller makes is its own already.
    if let Some(owner) = config.cgroup_owner().filter(|owner| *owner != euid) {
        placement.delegate_to(owner);
    }
    let dispensable = request.rootless && !placement.explicit && !resources.is_some_and(cgroup::wants_limits);
    Ok((!dispensable || placement.is_permitted()).then_some(placement))
}

/// What is done about the cgroups. Without any, limits are refused; the caller has switched device rules off, too.
pub fn operations(
    placement: Option<&cgroup::Placement>,
    config: &plan::Config,
) -> Result<Vec<cgroup::Operation>> {
    match placement {
        Some(placement) => placement.operations(config.resources()).map_err(failure),
        // COMPAT(crun): its wording.
        None if config.resources().is_some_and(cgroup::wants_limits) => {
            Err(Failure::new(Code::CgroupUnavailable, Phase::Cgroup, "cannot set limits without cgroups")
                .hint("leave the limits out, or the cgroup manager \"disabled\""))
        }
        None => Ok(Vec::new()),
    }
}

/// The plan's view of the cgroups: the host's hierarchies and the container's paths in them.
pub fn view(host: &cgroup::Host, placement: Option<&cgroup::Placement>) -> plan::CgroupView {
    let hierarchies = host.hierarchies.iter().enumerate().map(|(index, hierarchy)| {
        let place = placement.and_then(|placement| placement.places.get(index));
        // Without a cgroup of its own the container sees the caller's.
        let own = || hierarchy.mount_point.join(hierarchy.own_path.trim_start_matches('/'));
        let directory = place.map_or_else(own, |place| place.processes().to_path_buf());
        plan::HostHierarchy {
            directory_name: hierarchy.directory_name.clone(),
            data: hierarchy.data.clone(),
            unified: hierarchy.unified,
            directory: directory.display().to_string(),
        }
    });
    plan::CgroupView {
        mode: match host.mode {
            cgroup::Mode::None => plan::CgroupMode::None,
            cgroup::Mode::V1 => plan::CgroupMode::V1,
            cgroup::Mode::Hybrid => plan::CgroupMode::Hybrid,
            cgroup::Mode::V2 => plan::CgroupMode::V2,
        },
        hierarchies: hierarchies.collect(),
        procs_files: placement
            .map(|placement| placement.procs_files().iter().map(|file| file.display().to_string()).collect())
            .unwrap_or_default(),
    }
}
