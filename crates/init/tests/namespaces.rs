//! Namespaces: user namespaces with their maps, joins by path, time, hooks of the runtime in between.

mod support;

use std::fs;
use std::process::Command;

use caisson_code::{Code, Phase};
use caisson_flags::{MountFlags, Namespaces};
use caisson_plan::protocol::Report;
use caisson_plan::{JoinNamespace, NamespaceKind, Operation, Plan, TimeOffsets};
use caisson_sys::pidfd::Exit;
use support::plans::{Parts, default_plan};
use support::pod::Pod;
use support::user_namespace::{in_user_namespace, with_script, write_maps};
use support::{Bundle, Helper, shell};

#[test]
fn a_new_user_namespace_has_its_maps_and_the_hosts_devices() {
    privileged!();
    let bundle = Bundle::new();
    let script = "cat /proc/self/uid_map; id -u; stat -c '%t:%T' /dev/null; echo x > /dev/null; grep CapEff /proc/self/status";
    let mut helper = Helper::spawn(&bundle, &with_script(in_user_namespace(&bundle, &[]), script));
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0].split_ascii_whitespace().collect::<Vec<_>>(), ["0", "200000", "65536"], "{output}");
    assert_eq!(lines[1..], ["0", "1:3", "CapEff:\t0000000020000420"], "{output}");
    assert_eq!(helper.wait(), Exit::Code(0));
}

#[test]
fn sources_that_only_the_caller_reaches_are_mounted() {
    privileged!();
    let bundle = Bundle::new();
    let secret = bundle.top.join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), "reached").unwrap();
    let mut plan = in_user_namespace(&bundle, &[]);
    let mount = support::plans::bind(secret.to_str().unwrap(), "/data", MountFlags::empty());
    let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_))).unwrap();
    plan.setup.insert(place, Operation::Mount(mount));
    // Neither the bundle nor what is in it can be reached by the container's root.
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&bundle.top, fs::Permissions::from_mode(0o700)).unwrap();
    let mut helper = Helper::spawn(&bundle, &with_script(plan, "cat /data/file"));
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    helper.start().unwrap();
    assert_eq!(helper.output(), "reached");
}

const LINKS: &str = "for n in net ipc uts pid user; do readlink /proc/self/ns/$n; done";

#[test]
fn network_ipc_and_uts_are_joined_by_path() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--net", "--ipc", "--uts"]);
    let mut parts = Parts::new(&[]);
    parts.after_pivot.retain(|operation| !matches!(operation, Operation::Hostname(_)));
    let mut plan = parts.plan(&bundle);
    plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
    plan.clone_flags = Namespaces::empty();
    plan.clone_after_join = Namespaces::MOUNT | Namespaces::PID;
    plan.join = vec![
        pod.join(NamespaceKind::Network, "net"),
        pod.join(NamespaceKind::Ipc, "ipc"),
        pod.join(NamespaceKind::Uts, "uts"),
    ];
    let output = shell(&bundle, &plan, LINKS);
    let expected: Vec<_> = ["net", "ipc", "uts"].iter().map(|file| pod.link(file)).collect();
    assert_eq!(output.lines().take(3).collect::<Vec<_>>(), expected);
    assert_ne!(output.lines().nth(3).unwrap(), fs::read_link("/proc/self/ns/pid").unwrap().to_str().unwrap());
}

#[test]
fn a_pid_namespace_is_joined_last() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--pid", "--fork"]);
    let mut plan = default_plan(&bundle, &[]);
    plan.clone_flags = Namespaces::empty();
    plan.clone_after_join = Namespaces::MOUNT | Namespaces::NETWORK | Namespaces::IPC | Namespaces::UTS;
    plan.join = vec![pod.join(NamespaceKind::Pid, "pid")];
    let output = shell(&bundle, &plan, &format!("{LINKS}; test $$ != 1"));
    assert_eq!(output.lines().nth(3).unwrap(), pod.link("pid"));
}

#[test]
fn a_joined_user_namespace_and_what_it_owns() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--user", "--net", "--ipc"]);
    write_maps(pod.pid().cast_signed());
    let mut plan = in_user_namespace(&bundle, &[]);
    plan.user_namespace = None;
    plan.clone_flags = Namespaces::empty();
    plan.clone_after_join = Namespaces::MOUNT | Namespaces::PID | Namespaces::UTS;
    plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
    plan.setup.push(Operation::OomScoreAdj(500)); // by a process that was started outside
    plan.join = vec![
        pod.join(NamespaceKind::Network, "net"),
        pod.join(NamespaceKind::User, "user"),
        pod.join(NamespaceKind::Ipc, "ipc"),
    ];
    let output = shell(&bundle, &plan, &format!("{LINKS}; id -u; cat /proc/self/oom_score_adj"));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((lines[0], lines[1], lines[4]), (&*pod.link("net"), &*pod.link("ipc"), &*pod.link("user")));
    assert_eq!(lines[5..], ["0", "500"]);
}

