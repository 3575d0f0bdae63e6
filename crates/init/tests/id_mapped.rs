//! Id-mapped mounts: owners as the mapping says, in a user namespace and without one, and what cannot be mapped.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use caisson_flags::MountFlags;
use caisson_plan::{IdMap, IdMapping, Mount, Operation, Plan, UserNamespace};
use support::plans::{Parts, bind};
use support::user_namespace::{self, in_user_namespace, with_script, write_maps};
use support::{Bundle, Helper};

fn mappings(container_id: u32, host_id: u32, size: u32) -> UserNamespace {
    let map = vec![IdMapping { container_id, host_id, size }];
    UserNamespace { uid_mappings: map.clone(), gid_mappings: map }
}

/// A directory with files of the users 0, 1 and 100.
fn source(bundle: &Bundle) -> String {
    let source = bundle.top.join("data");
    fs::create_dir(&source).unwrap();
    for (name, id) in [("root", 0), ("one", 1), ("hundred", 100)] {
        fs::write(source.join(name), "").unwrap();
        chown(source.join(name), Some(id), Some(id)).unwrap();
    }
    source.display().to_string()
}

fn mapped(source: &str, mappings: Option<UserNamespace>) -> Mount {
    let map = IdMap { mappings, recursive: false };
    Mount { index: 6, id_map: Some(map), ..bind(source, "/data", MountFlags::empty()) }
}

const OWNERS: &str = "cd /data; stat -c %u:%g root one hundred";

fn with(mut plan: Plan, mount: Mount) -> Plan {
    let place = plan.setup.iter().position(|operation| matches!(operation, Operation::Device(_))).unwrap();
    plan.setup.insert(place, Operation::Mount(mount));
    plan
}

#[test]
fn without_a_user_namespace_owners_are_those_of_the_mapping() {
    privileged!();
    let bundle = Bundle::new();
    let source = source(&bundle);
    let plan = with(Parts::new(&[]).plan(&bundle), mapped(&source, Some(mappings(0, 100_000, 65_536))));
    assert_eq!(user_namespace::run(&bundle, plan, OWNERS), "100000:100000\n100001:100001\n100100:100100\n");
}

#[test]
fn in_a_user_namespace_owners_are_those_on_disk() {
    privileged!();
    let bundle = Bundle::new();
    let source = source(&bundle);
    for own in [None, Some(support::user_namespace::mapped())] {
        let plan = with(in_user_namespace(&bundle, &[]), mapped(&source, own));
        let output = user_namespace::run(&bundle, plan, &format!("{OWNERS}; echo x > new && stat -c %u new"));
        assert_eq!(output, "0:0\n1:1\n100:100\n0\n");
        let made = fs::metadata(format!("{source}/new")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 0, "written as the owner on disk");
        fs::remove_file(format!("{source}/new")).unwrap();
    }
}

#[test]
fn one_tree_has_many_mappings() {
    privileged!();
    let bundle = Bundle::new();
    let source = source(&bundle);
    let mut plan = Parts::new(&[]).plan(&bundle);
    for (number, host) in [(1, 5000), (2, 6000), (3, 5000)] {
        let mount = mapped(&source, Some(mappings(0, host, 200)));
        plan = with(plan, Mount { inside: format!("/d{number}"), ..mount });
    }
    let output = user_namespace::run(&bundle, plan, "stat -c %u /d1/hundred /d2/hundred /d3/hundred");
    assert_eq!(output, "5100\n6100\n5100\n");
}

/// SECURITY: nothing of the mapping stays: no process, no open descriptor, no mount outside.
#[test]
fn nothing_of_a_mapping_stays_outside() {
    privileged!();
    let bundle = Bundle::new();
    let source = source(&bundle);
    let plan = with(in_user_namespace(&bundle, &[]), mapped(&source, Some(mappings(0, 300_000, 65_536))));
    let mut helper =
        Helper::spawn(&bundle, &with_script(plan, "ls -l /proc/self/fd; grep -c /data /proc/self/mountinfo"));
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    assert!(!fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&source));
    helper.start().unwrap();
    let output = helper.output();
    assert!(output.ends_with("\n1\n"), "{output}");
    assert!(!output.contains("ns/") && !output.contains("user:[") && !output.contains("mnt:["), "{output}");
}

