//! Labels on a kernel whose modules are not active: each write reaches its file of the private procfs, each mount the
//! option `context`, and is refused by name. A label is never dropped on the way.

mod support;

use std::fs;

use caisson_plan::{Operation, Plan};
use support::plans::default_plan;
use support::{Bundle, Helper};

const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

fn is_active(module: &str) -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    read("/sys/kernel/security/lsm").split(',').any(|name| name.trim() == module)
        || (module == "apparmor" && read("/sys/module/apparmor/parameters/enabled").starts_with('Y'))
        || (module == "selinux" && fs::exists("/sys/fs/selinux/enforce").unwrap_or(false))
}

/// Leaves the test where the module would take the label.
macro_rules! without {
    ($module:literal) => {
        privileged!();
        if is_active($module) {
            support::skip(concat!($module, " is active"));
            return;
        }
    };
}

fn message(bundle: &Bundle, plan: &Plan) -> String {
    Helper::spawn(bundle, plan).failed().message
}

#[test]
fn a_profile_that_the_kernel_does_not_take_ends_the_start() {
    without!("apparmor");
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &["true"]);
    let place = plan.setup.iter().position(|operation| *operation == Operation::NoNewPrivileges).unwrap();
    plan.setup.insert(place, Operation::AppArmorProfile("caisson-test".to_owned()));
    let told = message(&bundle, &plan);
    assert!(told.starts_with("process.apparmorProfile: ") && told.contains("attr/"), "{told}");
}

#[test]
fn a_label_that_the_kernel_does_not_take_ends_the_start() {
    without!("selinux");
    let bundle = Bundle::new();
    for (operation, file) in [
        (Operation::ExecLabel(LABEL.to_owned()), "attr/exec"),
        (Operation::KeyLabel(LABEL.to_owned()), "attr/keycreate"),
    ] {
        let mut plan = default_plan(&bundle, &["true"]);
        let pivot = plan.setup.iter().position(|operation| matches!(operation, Operation::PivotRoot { .. }));
        plan.setup.insert(pivot.unwrap() + 1, operation);
        let told = message(&bundle, &plan);
        assert!(told.starts_with("process.selinuxLabel: ") && told.contains(file), "{told}");
    }
}

#[test]
fn a_mount_label_is_an_option_of_the_first_file_system_that_takes_one() {
    without!("selinux");
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &["true"]);
    let root =
        plan.setup.iter().position(|operation| matches!(operation, Operation::OpenRoot { .. })).unwrap();
    plan.setup.insert(root, Operation::MountLabel(LABEL.to_owned()));
    let told = message(&bundle, &plan);
    // mounts[0] is a procfs, which takes none.
    assert!(told.starts_with("mount \"/dev\": fsconfig("), "{told}");
    assert!(told.contains(&format!("\"context\", \"{LABEL}\"")), "commas separate nothing: {told}");
}