#[test]
fn a_new_user_namespace_over_a_joined_network() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--net"]);
    let mut plan = in_user_namespace(&bundle, &[]);
    plan.clone_flags = Namespaces::empty();
    plan.clone_after_join =
        Namespaces::USER | Namespaces::MOUNT | Namespaces::PID | Namespaces::IPC | Namespaces::UTS;
    plan.join = vec![pod.join(NamespaceKind::Network, "net")];
    plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
    // A sysfs wants a network namespace that the user namespace owns.
    plan.setup.retain(|operation| !matches!(operation, Operation::Mount(mount) if mount.fstype == "sysfs"));
    let mut helper = Helper::spawn(&bundle, &with_script(plan, LINKS));
    helper.replaced();
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    helper.start().unwrap();
    assert_eq!(helper.output().lines().next().unwrap(), pod.link("net"));
}

/// The home of another user, which the container's root, a third one, may not enter: the caller may.
#[test]
fn sources_in_another_users_home_are_mounted() {
    privileged!();
    let bundle = Bundle::new();
    let home = bundle.top.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("file"), "reached").unwrap();
    std::os::unix::fs::chown(&home, Some(54_321), Some(54_321)).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let pod = Pod::new(&["--net"]);
    for joins in [false, true] {
        let mut plan = in_user_namespace(&bundle, &[]);
        if joins {
            plan.clone_flags = Namespaces::empty();
            plan.clone_after_join =
                Namespaces::USER | Namespaces::MOUNT | Namespaces::PID | Namespaces::IPC | Namespaces::UTS;
            plan.join = vec![pod.join(NamespaceKind::Network, "net")];
            plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
            plan.setup
                .retain(|operation| !matches!(operation, Operation::Mount(mount) if mount.fstype == "sysfs"));
        }
        let mount = support::plans::bind(home.join("file").to_str().unwrap(), "/data", MountFlags::empty());
        let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_)));
        plan.setup.insert(place.unwrap(), Operation::Mount(mount));
        let mut helper = Helper::spawn(&bundle, &with_script(plan, "cat /data"));
        if joins {
            helper.replaced();
        }
        write_maps(helper.pid);
        helper.proceed();
        helper.created();
        helper.start().unwrap();
        assert_eq!(helper.output(), "reached", "joins: {joins}");
    }
}

/// SECURITY: what is set in a namespace that is the caller's own is set for the host.
#[test]
fn settings_of_the_callers_own_namespaces_are_refused() {
    privileged!();
    let bundle = Bundle::new();
    let before = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    let cases = [
        (
            NamespaceKind::Network,
            "net",
            Namespaces::NETWORK,
            Operation::Sysctl { key: "net/ipv4/ip_forward".into(), value: "2".into() },
            "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
        ),
        (
            NamespaceKind::Ipc,
            "ipc",
            Namespaces::IPC,
            Operation::Sysctl { key: "kernel/msgmax".into(), value: "9000".into() },
            "sysctl \"kernel.msgmax\" not allowed in host ipc namespace",
        ),
        (
            NamespaceKind::Uts,
            "uts",
            Namespaces::UTS,
            Operation::Hostname("canary".into()),
            "hostname \"canary\" not allowed in host uts namespace",
        ),
    ];
    for (kind, file, flag, operation, message) in cases {
        let mut parts = Parts::new(&["true"]);
        parts.after_pivot.retain(|operation| !matches!(operation, Operation::Hostname(_)));
        parts.after_pivot.push(operation);
        let mut plan = parts.plan(&bundle);
        plan.clone_after_join = plan.clone_flags & !flag;
        plan.clone_flags = Namespaces::empty();
        plan.join = vec![JoinNamespace { kind, path: format!("/proc/{}/ns/{file}", std::process::id()) }];
        if kind == NamespaceKind::Network {
            plan.setup.retain(|operation| *operation != Operation::LoopbackUp);
        }
        assert_eq!(Helper::spawn(&bundle, &plan).failed().message, message);
    }
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), before);
}

#[test]
fn a_joined_user_namespace_has_the_mappings_of_the_configuration() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--user"]);
    write_maps(pod.pid().cast_signed());
    let mut plan = in_user_namespace(&bundle, &["true"]);
    plan.joined_mappings = plan.user_namespace.take();
    plan.clone_after_join = plan.clone_flags & !Namespaces::USER;
    plan.clone_flags = Namespaces::empty();
    plan.join = vec![pod.join(NamespaceKind::User, "user")];
    assert_eq!(Helper::spawn(&bundle, &plan).finish().1, Exit::Code(0));
    plan.joined_mappings.as_mut().unwrap().gid_mappings[0].size -= 1;
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert_eq!(failure.code, Code::InvalidSpec);
    assert!(failure.message.starts_with("linux.gidMappings: the joined user namespace has"), "{failure:?}");
}

