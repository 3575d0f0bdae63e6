//! `linux.intelRdt`: the groups that the runtime has made are joined early; without a mount it is refused.

mod support;

use caisson_plan::{Host, Operation, plan};
use serde_json::json;
use support::{changed, host, options, parse};

#[test]
fn resctrl_groups_are_joined_between_cgroup_and_namespaces_and_refused_without_a_mount() {
    let config = parse(&changed(&[("linux.intelRdt", json!({}))])).unwrap();
    let error = plan(&config, &options(), &host()).unwrap_err();
    assert!(error.unsupported);
    assert_eq!(
        error.to_string(),
        "linux.intelRdt: intelRdt is specified in config, but Intel RDT is not enabled"
    );
    let files = ["/r/box/tasks", "/r/box/mon_groups/box/tasks"].map(str::to_owned);
    let host = Host { resctrl_tasks: Some(files.to_vec()), ..host() };
    let joins = files.map(|host_tasks_file| Operation::JoinResctrl { host_tasks_file });
    let early = plan(&config, &options(), &host).unwrap().early;
    let at = early.iter().position(|operation| *operation == joins[0]).unwrap();
    assert_eq!((&early[at - 1], &early[at + 1]), (&Operation::ResetCpuAffinity, &joins[1]));
    assert_eq!(early.last(), Some(&Operation::UnshareCgroup));
}

#[test]
fn without_the_property_no_group_is_joined() {
    let host = Host { resctrl_tasks: None, ..host() };
    let plan = plan(&parse(&changed(&[])).unwrap(), &options(), &host).unwrap();
    assert!(!plan.early.iter().any(|operation| matches!(operation, Operation::JoinResctrl { .. })));
}
