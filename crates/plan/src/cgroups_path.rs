//! `linux.cgroupsPath`: a directory below the top of every hierarchy.

use crate::config::Config;
use crate::issue::Issues;

/// Relative paths count from the caller's own cgroup, and an empty one is the same as none. The top itself has other
/// processes, which the limits would hit and a delete would remove.
pub(crate) fn check(config: &Config, issues: &mut Issues) {
    let Some(path) = config.cgroups_path().filter(|path| !path.is_empty()) else { return };
    let mut parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
    let problem = if path.contains(['\0', '\n']) {
        "must not hold a NUL or a newline"
    } else if parts.peek().is_none() {
        "must name a cgroup below the top"
    } else if parts.any(|part| part == "..") {
        "must not contain \"..\""
    } else {
        return;
    };
    issues.add("linux.cgroupsPath", format!("{path:?} {problem}"));
}
