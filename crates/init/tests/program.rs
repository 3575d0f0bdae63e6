//! What the program finds itself in: user, directory, environment, limits, descriptors; and what start does.

mod support;

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use caisson_code::{Code, Phase};
use caisson_plan::{Operation, PersonalityDomain, Plan};
use caisson_sys::pidfd::Exit;
use caisson_sys::{errno, file, pidfd};
use support::plans::{DEFAULT_CAPABILITIES, PATH, Parts, Process, default_plan, process, set_args};
use support::{Bundle, Helper, shell};

fn changed(bundle: &Bundle, args: &[&str], change: impl FnOnce(&mut Process)) -> Plan {
    let mut process = process(args);
    change(&mut process);
    Parts { process: Some(process), ..Parts::new(&[]) }.plan(bundle)
}

#[test]
fn an_ordinary_user_has_its_groups_and_its_pipes() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &[], |process| {
        (process.uid, process.gid, process.additional_gids) = (1000, 1001, vec![5, 20]);
    });
    let output =
        shell(&bundle, &plan, "id -u; id -g; id -G; echo again > /dev/stdout; grep Cap /proc/self/status");
    let none = "0000000000000000";
    let expected = format!(
        "1000\n1001\n1001 5 20\nagain\nCapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapBnd:\t{DEFAULT_CAPABILITIES:016x}\nCapAmb:\t{none}\n"
    );
    assert_eq!(output, expected);
}

#[test]
fn ambient_capabilities_reach_an_ordinary_user() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &[], |process| {
        process.uid = 1000;
        process.capabilities.inheritable = 1 << 10 | 1 << 5;
        process.capabilities.ambient = 1 << 10 | 1 << 29;
    });
    let mut plan = plan;
    set_args(&mut plan, &["grep", "Cap", "/proc/self/status"]);
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    // COMPAT(runc): its own default configuration has ambient capabilities that are not inheritable, without a word.
    assert_eq!(helper.warnings, [""; 0]);
    helper.start().unwrap();
    let output = helper.output();
    assert!(
        output.contains("CapEff:\t0000000000000400") && output.contains("CapAmb:\t0000000000000400"),
        "{output}"
    );
    assert_eq!(helper.wait(), Exit::Code(0));
}

#[test]
fn a_capability_the_kernel_lacks_is_a_warning() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &["true"], |process| {
        process.capabilities.bounding |= 1 << 62;
        process.capabilities.permitted |= 1 << 62;
    });
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    assert_eq!(
        helper.warnings,
        [
            "process.capabilities.bounding: not granted: CAP_62",
            "process.capabilities.permitted: not granted: CAP_62"
        ]
    );
}

#[test]
fn the_working_directory_is_made() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &[], |process| "/srv/new/dir".clone_into(&mut process.cwd));
    assert_eq!(shell(&bundle, &plan, "pwd"), "/srv/new/dir\n");
}

#[test]
fn a_working_directory_outside_the_root_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    for cwd in ["/proc/self/fd/7", "/proc/self/fd/5", "/proc/self/cwd", "/proc/1/root"] {
        let plan = changed(&bundle, &["true"], |process| cwd.clone_into(&mut process.cwd));
        // SECURITY: CVE-2024-21626, with directories of the host open in the helper.
        let host: Vec<OwnedFd> = (0..4).map(|_| fs::File::open("/etc").unwrap().into()).collect();
        let failure = Helper::spawn_with(&bundle, &plan, &host).failed();
        assert!(failure.message.starts_with(&format!("process.cwd {cwd:?}: ")), "{failure:?}");
    }
}

#[test]
fn a_working_directory_only_its_user_may_enter_is_entered() {
    privileged!();
    let bundle = Bundle::new();
    let home = bundle.root().join("private");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(1000), Some(1000)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let plan = changed(&bundle, &[], |process| {
        process.uid = 1000;
        "/private".clone_into(&mut process.cwd);
    });
    assert_eq!(shell(&bundle, &plan, "pwd"), "/private\n");
}

