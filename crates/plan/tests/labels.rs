//! Labels of security modules: applied where the module is active, else refused, or a warning where the caller says so.

mod support;

use caisson_plan::{Host, MissingModule, Operation, Options, Plan, SpecError, plan};
use serde_json::json;
use support::{changed, host, options, parse};

const MOUNT: &str = "system_u:object_r:container_file_t:s0:c1,c2";
const PROCESS: &str = "system_u:system_r:container_t:s0:c1,c2";

fn planned(modules: &[&str], missing_security_module: MissingModule) -> Result<Plan, SpecError> {
    let config = changed(&[
        ("process.apparmorProfile", json!("profile")),
        ("process.selinuxLabel", json!(PROCESS)),
        ("linux.mountLabel", json!(MOUNT)),
    ]);
    let host = Host { security_modules: modules.iter().map(|&name| name.to_owned()).collect(), ..host() };
    plan(&parse(&config)?, &Options { missing_security_module, ..options() }, &host)
}

fn place(plan: &Plan, wanted: &Operation) -> usize {
    plan.setup.iter().position(|operation| operation == wanted).unwrap()
}

#[test]
fn active_modules_get_their_labels_in_this_order() {
    let plan = planned(&["capability", "apparmor", "selinux"], MissingModule::Refuse).unwrap();
    let at = |operation: Operation| place(&plan, &operation);
    let keyring = at(Operation::NewSessionKeyring);
    assert_eq!(at(Operation::KeyLabel(PROCESS.into())), keyring - 1);
    assert_eq!(at(Operation::KeyLabel(String::new())), keyring + 1);
    let first_mount =
        plan.setup.iter().position(|operation| matches!(operation, Operation::Mount(_))).unwrap();
    assert!(at(Operation::MountLabel(MOUNT.into())) < first_mount);
    // While the process still has its own procfs, its rights, and no program of the image.
    let user = plan.setup.iter().position(|operation| matches!(operation, Operation::User(_))).unwrap();
    let pivot = at(Operation::PivotRoot { pivot: true });
    for label in [Operation::AppArmorProfile("profile".into()), Operation::ExecLabel(PROCESS.into())] {
        assert!((pivot..user).contains(&at(label)));
    }
    assert_eq!(plan.warnings, [""; 0]);
}

#[test]
fn a_module_that_is_not_there_must_not_fail_open() {
    let error = planned(&["capability", "landlock"], MissingModule::Refuse).unwrap_err();
    assert!(error.unsupported);
    let issues: Vec<_> =
        error.issues.iter().map(|issue| (issue.path.as_str(), issue.message.as_str())).collect();
    assert_eq!(
        issues,
        [
            (
                "process.apparmorProfile",
                "unable to apply apparmor profile: apparmor: config provided but apparmor not supported"
            ),
            (
                "process.selinuxLabel",
                "selinux label is specified in config, but selinux is disabled or not supported"
            ),
            (
                "linux.mountLabel",
                "mount label is specified in config, but selinux is disabled or not supported"
            ),
        ]
    );
    assert!(error.issues.iter().all(|issue| issue.hint.is_some_and(|hint| hint.contains("'warn'"))));
    // One does not replace the other.
    let error = planned(&["apparmor"], MissingModule::Refuse).unwrap_err();
    assert_eq!(error.issues.len(), 2, "{error}");
}

#[test]
fn the_caller_may_do_without_and_is_told() {
    let plan = planned(&["apparmor"], MissingModule::Warn).unwrap();
    let labels = plan.setup.iter().filter(|operation| {
        matches!(
            operation,
            Operation::AppArmorProfile(_)
                | Operation::ExecLabel(_)
                | Operation::KeyLabel(_)
                | Operation::MountLabel(_)
        )
    });
    assert_eq!(labels.count(), 1, "what can be applied is");
    assert_eq!(
        plan.warnings,
        [
            "process.selinuxLabel has no effect: selinux is not active",
            "linux.mountLabel has no effect: selinux is not active"
        ]
    );
}

#[test]
fn labels_cannot_end_the_option_that_they_are_the_value_of() {
    for path in ["process.apparmorProfile", "process.selinuxLabel", "linux.mountLabel"] {
        for label in ["a\",size=1", "a\0b", "a\nb"] {
            let error = parse(&changed(&[(path, json!(label))])).unwrap_err();
            assert!(!error.unsupported && error.issues[0].path == path, "{error}");
        }
    }
}