#[test]
fn the_callers_cpu_affinity_is_not_the_containers() {
    privileged!();
    let bundle = Bundle::new();
    let allowed = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap().to_owned()
    };
    let all = allowed("1");
    let mut plan = default_plan(&bundle, &["grep", "Cpus_allowed_list:", "/proc/self/status"]);
    plan.early = vec![Operation::ResetCpuAffinity];
    let run = std::thread::spawn(move || {
        let own = std::process::id().to_string();
        let thread = fs::read_link("/proc/thread-self").unwrap().display().to_string();
        let pinned = Command::new("taskset").args(["-pc", "0", thread.rsplit('/').next().unwrap()]).output();
        if !pinned.is_ok_and(|output| output.status.success()) {
            return None;
        }
        assert!(allowed(&format!("{own}/task/{}", thread.rsplit('/').next().unwrap())).ends_with("\t0"));
        Some(Helper::spawn(&bundle, &plan).finish().0)
    });
    match run.join().unwrap() {
        None => support::skip("needs taskset"),
        Some(output) => assert_eq!(output.trim_end(), all),
    }
}

#[test]
fn a_path_of_another_kind_is_refused() {
    privileged!();
    let bundle = Bundle::new();
    for path in ["/proc/self/ns/uts", "/dev/null", "/etc"] {
        let mut plan = default_plan(&bundle, &["true"]);
        plan.clone_flags &= !Namespaces::NETWORK;
        plan.join = vec![JoinNamespace { kind: NamespaceKind::Network, path: path.to_owned() }];
        let failure = Helper::spawn(&bundle, &plan).failed();
        assert_eq!((failure.code, failure.phase), (Code::InvalidSpec, Phase::Spawn));
        assert_eq!(
            failure.message,
            format!("linux.namespaces: network {path:?}: the path is not a network namespace")
        );
    }
}

#[test]
fn a_new_time_namespace_has_its_offsets() {
    privileged!();
    if !std::path::Path::new("/proc/self/ns/time").exists() {
        support::skip("the kernel has no time namespaces");
        return;
    }
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &[]);
    plan.time_namespace = Some(TimeOffsets { monotonic: None, boottime: Some((1_000_000_000, 0)) });
    let output = shell(&bundle, &plan, "cat /proc/uptime; readlink /proc/self/ns/time");
    let uptime: f64 = output.split(' ').next().unwrap().parse().unwrap();
    assert!(uptime > 1e9, "{output}");
    assert!(!output.contains(fs::read_link("/proc/self/ns/time").unwrap().to_str().unwrap()));

    let mut plan = in_user_namespace(&bundle, &[]);
    plan.time_namespace = Some(TimeOffsets { monotonic: None, boottime: Some((1_000_000_000, 0)) });
    let mut helper = Helper::spawn(&bundle, &with_script(plan, "cat /proc/uptime"));
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    helper.start().unwrap();
    let output = helper.output();
    assert!(output.split(' ').next().unwrap().parse::<f64>().unwrap() > 1e9, "{output}");
}

#[test]
fn runtime_hooks_run_between_namespaces_and_set_up() {
    privileged!();
    let bundle = Bundle::new();
    let plan = Plan { waits_for_runtime_hooks: true, ..default_plan(&bundle, &["true"]) };
    let mut helper = Helper::spawn(&bundle, &plan);
    assert!(matches!(helper.report(), Some(Report::NamespacesReady)));
    // The namespaces exist, nothing is mounted in them yet.
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", helper.pid)).unwrap();
    assert!(!mounts.contains(bundle.top.to_str().unwrap()));
    helper.proceed();
    helper.created();
}

#[test]
fn cgroups_are_joined_before_anything_else() {
    privileged!();
    let path = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .iter()
        .map(std::path::PathBuf::from)
        .find(|path| path.join("cgroup.procs").exists());
    let Some(top) = path else {
        support::skip("no cgroup version 2 here");
        return;
    };
    let directory = top.join(format!("caisson-init-test-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let bundle = Bundle::new();
    let mut plan = default_plan(&bundle, &[]);
    let host_procs_file = directory.join("cgroup.procs").display().to_string();
    plan.early = vec![Operation::JoinCgroup { host_procs_file }, Operation::UnshareCgroup];
    let output = shell(&bundle, &plan, "grep ^0: /proc/self/cgroup");
    assert_eq!(output, "0::/\n");
    while fs::remove_dir(&directory).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    plan.early = vec![Operation::JoinCgroup { host_procs_file: "/no/such/cgroup.procs".into() }];
    let failure = Helper::spawn(&bundle, &plan).failed();
    assert_eq!(failure.code, Code::CgroupUnavailable);
    assert!(failure.message.starts_with("unable to apply cgroup configuration: openat("), "{failure:?}");
}