#[test]
fn home_comes_from_the_image_where_it_is_not_given() {
    privileged!();
    let bundle = Bundle::new();
    fs::write(bundle.root().join("etc/passwd"), "web:x:33:33::/var/www:/bin/sh\n").unwrap();
    let home = |uid, from_passwd, variable: &str| {
        let plan = changed(&bundle, &[], |process| {
            process.uid = uid;
            process.home_from_passwd = from_passwd;
            process.env.push(variable.to_owned());
        });
        shell(&bundle, &plan, "echo $HOME")
    };
    assert_eq!(home(33, true, "A=b"), "/var/www\n");
    assert_eq!(home(33, true, "HOME="), "/var/www\n");
    assert_eq!(home(7, true, "A=b"), "/\n");
    assert_eq!(home(33, false, "HOME=/given"), "/given\n");
}

#[test]
fn a_program_that_is_missing_or_denied_is_told_at_create() {
    privileged!();
    let bundle = Bundle::new();
    fs::write(bundle.root().join("bin/plain"), "").unwrap();
    fs::write(bundle.root().join("bin/private"), "").unwrap();
    fs::set_permissions(bundle.root().join("bin/private"), fs::Permissions::from_mode(0o700)).unwrap();
    let failure = |program: &str, uid| {
        let plan = changed(&bundle, &[program], |process| process.uid = uid);
        let failure = Helper::spawn(&bundle, &plan).failed();
        (failure.code, failure.message)
    };
    let code = |code: Code, message: &str| (code, message.to_owned());
    assert_eq!(
        failure("nosuch", 0),
        code(Code::ExecNotFound, "exec: \"nosuch\": executable file not found in $PATH")
    );
    assert_eq!(
        failure("/bin/nosuch", 0),
        code(Code::ExecNotFound, "exec: \"/bin/nosuch\": stat /bin/nosuch: no such file or directory")
    );
    assert_eq!(failure("/bin/plain", 0), code(Code::ExecDenied, "exec: \"/bin/plain\": permission denied"));
    assert_eq!(
        failure("/bin/private", 1000),
        code(Code::ExecDenied, "exec: \"/bin/private\": permission denied")
    );
    assert_eq!(failure("/bin", 0), code(Code::ExecDenied, "exec: \"/bin\": is a directory"));
}

#[test]
fn the_environment_is_exactly_the_given_one() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &["/bin/busybox", "env"], |process| {
        process.env = ["B=2", "A=1", "EMPTY=", "B=3", PATH].map(str::to_owned).to_vec();
        process.home_from_passwd = false;
    });
    let (output, _) = Helper::spawn(&bundle, &plan).finish();
    assert_eq!(output, format!("B=2\nA=1\nEMPTY=\nB=3\n{PATH}\n"));
}

#[test]
fn kernel_settings_are_applied() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&[]);
    parts.after_pivot.extend([
        Operation::Sysctl { key: "net/ipv4/ip_forward".into(), value: "1".into() },
        Operation::Sysctl { key: "kernel/msgmax".into(), value: "9000".into() },
        Operation::Domainname("example.org".into()),
        Operation::OomScoreAdj(321),
        Operation::Rlimit { resource: 4, name: "RLIMIT_CORE".into(), soft: 0, hard: u64::MAX },
        Operation::Umask(0o27),
        Operation::Personality(PersonalityDomain::Linux32),
    ]);
    let script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/kernel/domainname \
                  /proc/self/oom_score_adj; umask; ulimit -c; ulimit -Hc; cat /proc/self/personality";
    let output = shell(&bundle, &parts.plan(&bundle), script);
    assert_eq!(output, "1\n9000\nexample.org\n321\n0027\n0\nunlimited\n00000008\n");
}

#[test]
fn a_sysctl_cannot_leave_proc_sys() {
    privileged!();
    let bundle = Bundle::new();
    for key in ["../sysrq-trigger", "net/../../sysrq-trigger", "/etc/passwd"] {
        let mut parts = Parts::new(&["true"]);
        parts.after_pivot.push(Operation::Sysctl { key: key.into(), value: "x".into() });
        let failure = Helper::spawn(&bundle, &parts.plan(&bundle)).failed();
        assert!(
            ["EXDEV", "ENOENT", "EACCES"].iter().any(|errno| failure.message.contains(errno)),
            "{key}: {failure:?}"
        );
    }
}

#[test]
fn an_unknown_sysctl_is_named_with_a_hint() {
    privileged!();
    let bundle = Bundle::new();
    let mut parts = Parts::new(&["true"]);
    parts.after_pivot.push(Operation::Sysctl { key: "net/nosuch".into(), value: "1".into() });
    let failure = Helper::spawn(&bundle, &parts.plan(&bundle)).failed();
    assert!(failure.message.starts_with("linux.sysctl \"net.nosuch\": openat2("), "{failure:?}");
    assert!(failure.hint.unwrap().contains("unknown to this kernel"));
}

