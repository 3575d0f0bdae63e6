//! The container's terminal, and hooks inside the container's namespaces.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};

use caisson_code::{Code, Phase};
use caisson_plan::{Hook, Operation, Plan, Terminal};
use caisson_sys::pidfd::Exit;
use support::plans::{Parts, process, set_start_hooks};
use support::{Bundle, Helper};

fn terminal(bundle: &Bundle, script: &str, uid: u32) -> Plan {
    let mut process = process(&["/bin/sh", "-c", script]);
    process.uid = uid;
    process.terminal = Some(Terminal { size: Some((132, 43)), console: true });
    Parts { process: Some(process), ..Parts::new(&[]) }.plan(bundle)
}

/// What comes out of a master until the other end is closed.
fn read_all(master: std::os::fd::OwnedFd) -> String {
    let mut output = vec![];
    let mut chunk = [0; 1024];
    let mut master = fs::File::from(master);
    while let Ok(count) = master.read(&mut chunk) {
        if count == 0 {
            break;
        }
        output.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(output).unwrap()
}

#[test]
fn a_terminal_is_the_containers_own() {
    privileged!();
    let bundle = Bundle::new();
    let script = "tty; stty size; stat -c '%u:%g %a' /dev/pts/0; stat -c '%t:%T' /dev/console; echo; echo < /dev/tty && readlink /proc/self/fd/2";
    for applet in ["tty", "stty"] {
        symlink("busybox", bundle.root().join("bin").join(applet)).unwrap();
    }
    let mut helper = Helper::spawn(&bundle, &terminal(&bundle, script, 1000));
    helper.created();
    let mut master = fs::File::from(helper.console.take().unwrap());
    helper.start().unwrap();
    master.write_all(b"\n").unwrap();
    let exit = helper.wait();
    let output = read_all(master.into());
    // The first line is the echo of ours.
    let lines: Vec<_> = output.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["/dev/pts/0", "43 132", "1000:5 620", "88:0", "/dev/pts/0"], "{output:?}");
    assert_eq!(exit, Exit::Code(0));
}

#[test]
fn a_console_link_of_the_image_is_not_followed() {
    privileged!();
    let bundle = Bundle::new();
    let canary = bundle.top.join("canary");
    let mut plan = terminal(&bundle, "true", 0);
    let place =
        plan.setup.iter().position(|operation| matches!(operation, Operation::PivotRoot { .. })).unwrap();
    let link = Operation::Symlink {
        inside: "/dev/console".into(),
        target: canary.display().to_string(),
        replace: true,
    };
    plan.setup.insert(place, link);
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert_eq!(failure.code, Code::UnsafePath);
    assert!(
        failure.message.contains("process.terminal: a link or directory has this path already"),
        "{failure:?}"
    );
    assert!(!canary.exists());
}

#[test]
fn without_a_devpts_a_terminal_is_refused_with_a_hint() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = terminal(&bundle, "true", 0);
    plan.setup.retain(|operation| !matches!(operation, Operation::Mount(mount) if mount.fstype == "devpts"));
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert!(failure.hint.unwrap().contains("devpts"));
}

fn hook(list: &str, bundle: &Bundle, script: &str) -> Hook {
    let path = bundle.root().join(format!("bin/{list}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let path = if list == "startContainer" { format!("/bin/{list}") } else { path.display().to_string() };
    Hook {
        list: list.to_owned(),
        index: 1,
        path,
        args: vec!["name".into(), "arg".into()],
        env: Some(vec!["ONLY=this".into()]),
        timeout: None,
    }
}

fn with_create_hook(bundle: &Bundle, hook: Hook) -> Plan {
    let mut parts = Parts::new(&["true"]);
    parts.before_pivot.push(Operation::CreateContainerHooks { hooks: vec![hook] });
    parts.plan(bundle)
}

#[test]
fn create_container_hooks_see_the_state_their_environment_and_the_root() {
    privileged!();
    let bundle = Bundle::new();
    let seen = bundle.top.join("seen");
    let script = format!(
        "{{ cat; echo; echo $1; env; ls -d bin/busybox; readlink /proc/self/ns/mnt; }} > {}",
        seen.display()
    );
    let mut helper =
        Helper::spawn(&bundle, &with_create_hook(&bundle, hook("createContainer", &bundle, &script)));
    helper.created();
    let text = fs::read_to_string(seen).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"{"ociVersion":"1.3.0","id":"test","bundle":"/b","status":"creating","pid":1}"#);
    assert_eq!(lines[1], "arg");
    assert!(lines.contains(&"ONLY=this"), "{text}");
    assert!(lines.contains(&"bin/busybox"), "the working directory is the root file system: {text}");
    assert!(!text.contains("TERM=xterm") && !text.contains("/usr/local/sbin"), "{text}");
    assert_ne!(lines.last().unwrap(), &fs::read_link("/proc/self/ns/mnt").unwrap().to_str().unwrap());
}

#[test]
fn start_container_hooks_run_in_the_container_before_the_program() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = Parts::new(&["/bin/sh", "-c", "cat /dev/shm/seen; rm /dev/shm/seen"]).plan(&bundle);
    let script =
        "/bin/busybox cat > /dev/shm/seen; echo >> /dev/shm/seen; echo $HOSTNAME$ONLY >> /dev/shm/seen";
    set_start_hooks(&mut plan, vec![hook("startContainer", &bundle, script)]);
    let (output, _) = Helper::spawn(&bundle, &plan).finish();
    assert!(
        output.starts_with(r#"{"ociVersion":"1.3.0","id":"test","bundle":"/b","status":"created","pid":1}"#),
        "{output}"
    );
    assert!(output.contains("this"), "{output}");
}

#[test]
fn a_failing_hook_is_named_with_what_it_printed() {
    privileged!();
    let bundle = Bundle::new();
    let failure = Helper::spawn(
        &bundle,
        &with_create_hook(&bundle, hook("createContainer", &bundle, "echo oops >&2; exit 3")),
    )
    .failed();
    assert_eq!((failure.code, failure.phase), (Code::Hook, Phase::Hook));
    assert_eq!(
        failure.message,
        "error running createContainer hook #1: exit status 3, stdout: , stderr: oops"
    );

    let mut plan = Parts::new(&["true"]).plan(&bundle);
    let missing = Hook { path: "/no/such/hook".into(), ..hook("startContainer", &bundle, "") };
    set_start_hooks(&mut plan, vec![missing]);
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    let failure = helper.start().unwrap_err();
    assert_eq!(failure.code, Code::Hook);
    assert!(
        failure.message.starts_with("error running startContainer hook #1: cannot run /no/such/hook: ENOENT"),
        "{failure:?}"
    );
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_its_children() {
    privileged!();
    let bundle = Bundle::new();
    let mark = bundle.top.join("mark");
    let script = format!("(sleep 3; touch {}) & echo waiting; sleep 100", mark.display());
    let hook = Hook { timeout: Some(1), ..hook("createContainer", &bundle, &script) };
    let failure = Helper::spawn(&bundle, &with_create_hook(&bundle, hook)).failed();
    assert_eq!(
        failure.message,
        "error running createContainer hook #1: hook ran past specified timeout of 1 s, stdout: waiting, stderr: "
    );
    assert!(!mark.exists());
}

#[test]
fn a_hook_that_leaves_a_daemon_behind_is_not_waited_for() {
    privileged!();
    let bundle = Bundle::new();
    let hook = Hook { timeout: Some(60), ..hook("createContainer", &bundle, "sleep 30 & echo done") };
    let mut helper = Helper::spawn(&bundle, &with_create_hook(&bundle, hook));
    helper.created();
}
