//! `linux.seccomp`: what is refused before any effect, and what a filter needs to be loaded.

mod support;

use caisson_plan::{Capabilities, Filter, Host, Operation, Options, Plan, SeccompFlags, SpecError, plan};
use serde_json::{Value, json};
use support::{changed, host, options, parse};

fn planned(profile: Value, options: &Options, host: &Host) -> Result<Plan, SpecError> {
    let config = changed(&[("linux.seccomp", profile), ("process.noNewPrivileges", json!(false))]);
    plan(&parse(&config)?, options, host)
}

fn filter(profile: Value) -> Filter {
    filter_of(&planned(profile, &options(), &host()).unwrap())
}

fn filter_of(plan: &Plan) -> Filter {
    plan.program().unwrap().filter.clone().unwrap()
}

#[track_caller]
fn refused(result: Result<Plan, SpecError>, path: &str, reason: &str) {
    let error = result.unwrap_err();
    assert!(
        error.issues.iter().any(|issue| issue.path == path && issue.message.contains(reason)),
        "expected {path}: {reason}, got {error}"
    );
}

fn notifies(more: Value) -> Value {
    let mut profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}],
    });
    profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    profile
}

#[test]
fn a_profile_that_is_wrong_is_refused_at_its_place() {
    let with = |rule: Value| {
        planned(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}), &options(), &host())
    };
    let rule = |more: Value| {
        let mut rule = json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    refused(
        with(rule(json!({"action": "SCMP_ACT_FLY"}))),
        "linux.seccomp.syscalls[0].action",
        "SCMP_ACT_FLY",
    );
    refused(with(rule(json!({"errnoRet": 5000}))), "linux.seccomp.syscalls[0].errnoRet", "5000");
    refused(
        with(rule(json!({"args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}))),
        "linux.seccomp.syscalls[0].args[0].index",
        "0 to 5",
    );
    refused(with(rule(json!({"names": []}))), "linux.seccomp.syscalls[0].names", "at least one");
}

#[test]
fn a_filter_that_the_kernel_would_not_take_is_refused() {
    let arguments = |value: u64| json!([{"index": 0, "value": value << 33, "op": "SCMP_CMP_EQ"}]);
    let rules: Vec<_> = (0..4000)
        .map(|value| json!({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": value % 100 + 2, "args": arguments(value)}))
        .collect();
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules});
    refused(planned(profile, &options(), &host()), "linux.seccomp", "at most 4096");
    let allow = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    let without = Host { seccomp_flags: None, ..host() };
    refused(planned(allow, &options(), &without), "linux.seccomp", "no system call filters");
}

#[test]
fn a_flag_is_known_to_the_kernel_or_refused_and_the_default_one_is_optional() {
    let old = Host { seccomp_flags: Some(SeccompFlags::LOG | SeccompFlags::NEW_LISTENER), ..host() };
    let profile = |flags: Value| json!({"defaultAction": "SCMP_ACT_LOG", "flags": flags});
    let log = planned(profile(json!(["SECCOMP_FILTER_FLAG_LOG"])), &options(), &old).unwrap();
    assert_eq!(filter_of(&log).flags, SeccompFlags::LOG);
    let allowed = profile(json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]));
    refused(planned(allowed, &options(), &old), "linux.seccomp.flags[1]", "SPEC_ALLOW");
    let default = json!({"defaultAction": "SCMP_ACT_LOG"});
    assert_eq!(filter(default.clone()).flags, SeccompFlags::SPEC_ALLOW);
    assert_eq!(filter_of(&planned(default, &options(), &old).unwrap()).flags, SeccompFlags::empty());
    // One thread is filtered; another one, which sends the listener, must not be.
    let tsync = json!({"flags": ["SECCOMP_FILTER_FLAG_TSYNC"], "listenerPath": "/run/a.sock"});
    assert_eq!(filter(notifies(tsync)).flags, SeccompFlags::NEW_LISTENER);
}

#[test]
fn calls_are_answered_by_an_agent_or_by_the_creator() {
    refused(planned(notifies(json!({})), &options(), &host()), "linux.seccomp.listenerPath", "");
    let answers = Options { answers_system_calls: true, ..options() };
    let both = notifies(json!({"listenerPath": "/run/a.sock"}));
    refused(planned(both, &answers, &host()), "linux.seccomp.listenerPath", "conflicts");
    let own = filter_of(&planned(notifies(json!({})), &answers, &host()).unwrap());
    assert_eq!(own.listener.unwrap().path, None);
    assert!(own.flags.contains(SeccompFlags::NEW_LISTENER | SeccompFlags::WAIT_KILLABLE_RECV));

    let agents = filter(notifies(json!({"listenerPath": "/run/a.sock", "listenerMetadata": "m\"n"})));
    let listener = agents.listener.unwrap();
    assert_eq!(listener.path.as_deref(), Some("/run/a.sock"));
    assert!(!agents.flags.contains(SeccompFlags::WAIT_KILLABLE_RECV), "only where the profile asks for it");
    let plan = planned(notifies(json!({"listenerPath": "/a"})), &options(), &host()).unwrap();
    let state: Value = serde_json::from_str(&plan.container_process_state(&listener, 42)).unwrap();
    assert_eq!(
        state,
        json!({
            "ociVersion": "1.3.0", "fds": ["seccompFd"], "metadata": "m\"n", "pid": 42,
            "state": {
                "ociVersion": "1.3.0", "id": options().id, "status": "creating", "pid": 42,
                "bundle": options().bundle, "annotations": {},
            },
        })
    );
}

/// SECURITY: with no_new_privs CAP_SYS_ADMIN would stay with the program.
#[test]
fn a_filter_needs_a_capability_only_without_no_new_privileges() {
    let until_exec = |seccomp: Value, no_new_privileges: bool| {
        let config =
            changed(&[("linux.seccomp", seccomp), ("process.noNewPrivileges", json!(no_new_privileges))]);
        let plan = plan(&parse(&config).unwrap(), &options(), &host()).unwrap();
        let sets = plan.setup.iter().find_map(|operation| match operation {
            Operation::Capabilities(sets) => Some(*sets),
            _ => None,
        });
        let Capabilities { until_exec, permitted, effective, inheritable, ambient, bounding } = sets.unwrap();
        assert_eq!((permitted | effective | inheritable | ambient | bounding) >> 21 & 1, 0);
        until_exec
    };
    let allow = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    assert_eq!(until_exec(allow.clone(), false), 1 << 21);
    assert_eq!(until_exec(allow, true), 0);
    assert_eq!(until_exec(Value::Null, false), 0);
}