#[test]
fn preserved_descriptors_begin_at_3_and_no_other_is_open() {
    privileged!();
    let bundle = Bundle::new();
    let files: Vec<OwnedFd> = ["first", "second"]
        .map(|text| {
            let path = bundle.top.join(text);
            fs::write(&path, text).unwrap();
            fs::File::open(path).unwrap().into()
        })
        .into();
    let plan = changed(&bundle, &["sh", "-c", "cat <&3; cat <&4; echo; echo /proc/self/fd/*"], |process| {
        process.preserve_fds = 2;
    });
    let mut helper = Helper::spawn_with(&bundle, &plan, &files);
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    let open: Vec<_> = (0..=5).map(|number| format!("/proc/self/fd/{number}")).collect();
    assert_eq!(output, format!("firstsecond\n{}\n", open.join(" ")), "5 is the directory being read");
    assert_eq!(helper.wait(), Exit::Code(0));
}

#[test]
fn a_null_device_of_the_host_stays_what_it_is() {
    privileged!();
    let bundle = Bundle::new();
    let before = fs::metadata("/dev/null").unwrap();
    let plan = changed(&bundle, &[], |process| process.uid = 1000);
    let output = shell(&bundle, &plan, "stat -L -c %m /proc/self/fd/0 2>/dev/null; readlink /proc/self/fd/0");
    assert!(output.ends_with("/dev/null\n"), "{output}");
    let after = fs::metadata("/dev/null").unwrap();
    assert_eq!((before.uid(), before.gid(), before.mode()), (after.uid(), after.gid(), after.mode()));
}

#[test]
fn probes_change_nothing_and_a_second_start_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    let mut helper = Helper::spawn(&bundle, &default_plan(&bundle, &["sleep", "100"]));
    helper.created();
    let silent = helper.connect().unwrap(); // connected, says nothing, stays
    drop(helper.connect().unwrap());
    helper.start().unwrap();
    assert_eq!(helper.connect().unwrap_err().call(), "connect");
    assert!(support::receive(&silent).is_none());
    pidfd::send_signal(&helper.process, 9).unwrap();
    assert_eq!(helper.wait(), Exit::Signal(9));
}

#[test]
fn a_detached_container_outlives_its_creator_an_attached_one_does_not() {
    privileged!();
    let bundle = Bundle::new();
    let mut helper = Helper::spawn(&bundle, &default_plan(&bundle, &["true"]));
    helper.created();
    helper.control = None;
    helper.start().unwrap();
    assert_eq!(helper.wait(), Exit::Code(0));

    let plan = Plan { kill_on_parent_death: true, ..default_plan(&bundle, &["true"]) };
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    helper.control = None;
    assert_eq!(helper.wait(), Exit::Code(1));
}

#[test]
fn a_caller_that_dies_early_takes_the_helper_along() {
    privileged!();
    let bundle = Bundle::new();
    let plan = Plan { waits_for_runtime_hooks: true, ..default_plan(&bundle, &["true"]) };
    let mut helper = Helper::spawn(&bundle, &plan);
    assert!(matches!(helper.report(), Some(caisson_plan::protocol::Report::NamespacesReady)));
    helper.control = None;
    assert_eq!(helper.wait(), Exit::Code(1));
}

