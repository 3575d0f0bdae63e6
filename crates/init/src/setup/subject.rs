//! What an operation is called in messages: by its property of config.json where it has one.

use caisson_plan::Operation;

pub fn of(operation: &Operation) -> String {
    match operation {
        Operation::JoinCgroup { host_procs_file } => format!("cgroup {host_procs_file:?}"),
        Operation::JoinResctrl { .. } => "linux.intelRdt".to_owned(),
        Operation::UnshareCgroup => "linux.namespaces: cgroup".to_owned(),
        Operation::ResetCpuAffinity => "CPU affinity".to_owned(),
        Operation::NewSessionKeyring => "session keyring".to_owned(),
        Operation::LoopbackUp => "loopback interface".to_owned(),
        Operation::Propagation { .. } => "propagation of the host's mounts".to_owned(),
        Operation::OpenRoot { host_path } => format!("root.path {host_path:?}"),
        Operation::MountOverlay(_) => "the image's root file system".to_owned(),
        // Not by its index: mounts of options come after those of a configuration that the caller never sees.
        Operation::Mount(mount) => format!("mount {:?}", mount.inside),
        Operation::MountCgroupV1 { inside, .. } | Operation::MountCgroupV2 { inside, .. } => {
            format!("mount {inside:?}")
        }
        Operation::Device(device) => format!("device {:?}", device.inside),
        Operation::Symlink { inside, .. } => format!("link {inside:?}"),
        Operation::CreateContainerHooks { .. } => String::new(), // the message names its hook
        Operation::PivotRoot { .. } => "changing the root".to_owned(),
        Operation::RootPropagation { .. } => "linux.rootfsPropagation".to_owned(),
        Operation::RemountReadonly { inside } if inside == "/" => "root.readonly".to_owned(),
        Operation::RemountReadonly { inside } => format!("read-only mount {inside:?}"),
        Operation::Hostname(name) => format!("hostname {name:?}"),
        Operation::Domainname(name) => format!("domainname {name:?}"),
        Operation::Sysctl { key, .. } => format!("linux.sysctl {:?}", key.replace('/', ".")),
        Operation::ReadonlyPath { inside } => format!("linux.readonlyPaths {inside:?}"),
        Operation::MaskPath { inside } => format!("linux.maskedPaths {inside:?}"),
        Operation::Rlimit { name, .. } => format!("process.rlimits {name}"),
        Operation::OomScoreAdj(score) => format!("process.oomScoreAdj {score}"),
        Operation::KeyLabel(_) | Operation::ExecLabel(_) => "process.selinuxLabel".to_owned(),
        Operation::AppArmorProfile(_) => "process.apparmorProfile".to_owned(),
        Operation::MountLabel(_) => "linux.mountLabel".to_owned(),
        Operation::Scheduler(_) => "process.scheduler".to_owned(),
        Operation::IoPriority { .. } => "process.ioPriority".to_owned(),
        Operation::MemoryPolicy(_) => "linux.memoryPolicy".to_owned(),
        Operation::Personality(_) => "linux.personality".to_owned(),
        Operation::Umask(_) => "process.user.umask".to_owned(),
        Operation::NoNewPrivileges => "process.noNewPrivileges".to_owned(),
        Operation::Console(_) => "process.terminal".to_owned(),
        Operation::MakeWorkingDirectory { inside } | Operation::EnterDirectory { inside, .. } => {
            format!("process.cwd {inside:?}")
        }
        Operation::SealMounts => "read-only mounts".to_owned(),
        Operation::NewSession => "session".to_owned(),
        Operation::Streams { .. } => "standard streams".to_owned(),
        Operation::Home { .. } => "HOME".to_owned(),
        Operation::BoundingSet(_) => "process.capabilities.bounding".to_owned(),
        Operation::User(_) => String::new(), // the message names the property
        Operation::Capabilities(_) => "process.capabilities".to_owned(),
        Operation::CloseDescriptors => "descriptors".to_owned(),
        Operation::FindProgram { .. } | Operation::StartContainerHooks { .. } => String::new(),
        Operation::Exec(_) => String::new(), // process.args, or linux.seccomp
    }
}