#[test]
fn what_cannot_be_mapped_is_named() {
    privileged!();
    let bundle = Bundle::new();
    // A procfs cannot map owners on any kernel.
    let mount = Mount { inside: "/hostproc".to_owned(), ..mapped("/proc", Some(mappings(0, 100_000, 1))) };
    let failure = Helper::spawn(&bundle, &with(Parts::new(&["true"]).plan(&bundle), mount)).failed();
    assert!(failure.message.starts_with("mount \"/hostproc\": mount_setattr("), "{failure:?}");
    assert!(failure.hint.unwrap().contains("cannot map owners"));
    let mount = mapped("/no/such/source", Some(mappings(0, 100_000, 1)));
    let failure = Helper::spawn(&bundle, &with(Parts::new(&["true"]).plan(&bundle), mount)).failed();
    assert!(
        failure.message.starts_with("mount \"/data\": openat(AT_FDCWD, \"/no/such/source\""),
        "{failure:?}"
    );
    let overlapping = UserNamespace {
        uid_mappings: vec![
            IdMapping { container_id: 0, host_id: 1, size: 10 },
            IdMapping { container_id: 5, host_id: 20, size: 10 },
        ],
        ..mappings(0, 1, 1)
    };
    let mount = mapped(&source(&bundle), Some(overlapping));
    let failure = Helper::spawn(&bundle, &with(Parts::new(&["true"]).plan(&bundle), mount)).failed();
    assert!(failure.message.contains("uid_map") && failure.message.contains("EINVAL"), "{failure:?}");
}

#[test]
fn a_tree_is_mapped_as_a_whole_or_not_at_all() {
    privileged!();
    let bundle = Bundle::new();
    let source = source(&bundle);
    // In the container's own mount namespace, so that the host's has no part in it.
    fs::create_dir(format!("{source}/below")).unwrap();
    fs::create_dir(bundle.root().join("tree")).unwrap();
    let inner = bundle.top.join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("file"), "").unwrap();
    let tree = bundle.root().join("tree").display().to_string();
    let plan = |below: Mount, recursive| {
        let map = IdMap { mappings: Some(mappings(0, 100_000, 65_536)), recursive };
        let plan = with(Parts::new(&[]).plan(&bundle), bind(&source, "/tree", MountFlags::empty()));
        with(with(plan, below), Mount { id_map: Some(map), ..mapped(&tree, None) })
    };
    let below = || bind(inner.to_str().unwrap(), "/tree/below", MountFlags::empty());
    let script = "stat -c %u /data/root /data/below/file";
    assert_eq!(user_namespace::run(&bundle, plan(below(), false), script), "100000\n0\n");
    assert_eq!(user_namespace::run(&bundle, plan(below(), true), script), "100000\n100000\n");
    let procfs = Mount { index: 5, ..bind("/proc/self/ns", "/tree/below", MountFlags::empty()) };
    let failure = Helper::spawn(&bundle, &plan(procfs, true)).failed();
    assert!(failure.message.starts_with("mount \"/data\": mount_setattr("), "{failure:?}");
}

/// Nothing of another process is opened through procfs, for which root would need CAP_SYS_PTRACE: the first process is
/// not dumpable.
#[test]
fn root_that_may_not_trace_maps_owners_and_reaches_homes() {
    privileged!();
    const NAME: &str = "root_that_may_not_trace_maps_owners_and_reaches_homes";
    const INNER: &str = "CAISSON_TEST_UNTRACING";
    if std::env::var_os(INNER).is_none() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]).env(INNER, "1");
        let Ok(output) = command.output() else { return support::skip("needs setpriv") };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    assert_eq!(u64::from_str_radix(effective, 16).unwrap() >> 19 & 1, 0, "{effective}");
    let bundle = Bundle::new();
    let source = source(&bundle);
    let home = bundle.top.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("file"), "reached").unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    chown(&home, Some(54_321), Some(54_321)).unwrap();
    for own in [None, Some(support::user_namespace::mapped())] {
        let plan = with(in_user_namespace(&bundle, &[]), mapped(&source, own));
        let plan = with(plan, bind(home.join("file").to_str().unwrap(), "/file", MountFlags::empty()));
        assert_eq!(
            user_namespace::run(&bundle, plan, &format!("cat /file; {OWNERS}")),
            "reached0:0\n1:1\n100:100\n"
        );
    }
}