#[test]
fn a_program_that_cannot_be_executed_fails_the_start() {
    privileged!();
    let bundle = Bundle::new();
    let write = |name: &str, content: &[u8], mode| {
        let path = bundle.root().join("bin").join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let failure = |args: &[&str]| {
        let mut helper = Helper::spawn(&bundle, &default_plan(&bundle, args));
        helper.created();
        let failure = helper.start().unwrap_err();
        assert_eq!(helper.wait(), Exit::Code(1));
        assert_eq!((failure.phase, failure.syscall.as_deref()), (Phase::Start, Some("execve")));
        (failure.code, failure.errno, failure.hint.unwrap())
    };
    write("plain", b"", 0o644);
    let cases: [(&str, &[u8], _, _, &str); 7] = [
        ("garbage", b"\0\0\0\0", Code::ExecDenied, errno::ENOEXEC, "not an executable for this machine"),
        ("missing", b"#!/no/such/interpreter\n", Code::ExecNotFound, errno::ENOENT, "interpreter"),
        ("below-a-file", b"#!/bin/plain/sh\n", Code::ExecNotFound, errno::ENOTDIR, "interpreter"),
        ("directory", b"#!/bin\n", Code::ExecDenied, errno::EACCES, "interpreter"),
        ("denied", b"#!/bin/plain\n", Code::ExecDenied, errno::EACCES, "interpreter"),
        ("loop", b"#!/bin/loop\n", Code::ExecDenied, errno::ELOOP, "interpreters form a loop"),
        ("machine", &elf_for_another_machine(), Code::ExecDenied, errno::ENOEXEC, "another architecture"),
    ];
    for (name, content, code, errno, text) in cases {
        write(name, content, 0o755);
        let (found, number, hint) = failure(&[name]);
        assert_eq!((found, number), (code, errno), "{name}");
        assert!(hint.contains(text), "{name}: {hint}");
    }
    // MAX_ARG_STRLEN: one argument has 128 KiB at most.
    let (code, errno, _) = failure(&["true", &"x".repeat(128 << 10)]);
    assert_eq!((code, errno), (Code::ExecDenied, errno::E2BIG));
    let busy = fs::OpenOptions::new().append(true).open(bundle.root().join("bin/busybox")).unwrap();
    let (code, errno, hint) = failure(&["true"]);
    drop(busy);
    assert_eq!((code, errno), (Code::ExecDenied, errno::ETXTBSY));
    assert!(hint.contains("open for writing"), "{hint}");
}

/// The header of an ELF executable for a machine of type 0 (EM_NONE).
fn elf_for_another_machine() -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend([2, 0, 0, 0, 1, 0, 0, 0]);
    header.resize(64, 0);
    header
}

#[test]
fn without_a_process_create_succeeds_and_start_fails() {
    privileged!();
    let bundle = Bundle::new();
    let mut helper = Helper::spawn(&bundle, &Parts { process: None, ..Parts::new(&[]) }.plan(&bundle));
    helper.created();
    assert!(helper.start().unwrap_err().message.contains("no process to start"));
    assert_eq!(helper.wait(), Exit::Code(1));
}

#[test]
fn nobody_can_look_into_a_created_container_by_its_proc_files() {
    privileged!();
    let bundle = Bundle::new();
    let plan = changed(&bundle, &["true"], |process| process.uid = 1000);
    let mut helper = Helper::spawn(&bundle, &plan);
    helper.created();
    // Files of a process that is not dumpable belong to root, not to its user.
    assert_eq!(fs::metadata(format!("/proc/{}/mem", helper.pid)).unwrap().uid(), 0);
    helper.start().unwrap();
}

#[test]
fn a_hostile_passwd_is_not_waited_for() {
    privileged!();
    let bundle = Bundle::new();
    let etc = fs::File::open(bundle.root().join("etc")).unwrap();
    caisson_sys::device::make_node(etc.as_fd(), "passwd", file::Kind::Fifo, 0o644, (0, 0)).unwrap();
    assert_eq!(shell(&bundle, &default_plan(&bundle, &[]), "echo $HOME"), "/\n");
    fs::remove_file(bundle.root().join("etc/passwd")).unwrap();
    symlink("/dev/zero", bundle.root().join("etc/passwd")).unwrap();
    assert_eq!(shell(&bundle, &default_plan(&bundle, &[]), "echo $HOME"), "/\n");
}

#[test]
fn a_root_that_is_a_link_or_missing_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    let link = bundle.top.join("link");
    symlink(bundle.root(), &link).unwrap();
    fs::write(bundle.top.join("file"), "").unwrap();
    let missing = bundle.top.join("missing");
    for (path, text) in
        [(link, "symbolic link"), (bundle.top.join("file"), "not a directory"), (missing, "ENOENT")]
    {
        let mut plan = default_plan(&bundle, &["true"]);
        for operation in &mut plan.setup {
            if let Operation::OpenRoot { host_path } = operation {
                *host_path = path.display().to_string();
            }
        }
        let failure = Helper::spawn(&bundle, &plan).failed();
        assert_eq!(failure.code, Code::InvalidBundle);
        assert!(failure.message.contains(text), "{failure:?}");
    }
}
