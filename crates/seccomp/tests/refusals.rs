//! Profiles that are refused, each at its place.

use caisson_seccomp::{Architecture, Profile, SeccompFlags, Target, check, compile};
use serde_json::{Value, json};

fn parse(value: &Value) -> Profile {
    serde_json::from_value(value.clone()).expect("a profile")
}

fn paths(value: &Value) -> Vec<String> {
    check(&parse(value), false).into_iter().map(|error| error.path).collect()
}

const TARGET: Target = Target { native: Architecture::X86_64, listener: false };

#[test]
fn what_cannot_be_done_is_refused_by_its_path() {
    let rule = |rule: Value| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    let errno = "SCMP_ACT_ERRNO";
    for (profile, wanted) in [
        (json!({ "defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1 }), "defaultErrnoRet"),
        (json!({ "defaultAction": errno, "defaultErrnoRet": 4096 }), "defaultErrnoRet"),
        (json!({ "defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65536 }), "defaultErrnoRet"),
        (rule(json!({ "names": ["read"], "action": "SCMP_ACT_LOG", "errnoRet": 2 })), "syscalls[0].errnoRet"),
        (rule(json!({ "names": [], "action": errno })), "syscalls[0].names"),
        (rule(json!({ "names": ["read", ""], "action": errno })), "syscalls[0].names[1]"),
        (
            rule(json!({ "names": ["read"], "action": errno,
                "args": [{ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" }] })),
            "syscalls[0].args[0].index",
        ),
        (rule(json!({ "names": ["read"], "action": "SCMP_ACT_NOTIFY" })), "listenerPath"),
        (json!({ "defaultAction": errno, "listenerMetadata": "x" }), "listenerMetadata"),
        (json!({ "defaultAction": errno, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] }), "flags[0]"),
    ] {
        assert_eq!(paths(&profile), [wanted], "{profile}");
        assert_eq!(compile(&parse(&profile), &TARGET).expect_err("an error").path, wanted);
    }
}

#[test]
fn rules_that_contradict_each_other_are_refused_unless_another_decides() {
    let args = json!([{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }]);
    let mut rules = vec![
        json!({ "names": ["read"], "action": "SCMP_ACT_ERRNO", "args": args }),
        json!({ "names": ["write", "read"], "action": "SCMP_ACT_TRAP", "args": args }),
    ];
    let profile = |rules: &[Value]| json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules });
    assert_eq!(paths(&profile(&rules)), ["syscalls[1].action"]);
    rules.push(json!({ "names": ["read"], "action": "SCMP_ACT_LOG" }));
    assert_eq!(paths(&profile(&rules)), [] as [&str; 0]);
}

#[test]
fn a_filter_that_is_too_long_is_refused() {
    let args = |value: u64| {
        json!([{ "index": value % 6, "value": value << 20 | value, "op": "SCMP_CMP_GE" },
        { "index": (value + 1) % 6, "value": value << 31, "op": "SCMP_CMP_NE" }])
    };
    let rules: Vec<Value> = (1..1500)
        .map(|value| json!({ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args(value) }))
        .collect();
    let profile = parse(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules }));
    let error = compile(&profile, &TARGET).expect_err("an error");
    assert_eq!(error.path, "");
    assert!(error.reason.ends_with("instructions: expected at most 4096"), "{error}");
}

#[test]
fn flags_are_those_of_the_profile_and_what_notifications_need() {
    let flags = |value: Value| compile(&parse(&value), &TARGET).expect("a filter").flags;
    assert_eq!(flags(json!({ "defaultAction": "SCMP_ACT_ALLOW" })), SeccompFlags::SPEC_ALLOW);
    assert_eq!(flags(json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": [] })), SeccompFlags::empty());
    let notifying = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "listenerPath": "/run/agent.sock",
        "syscalls": [{ "names": ["mount"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let wanted = SeccompFlags::TSYNC
        | SeccompFlags::TSYNC_ESRCH
        | SeccompFlags::NEW_LISTENER
        | SeccompFlags::WAIT_KILLABLE_RECV;
    assert_eq!(flags(notifying), wanted);
}

#[test]
fn unknown_members_and_nulls_are_tolerated() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": null, "x": 1,
        "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": null, "args": null, "comment": "" }],
    });
    assert!(compile(&parse(&profile), &TARGET).is_ok());
    assert!(serde_json::from_value::<Profile>(json!({ "defaultAction": "SCMP_ACT_NONE" })).is_err());
}
