//! What of the host is in reach of a hostile image, before its program runs, and of the processes of other containers.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use caisson_code::Code;
use caisson_flags::Namespaces;
use caisson_plan::{Hook, NamespaceKind, Plan};
use caisson_sys::errno;
use support::plans::{PATH, default_plan, set_args, set_program, set_start_hooks};
use support::pod::Pod;
use support::rootless::{as_user, single_id};
use support::user_namespace::{in_user_namespace, write_maps};
use support::{Bundle, Helper};

/// Numbers that a descriptor of the helper may have.
const NUMBERS: std::ops::Range<u32> = 3..32;

/// A program of the host, outside of the root file system.
struct HostProgram {
    path: PathBuf,
}

impl HostProgram {
    fn new(bundle: &Bundle) -> Self {
        let directory = bundle.top.join("host");
        fs::create_dir(&directory).unwrap();
        let path = directory.join("program");
        fs::copy("/bin/busybox", &path).unwrap();
        Self { path }
    }

    /// Its path from any directory of the same mount.
    fn place(&self) -> String {
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        let same = |path: &&Path| device(path) == device(&self.path);
        let top = self.path.ancestors().take_while(same).last().unwrap();
        format!("{}{}", "../".repeat(12), self.path.strip_prefix(top).unwrap().display())
    }

    /// Links to it through every descriptor, one directory each, with `name` in it.
    fn link(&self, bundle: &Bundle, name: &str) -> Vec<String> {
        let link = |number| {
            let directory = format!("/links/{number}");
            let inside = bundle.root().join(&directory[1..]);
            fs::create_dir_all(&inside).unwrap();
            symlink(format!("/proc/self/fd/{number}/{}", self.place()), inside.join(name)).unwrap();
            directory
        };
        NUMBERS.map(link).collect()
    }
}

