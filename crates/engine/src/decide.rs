//! Turns a request into a plan, without side effects; `caisson plan` stops here.

use std::fs;
use std::path::{Path, PathBuf};

use caisson_code::{Code, Phase};
use caisson_plan::{Config, MissingModule, Plan};
use serde::Serialize;

use crate::cgroups;
use crate::config_file;
use crate::facts::Facts;
use crate::failure::{Failure, Result};
use crate::rdt;
use crate::request::{CreateRequest, OverlayRequest};
use crate::state::{ROOTFS, check_id};

/// A planned container; nothing of it exists yet.
pub struct Decided {
    pub config: Config,
    pub bytes: Vec<u8>,
    pub plan: Plan,
    pub rootfs: PathBuf,
    pub placement: Option<caisson_cgroup::Placement>,
    /// What this process does about the cgroups, which is not sent to the helper.
    pub cgroup: Vec<caisson_cgroup::Operation>,
    /// The same about resctrl.
    pub resctrl: Option<caisson_resctrl::Placement>,
}

impl Decided {
    /// The whole plan as JSON: the helper's part, and ours.
    pub fn to_json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            plan: &'a Plan,
            cgroup: &'a [caisson_cgroup::Operation],
            #[serde(skip_serializing_if = "Option::is_none")]
            resctrl: Option<&'a caisson_resctrl::Placement>,
        }
        serde_json::to_string(&Whole {
            plan: &self.plan,
            cgroup: &self.cgroup,
            resctrl: self.resctrl.as_ref(),
        })
        .map_err(|e| Failure::new(Code::InvalidSpec, Phase::Validate, e.to_string()))
    }
}

/// Reads and validates the configuration, and plans.
pub fn decide(request: &CreateRequest, facts: &Facts) -> Result<Decided> {
    check_id(&request.id)?;
    let bytes = read_config(request)?;
    let config = Config::parse(&bytes)?;
    let rootless = facts.rootless(request.rootless);
    let placement = if request.cgroup_disabled {
        None
    } else {
        let wanted =
            caisson_cgroup::Request { id: &request.id, cgroups_path: config.cgroups_path(), rootless };
        cgroups::place(&facts.cgroup, &wanted, &config, facts.rights.uid)?
    };
    let options = caisson_plan::Options {
        id: request.id.clone(),
        bundle: request.bundle.display().to_string(),
        pivot: request.pivot,
        new_keyring: request.new_keyring,
        preserve_fds: request.preserve_fds,
        attached: request.attached,
        missing_security_module: if request.may_miss_security_module {
            MissingModule::Warn
        } else {
            MissingModule::Refuse
        },
        answers_system_calls: request.answers_system_calls,
        overlay: request.overlay.as_ref().map(|overlay| overlay_options(request, overlay)),
    };
    let resctrl = rdt::place(facts.resctrl.as_ref(), &config, &request.id)?;
    let host = caisson_plan::Host {
        euid: facts.rights.uid,
        egid: facts.rights.gid,
        rights: caisson_plan::Rights {
            administers_host: facts.rights.administers_host(),
            makes_devices: facts.rights.makes_devices(),
            maps_ids: facts.rights.maps_ids(),
            sets_groups: facts.rights.sets_groups,
            writes_root_files: facts.rights.writes_root_files(),
        },
        cgroup: cgroups::view(&facts.cgroup, placement.as_ref()),
        kernel_capabilities: facts.capabilities,
        seccomp_flags: facts.seccomp_flags,
        security_modules: facts.security_modules.clone(),
        resctrl_tasks: resctrl.as_ref().map(rdt::tasks),
    };
    let plan = caisson_plan::plan(&config, &options, &host)?;
    let rootfs = if request.overlay.is_some() {
        mount_point(request)
    } else {
        let rootfs = config.root_path(&request.bundle);
        check_rootfs(&rootfs)?;
        rootfs
    };
    check_terminal(&config, request)?;
    check_answers(&plan, request)?;
    let cgroup = cgroups::operations(placement.as_ref(), &config)?;
    Ok(Decided { config, bytes, plan, rootfs, placement, cgroup, resctrl })
}

/// The mount point of the overlay in the container's mount namespace; the directory is empty for other processes.
fn mount_point(request: &CreateRequest) -> PathBuf {
    request.root.join(&request.id).join(ROOTFS)
}

fn overlay_options(request: &CreateRequest, overlay: &OverlayRequest) -> caisson_plan::OverlayOptions {
    caisson_plan::OverlayOptions {
        store: overlay.store.display().to_string(),
        lower: overlay.lower.clone(),
        writable: (!overlay.tmpfs).then(|| overlay.container.clone()),
        tmpfs_size: overlay.tmpfs_size,
        host_path: mount_point(request).display().to_string(),
        volatile: overlay.volatile,
    }
}

fn read_config(request: &CreateRequest) -> Result<Vec<u8>> {
    config_file::check_bundle(&request.bundle)?;
    match &request.config {
        Some(text) => Ok(text.clone().into_bytes()),
        None => config_file::read(&request.bundle),
    }
}

/// SECURITY: CVE-2019-19921 and related attacks: a root file system that is a symbolic link could be swapped after this
/// check, so the helper refuses one again when it opens it.
fn check_rootfs(rootfs: &Path) -> Result<()> {
    let invalid = |message: String| {
        Failure::new(Code::InvalidBundle, Phase::Validate, message).on(rootfs.display().to_string())
    };
    match fs::symlink_metadata(rootfs) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(metadata) if metadata.is_symlink() => Err(invalid(format!(
            "root.path {} is a symbolic link; name the directory itself",
            rootfs.display()
        ))),
        Ok(_) => Err(invalid(format!("root.path {} is not a directory", rootfs.display()))),
        Err(error) => Err(invalid(format!("root.path {} cannot be opened: {error}", rootfs.display()))),
    }
}

fn check_terminal(config: &Config, request: &CreateRequest) -> Result<()> {
    if request.console_socket.is_some() && !config.terminal() {
        // COMPAT(runc): its wording.
        return Err(Failure::new(
            Code::InvalidOption,
            Phase::Validate,
            "cannot use console socket if runc will not detach or allocate tty",
        ));
    }
    Ok(())
}

/// Who is to answer system calls must be asked for some.
fn check_answers(plan: &Plan, request: &CreateRequest) -> Result<()> {
    if request.answers_system_calls && plan.listener().is_none() {
        let message = "seccomp.notify: no rule of the profile has the action SCMP_ACT_NOTIFY";
        return Err(Failure::new(Code::InvalidOption, Phase::Validate, message));
    }
    Ok(())
}
