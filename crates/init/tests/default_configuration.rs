//! runc's default configuration, end to end.

mod support;

use caisson_sys::pidfd::Exit;
use support::plans::{self, default_plan};
use support::{Bundle, Helper, shell};

#[test]
fn true_runs() {
    privileged!();
    let bundle = Bundle::new();
    let (output, exit) = Helper::spawn(&bundle, &default_plan(&bundle, &["/bin/true"])).finish();
    assert_eq!((output.as_str(), exit), ("", Exit::Code(0)));
}

#[test]
fn the_exit_code_is_the_programs() {
    privileged!();
    let bundle = Bundle::new();
    let (_, exit) = Helper::spawn(&bundle, &default_plan(&bundle, &["sh", "-c", "exit 42"])).finish();
    assert_eq!(exit, Exit::Code(42));
}

#[test]
fn the_program_is_pid_1_with_its_hostname_and_home() {
    privileged!();
    let bundle = Bundle::new();
    std::fs::write(bundle.root().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    let output = shell(&bundle, &default_plan(&bundle, &[]), "echo $$ $(hostname) $HOME $(pwd) $(id -u)");
    assert_eq!(output, "1 runc /root / 0\n");
}

#[test]
fn mounts_look_as_asked_for() {
    privileged!();
    let bundle = Bundle::new();
    let output = shell(&bundle, &default_plan(&bundle, &[]), "cat /proc/self/mountinfo");
    let mounts: Vec<_> = output
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields[4], fields[5], line.split(" - ").nth(1).unwrap())
        })
        .collect();
    let find =
        |point: &str| mounts.iter().rfind(|mount| mount.0 == point).unwrap_or_else(|| panic!("{output}"));
    assert!(find("/").1.starts_with("ro"), "{output}");
    assert_eq!(find("/proc").2, "proc proc rw");
    assert_eq!((find("/dev").1, find("/dev").2), ("rw,nosuid", "tmpfs tmpfs rw,size=65536k,mode=755"));
    assert_eq!(find("/dev/pts").2, "devpts devpts rw,gid=5,mode=620,ptmxmode=666");
    assert_eq!(find("/dev/shm").1, "rw,nosuid,nodev,noexec,relatime");
    assert!(find("/dev/mqueue").2.starts_with("mqueue"));
    assert_eq!((find("/sys").1, find("/sys").2), ("ro,nosuid,nodev,noexec,relatime", "sysfs sysfs ro"));
    assert!(find("/proc/sys").1.starts_with("ro"));
    assert!(find("/proc/keys").2.starts_with("tmpfs"), "masked by the container's own /dev/null: {output}");
}

#[test]
fn capabilities_limits_and_no_new_privileges_hold() {
    privileged!();
    let bundle = Bundle::new();
    let script = "grep -E '^(Cap|NoNewPrivs|SigIgn|SigBlk)' /proc/self/status; ulimit -n; umask";
    let output = shell(&bundle, &default_plan(&bundle, &[]), script);
    let caps = format!("{:016x}", plans::DEFAULT_CAPABILITIES);
    let none = "0000000000000000";
    let expected = format!(
        "SigBlk:\t{none}\nSigIgn:\t{none}\nCapInh:\t{none}\nCapPrm:\t{caps}\nCapEff:\t{caps}\nCapBnd:\t{caps}\nCapAmb:\t{none}\nNoNewPrivs:\t1\n1024\n0022\n"
    );
    assert_eq!(output, expected);
}

#[test]
fn only_the_three_streams_are_open() {
    privileged!();
    let bundle = Bundle::new();
    let output =
        shell(&bundle, &default_plan(&bundle, &[]), "echo /proc/self/fd/*; readlink /proc/self/fd/0");
    // 3 is the directory that the shell itself is reading.
    assert_eq!(output, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n/dev/null\n");
}

#[test]
fn devices_and_links_are_there() {
    privileged!();
    let bundle = Bundle::new();
    let script = "stat -c '%n %t:%T %a %u:%g' /dev/null /dev/zero /dev/tty; readlink /dev/ptmx; readlink /dev/fd; echo x > /dev/null";
    let output = shell(&bundle, &default_plan(&bundle, &[]), script);
    assert_eq!(
        output,
        "/dev/null 1:3 666 0:0\n/dev/zero 1:5 666 0:0\n/dev/tty 5:0 666 0:0\npts/ptmx\n/proc/self/fd\n"
    );
}

#[test]
fn the_loopback_interface_is_up() {
    privileged!();
    let bundle = Bundle::new();
    let output = shell(&bundle, &default_plan(&bundle, &[]), "cat /sys/class/net/lo/flags");
    assert_eq!(output, "0x9\n"); // IFF_UP | IFF_LOOPBACK
}