fn attack(bundle: &Bundle, plan: &Plan, spawn: &dyn Fn(&Bundle, &Plan) -> Option<Helper>) -> Option<()> {
    let host = HostProgram::new(bundle);
    let directories = host.link(bundle, "sh");

    // The program itself, found at create.
    let mut searching = plan.clone();
    let args = ["sh", "-c", "echo a program of the host"].map(str::to_owned);
    set_program(&mut searching, &args, &[format!("PATH={}", directories.join(":"))]);
    let failure = spawn(bundle, &searching)?.failed();
    assert_eq!(failure.message, "exec: \"sh\": executable file not found in $PATH");

    // An interpreter, which the kernel looks up at execve while close-on-exec descriptors are open.
    let scripts: Vec<_> =
        directories.iter().map(|directory| format!("/bin{}", directory.replace("/links", ""))).collect();
    for (script, directory) in scripts.iter().zip(&directories) {
        let inside = bundle.root().join(&script[1..]);
        fs::write(&inside, format!("#!{directory}/sh\n")).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for script in &scripts {
        let mut interpreted = plan.clone();
        set_args(&mut interpreted, &[script]);
        let mut helper = spawn(bundle, &interpreted)?;
        helper.created();
        let failure = helper.start().unwrap_err();
        let expected = [errno::ENOENT, errno::ENOTDIR]; // no such number, or a socket
        assert!(expected.contains(&failure.errno), "{script}: {failure:?}");
    }

    // A hook that runs inside.
    for directory in &directories {
        let mut hooked = plan.clone();
        set_args(&mut hooked, &["/bin/true"]);
        let hook = Hook {
            list: "startContainer".to_owned(),
            index: 0,
            path: format!("{directory}/sh"),
            args: ["sh", "-c", "exit 0"].map(str::to_owned).to_vec(),
            env: Some(vec![PATH.to_owned()]),
            timeout: Some(10),
        };
        set_start_hooks(&mut hooked, vec![hook]);
        let mut helper = spawn(bundle, &hooked)?;
        helper.created();
        assert_eq!(helper.start().unwrap_err().code, Code::Hook, "{directory}");
    }
    Some(())
}

#[test]
fn no_program_of_the_host_is_found_with_a_mapped_root() {
    privileged!();
    let bundle = Bundle::new();
    let plan = in_user_namespace(&bundle, &[]);
    let spawn = |bundle: &Bundle, plan: &Plan| {
        let helper = Helper::spawn(bundle, plan);
        write_maps(helper.pid);
        helper.proceed();
        Some(helper)
    };
    attack(&bundle, &plan, &spawn).unwrap();
}

#[test]
fn no_program_of_the_host_is_found_as_an_ordinary_user() {
    as_user("no_program_of_the_host_is_found_as_an_ordinary_user", || {
        let bundle = Bundle::new();
        let _ = attack(&bundle, &single_id(&bundle, ""), &support::rootless::spawn);
    });
}

#[test]
fn no_program_of_the_host_is_found_without_a_user_namespace() {
    privileged!();
    let bundle = Bundle::new();
    let plan = default_plan(&bundle, &[]);
    attack(&bundle, &plan, &|bundle, plan| Some(Helper::spawn(bundle, plan))).unwrap();
}

/// Only standard streams, preserved descriptors and sockets are open while a container waits for its start.
#[test]
fn a_created_container_has_nothing_of_the_host_open() {
    privileged!();
    let bundle = Bundle::new();
    let mut plan = in_user_namespace(&bundle, &["true"]);
    plan.preserve_fds = 1;
    let given = fs::File::open("/etc/hostname").unwrap();
    let mut helper = Helper::spawn_with(&bundle, &plan, &[given.into()]);
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    for entry in fs::read_dir(format!("/proc/{}/fd", helper.pid)).unwrap() {
        let entry = entry.unwrap();
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        let target = fs::read_link(entry.path()).unwrap();
        match number {
            0..=2 => {}
            3 => assert_eq!(target, Path::new("/etc/hostname")),
            _ => {
                let text = target.display().to_string();
                assert!(
                    text.starts_with("socket:") || text == "anon_inode:[eventpoll]",
                    "{number} is {text}"
                );
            }
        }
    }
}

/// SECURITY: CVE-2016-9962: root without capabilities, as in another container that sees the process.
fn looks_into(pid: i32) -> bool {
    let root = format!("/proc/{pid}/root/etc");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "stat", &root]);
    command.output().unwrap().status.success()
}

#[test]
fn no_other_container_looks_into_one_that_waits_for_its_maps() {
    privileged!();
    let bundle = Bundle::new();
    let mut helper = Helper::spawn(&bundle, &in_user_namespace(&bundle, &["true"]));
    assert!(!looks_into(helper.pid), "before the maps are written");
    write_maps(helper.pid);
    assert!(!looks_into(helper.pid), "after the maps are written");
    helper.proceed();
    helper.created();
    assert!(!looks_into(helper.pid), "created");
}

#[test]
fn no_other_container_looks_into_one_that_joins_its_pid_namespace() {
    privileged!();
    let bundle = Bundle::new();
    let pod = Pod::new(&["--pid", "--fork"]);
    let mut plan = in_user_namespace(&bundle, &["true"]);
    plan.clone_flags = Namespaces::empty();
    plan.clone_after_join =
        Namespaces::USER | Namespaces::MOUNT | Namespaces::NETWORK | Namespaces::IPC | Namespaces::UTS;
    plan.join = vec![pod.join(NamespaceKind::Pid, "pid")];
    plan.setup.retain(
        |operation| !matches!(operation, caisson_plan::Operation::Mount(mount) if mount.fstype == "proc"),
    );
    plan.setup.retain(|operation| !support::plans::masks().contains(operation));
    let mut helper = Helper::spawn(&bundle, &plan);
    assert!(!looks_into(helper.pid), "before the second clone");
    helper.replaced();
    assert!(!looks_into(helper.pid), "before the maps are written");
    write_maps(helper.pid);
    helper.proceed();
    helper.created();
    assert!(!looks_into(helper.pid), "created");
}
