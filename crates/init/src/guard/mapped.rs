//! Mounts on which owners are mapped, and the user namespaces that say how.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_flags::{NamespaceKind, Namespaces};
use caisson_plan::{IdMap, IdMapping, UserNamespace};
use caisson_sys::errno::{EINVAL, EPERM};
use caisson_sys::sibling::clone_child;
use caisson_sys::{mount, pidfd, process, socket};

use crate::failure::{Result, SetupError};
use crate::procfs::Procfs;
use crate::sources;

/// User namespaces in which nothing runs, one for each distinct list of mappings.
#[derive(Debug)]
pub struct Pool {
    /// The caller's.
    procfs: Procfs,
    namespaces: Vec<(UserNamespace, OwnedFd)>,
}

impl Pool {
    pub fn new(procfs: Procfs) -> Self {
        Self { procfs, namespaces: vec![] }
    }

    /// What is mounted at `path`, detached, with owners mapped. Nothing has a name yet that others could use: a file
    /// system that cannot map leaves nothing behind.
    pub fn tree(
        &mut self,
        path: &str,
        follow: bool,
        recursive: bool,
        map: &IdMap,
        container: BorrowedFd<'_>,
    ) -> Result<OwnedFd> {
        let source = sources::lookup(path, follow)?;
        let tree = mount::clone_tree(source.as_fd(), "", recursive)?;
        let namespace = match &map.mappings {
            Some(mappings) => self.namespace(mappings)?,
            None => container,
        };
        mount::map_ids(tree.as_fd(), namespace, map.recursive).map_err(|error| {
            let problem = SetupError::from(error).on(path);
            match problem.errno() {
                EINVAL if map.recursive => problem.hint(
                    "a file system below cannot map owners on this kernel, or its owners are mapped already: nothing was mounted",
                ),
                EINVAL => problem.hint(
                    "the file system cannot map owners on this kernel (tmpfs: Linux 6.3), or its owners are mapped already",
                ),
                EPERM => problem.hint(
                    "mapping owners needs CAP_SYS_ADMIN in the user namespace in which the file system was mounted",
                ),
                _ => problem,
            }
        })?;
        Ok(tree)
    }

    fn namespace(&mut self, mappings: &UserNamespace) -> Result<BorrowedFd<'_>> {
        let index = match self.namespaces.iter().position(|(known, _)| known == mappings) {
            Some(index) => index,
            None => {
                let made = make(&self.procfs, mappings)?;
                self.namespaces.push((mappings.clone(), made));
                self.namespaces.len() - 1
            }
        };
        Ok(self.namespaces[index].1.as_fd())
    }
}

/// A user namespace with these mappings: of a process that is gone when this returns.
fn make(procfs: &Procfs, mappings: &UserNamespace) -> Result<OwnedFd> {
    let (ours, theirs) = socket::pair()?;
    let Some((pid, child)) = clone_child(Namespaces::USER)? else {
        drop(ours);
        process::exit(i32::from(hand_over(procfs, &theirs).is_err()));
    };
    drop(theirs);
    let made = receive(procfs, pid, mappings, &ours);
    drop(ours);
    pidfd::wait(&child, true)?;
    made
}

/// In the child, which lives until its maps are written.
/// SECURITY: it is not dumpable, so that no process of a namespace with these ids can enter it; only the process itself
/// can open its namespace without CAP_SYS_PTRACE then.
fn hand_over(procfs: &Procfs, socket: &OwnedFd) -> Result<()> {
    let namespace = procfs.namespace(NamespaceKind::User)?;
    socket::send(socket, b"user", &[&namespace])?;
    socket::receive(socket, 1, true)?;
    Ok(())
}

fn receive(procfs: &Procfs, pid: i32, mappings: &UserNamespace, socket: &OwnedFd) -> Result<OwnedFd> {
    let message = socket::receive(socket, 8, true)?;
    let namespace = message.and_then(|message| message.descriptors.into_iter().next());
    let gone = || SetupError::internal("the process of the user namespace has ended");
    let namespace = namespace.ok_or_else(gone)?;
    for (file, list) in [("gid_map", &mappings.gid_mappings), ("uid_map", &mappings.uid_mappings)] {
        procfs.write(&format!("{pid}/{file}"), &lines(list)).map_err(|problem| {
            problem
                .hint("mappings must not overlap, and the ids must exist in the caller's own user namespace")
        })?;
    }
    Ok(namespace)
}

fn lines(mappings: &[IdMapping]) -> String {
    mappings.iter().map(|m| format!("{} {} {}\n", m.container_id, m.host_id, m.size)).collect()
}
