use std::os::fd::AsFd;

use caisson_plan::Hook;
use caisson_sys::{descriptor, poll};

use crate::output::Output;
use crate::{Context, Environment, run_all};

fn shell(script: &str) -> Hook {
    Hook {
        list: "createRuntime".into(),
        index: 2,
        path: "/bin/sh".into(),
        args: vec!["sh".into(), "-c".into(), script.into()],
        env: Some(vec!["A=1".into()]),
        timeout: None,
    }
}

fn context(state: &str) -> Context<'_> {
    Context { state, environment: Environment::Given(&[]), directory: None, cancelled: None }
}

#[test]
fn the_message_has_status_and_both_streams() {
    let failed = run_all(&[shell("cat; echo bad >&2; exit 3")], &context("{}")).unwrap_err();
    assert_eq!(failed.message, "error running createRuntime hook #2: exit status 3, stdout: {}, stderr: bad");
    assert_eq!(failed.path, "/bin/sh");
    assert!(failed.call.is_none());
}

#[test]
fn env_is_exact_and_its_absence_gives_the_default() {
    run_all(&[shell("test \"$A\" = 1 && test -z \"$HOME\"")], &context("{}")).unwrap();
    let absent = Hook { env: None, ..shell("test \"$B\" = 2 && test -z \"$A\"") };
    let given = ["B=2".to_owned()];
    run_all(&[absent], &Context { environment: Environment::Given(&given), ..context("{}") }).unwrap();
    let inherited = Hook { env: None, ..shell("test -n \"$PATH\"") };
    run_all(&[inherited], &Context { environment: Environment::Inherited, ..context("{}") }).unwrap();
}

#[test]
fn a_hook_without_a_reader_for_its_state_does_not_block() {
    run_all(&[shell("true")], &context(&"x".repeat(1 << 20))).unwrap();
}

#[test]
fn output_without_an_end_is_read_for_a_while_only() {
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    let mut output = Output::new(zeros.into());
    output.drain().unwrap();
    assert!(output.pipe.is_some());
    assert_eq!(output.text(), "\0".repeat(4096));
}

#[test]
fn a_time_out_ends_the_children_too_and_names_the_limit() {
    let hook = Hook { timeout: Some(1), ..shell("sleep 60 & echo early; sleep 60") };
    let failed = run_all(&[hook], &context("{}")).unwrap_err();
    assert_eq!(
        failed.message,
        "error running createRuntime hook #2: hook ran past specified timeout of 1 s, stdout: early, stderr: "
    );
}

#[test]
fn a_caller_that_gives_up_ends_the_hook() {
    let (read, write) = descriptor::pipe().unwrap();
    drop(write); // readable: at end of file
    assert!(poll::readable_now(&read).unwrap());
    let cancelled = Some(read.as_fd());
    let failed = run_all(&[shell("sleep 60")], &Context { cancelled, ..context("{}") }).unwrap_err();
    assert!(failed.message.contains("hook #2: cancelled"), "{}", failed.message);
}

#[test]
fn a_missing_program_is_a_failed_call() {
    let hook = Hook { path: "/no/such/hook".into(), ..shell("") };
    let failed = run_all(&[hook], &context("{}")).unwrap_err();
    assert_eq!(failed.message, "error running createRuntime hook #2: cannot run /no/such/hook: ENOENT");
    assert_eq!(failed.call.unwrap().call(), "execve");
}

#[test]
fn the_first_failure_ends_the_list() {
    let folder = std::env::temp_dir().join(format!("caisson-hook-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let hooks = [shell("exit 1"), shell("touch reached")];
    run_all(&hooks, &Context { directory: Some(&folder), ..context("{}") }).unwrap_err();
    assert!(!folder.join("reached").exists());
    run_all(&hooks[1..], &Context { directory: Some(&folder), ..context("{}") }).unwrap();
    assert!(folder.join("reached").exists());
    std::fs::remove_dir_all(&folder).unwrap();
}
