//! The first process joins the resctrl groups that the runtime has made, on files that look like theirs.

mod support;

use std::fs;

use caisson_plan::Operation;
use support::plans::default_plan;
use support::{Bundle, Helper};

#[test]
fn the_process_writes_itself_into_every_group() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &["true"]);
    let files = ["class", "monitored"].map(|name| bundle.top.join(name));
    for file in &files {
        fs::write(file, "").unwrap();
        plan.early.push(Operation::JoinResctrl { host_tasks_file: file.display().to_string() });
    }
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    // To the kernel 0 is the writer, in whatever pid namespace it is.
    assert_eq!(files.map(|file| fs::read_to_string(file).unwrap()), ["0", "0"]);
}

#[test]
fn a_group_that_is_gone_ends_the_start() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &["true"]);
    let file = bundle.top.join("missing/tasks").display().to_string();
    plan.early.push(Operation::JoinResctrl { host_tasks_file: file.clone() });
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert!(failure.message.starts_with("unable to apply Intel RDT configuration: openat("), "{failure:?}");
    assert_eq!(failure.path.as_deref(), Some(file.as_str()));
}
