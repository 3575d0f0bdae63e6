//! A process in namespaces of its own, to be joined.

use std::fs;
use std::process::{Child, Command, Stdio};

use caisson_plan::{JoinNamespace, NamespaceKind};

/// A process in namespaces of its own, to be joined.
pub struct Pod(Child);

impl Pod {
    pub fn new(flags: &[&str]) -> Self {
        let child = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", "echo ready; exec sleep 300"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pod = Self(child);
        let mut line = String::new();
        let mut output = std::io::BufReader::new(pod.0.stdout.as_mut().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        pod
    }
    /// With --fork the process in the pid namespace is a child.
    pub fn pid(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        let text = fs::read_to_string(children).unwrap();
        text.split_ascii_whitespace().next().map_or(self.0.id(), |pid| pid.parse().unwrap())
    }
    pub fn join(&self, kind: NamespaceKind, file: &str) -> JoinNamespace {
        JoinNamespace { kind, path: format!("/proc/{}/ns/{file}", self.pid()) }
    }
    pub fn link(&self, file: &str) -> String {
        fs::read_link(format!("/proc/{}/ns/{file}", self.pid())).unwrap().display().to_string()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = caisson_sys::pidfd::open(self.pid().cast_signed())
            .and_then(|pidfd| caisson_sys::pidfd::send_signal(pidfd, 9));
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
