//! The root file system of an image: layers that are shared, with a writable one on top, mounted in the container's
//! own mount namespace. When that ends the mount is gone.
//!
//! Layers go to overlayfs as descriptors (`lowerdir+`, Linux 6.13); before, as short names of descriptors in our own
//! procfs, of which a hundred fit where one real path would.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_code::Code;
use caisson_flags::MountFlags;
use caisson_plan::{IdMap, Overlay};
use caisson_sys::errno::{EINVAL, ENOSYS, EOPNOTSUPP, EPERM};
use caisson_sys::file::{self, Kind, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY};
use caisson_sys::mount;
use caisson_sys::{Error, attribute, resolve};

use super::Setup;
use super::filesystem::Filesystem;
use super::place::{self, MountTarget, Path};
use crate::failure::{Result, SetupError};

/// What an image may never decide by its attributes: whether files have their content and directories their names.
const OPTIONS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

/// The directories of one mount, O_PATH.
struct Layers {
    lower: Vec<OwnedFd>,
    upper: OwnedFd,
    work: OwnedFd,
}

/// Mounts it at `host_path`. Returns the root of the mount.
pub fn mount(setup: &Setup<'_>, overlay: &Overlay) -> Result<OwnedFd> {
    let point = setup.host.sources.open(&overlay.host_path, false)?;
    if file::status(point.as_fd())?.kind != Kind::Directory {
        return Err(SetupError::refused(Code::InvalidBundle, "the mount point is not a directory")
            .on(&overlay.host_path));
    }
    let ground = ground(setup, overlay, point)?;
    let store = store(setup, overlay, ground.as_fd())?;
    let lower = overlay.lower.iter().map(|path| layer(store.as_fd(), path)).collect::<Result<Vec<_>>>()?;
    let (upper, work) = writable(overlay, store.as_fd(), ground.as_fd())?;
    if let Some(top) = lower.first() {
        copy_root_attributes(top.as_fd(), upper.as_fd())?;
    }
    let layers = Layers { lower, upper, work };
    let target = MountTarget { fd: ground.as_fd(), path: Path::Host(&overlay.host_path) };
    put(setup, overlay, &layers, target).map_err(unavailable)
}

fn unavailable(problem: SetupError) -> SetupError {
    let hint = match problem.errno() {
        EPERM => {
            "inside another container, or in a user namespace before Linux 5.11, overlays cannot be mounted"
        }
        EINVAL => {
            "the writable layer must not lie on an overlay itself, and in a user namespace it needs user.* attributes \
             (tmpfs: Linux 6.6)"
        }
        _ => "the kernel needs overlayfs; see /proc/filesystems, a module may be missing",
    };
    problem.code(Code::OverlayUnavailable).hint(hint)
}

/// What the overlay is mounted on: the mount point, or on it a tmpfs for what has to be somewhere.
fn ground(setup: &Setup<'_>, overlay: &Overlay, point: OwnedFd) -> Result<OwnedFd> {
    if overlay.writable.is_some() && !overlay.idmapped {
        return Ok(point);
    }
    let data = match overlay.tmpfs_size {
        Some(size) => format!("mode=700,size={size}"),
        None => "mode=700".to_owned(),
    };
    let tmpfs = Filesystem {
        fstype: "tmpfs",
        source: "tmpfs",
        flags: MountFlags::empty(),
        data: &data,
        context: None,
    };
    place::filesystem(setup, &tmpfs, MountTarget { fd: point.as_fd(), path: Path::Host(&overlay.host_path) })
}

/// The directory of all layers. With mapped owners it is a mount that has to be attached first: before Linux 6.15
/// overlayfs takes no other.
fn store(setup: &Setup<'_>, overlay: &Overlay, ground: BorrowedFd<'_>) -> Result<OwnedFd> {
    if !overlay.idmapped {
        return Ok(setup.host.sources.open(&overlay.store, true)?);
    }
    let map = IdMap { mappings: None, recursive: false };
    let mapped =
        setup.host.sources.caller().and_then(|caller| caller.map_owners(&overlay.store, true, false, &map));
    let hint =
        "mapped owners of layers need Linux 5.19, and a file system that can map them (tmpfs: Linux 6.3)";
    let mapped = mapped.map_err(|problem| problem.code(Code::OverlayUnavailable).hint(hint))?;
    file::make_directory(ground, "store", 0o700)?;
    let target = file::open_at(ground, "store", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0)?;
    mount::attach(mapped.as_fd(), target.as_fd())?;
    Ok(mapped)
}

/// A directory below the store. The store is the caller's; a link in it is a mistake all the same.
fn layer(store: BorrowedFd<'_>, path: &str) -> Result<OwnedFd> {
    let open = resolve::open_in_root_plain(store, path, O_PATH | O_DIRECTORY);
    open.map_err(|error| {
        SetupError::from(error).on(path).hint("a layer is missing in the store: it was removed meanwhile")
    })
}

fn writable(overlay: &Overlay, store: BorrowedFd<'_>, ground: BorrowedFd<'_>) -> Result<(OwnedFd, OwnedFd)> {
    let found = overlay.writable.as_ref().map(|path| layer(store, path)).transpose()?;
    let directory = found.as_ref().map_or(ground, AsFd::as_fd);
    let make = |name| -> Result<OwnedFd> {
        file::make_directory(directory, name, 0o700)?;
        Ok(file::open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?)
    };
    Ok((make("upper")?, make("work")?))
}

/// What is seen of `/` itself is the directory on top: it looks like the image's.
fn copy_root_attributes(top: BorrowedFd<'_>, upper: BorrowedFd<'_>) -> Result<()> {
    let status = file::status(top)?;
    match file::change_owner(upper, Some(status.uid), Some(status.gid)) {
        // An owner that this user namespace does not know: then its root.
        Err(error) if matches!(error.errno(), EINVAL | EPERM) => {}
        other => other?,
    }
    file::change_mode(upper, status.permissions)?;
    for name in attribute::list(top)? {
        // Lists of access among them, which count for what is made in `/`.
        if name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") {
            continue;
        }
        match attribute::set(upper, &name, &attribute::get(top, name.as_bytes())?) {
            // Not in a user namespace, or not on a tmpfs.
            Err(error) if matches!(error.errno(), EPERM | EOPNOTSUPP) => {}
            other => other?,
        }
    }
    Ok(())
}

fn put(setup: &Setup<'_>, overlay: &Overlay, layers: &Layers, target: MountTarget<'_>) -> Result<OwnedFd> {
    let context = setup.context_of("overlay");
    match create(overlay, layers, context) {
        Ok(tree) => {
            mount::attach(tree.as_fd(), target.fd)?;
            return Ok(tree);
        }
        Err(Refused::Older) => {}
        Err(Refused::Failed(problem)) => return Err(problem),
    }
    setup.classic.set(true);
    let mut fds = vec![target.fd, layers.upper.as_fd(), layers.work.as_fd()];
    fds.extend(layers.lower.iter().map(AsFd::as_fd));
    let mut options = vec![overlay.volatile];
    if overlay.volatile {
        options.push(false); // Linux 5.10; without it all is the same, but slower
    }
    let mut last = Ok(());
    for volatile in options {
        last = setup.host.procfs.with_names(&fds, |names| {
            let mut data = classic_data(overlay, volatile, &names[1], &names[2], &names[3..]);
            if let Some(context) = context {
                data += &format!(",context=\"{context}\"");
            }
            mount::mount("overlay", &names[0], "overlay", MountFlags::empty(), &data)
        })?;
        if !matches!(&last, Err(error) if error.errno() == EINVAL) {
            break;
        }
    }
    last?;
    let Path::Host(path) = target.path else {
        return Err(SetupError::internal("no host path"));
    };
    Ok(file::open_at(file::CWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0)?)
}

enum Refused {
    /// This kernel has to be told in the classic way.
    Older,
    Failed(SetupError),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if error.errno() == ENOSYS { Self::Older } else { Self::Failed(error.into()) }
    }
}

fn create(overlay: &Overlay, layers: &Layers, context: Option<&str>) -> Result<OwnedFd, Refused> {
    let fs = mount::fsopen("overlay")?;
    let fs = fs.as_fd();
    for layer in &layers.lower {
        match mount::fsconfig_fd(fs, "lowerdir+", layer.as_fd()) {
            Err(error) if error.errno() == EINVAL => return Err(Refused::Older),
            other => other?,
        }
    }
    let configure = || -> caisson_sys::Result<()> {
        mount::fsconfig_string(fs, "source", "overlay")?;
        mount::fsconfig_fd(fs, "upperdir", layers.upper.as_fd())?;
        mount::fsconfig_fd(fs, "workdir", layers.work.as_fd())?;
        for (key, value) in OPTIONS {
            mount::fsconfig_string(fs, key, value)?;
        }
        for (name, wanted) in [("volatile", overlay.volatile), ("userxattr", overlay.user_xattr)] {
            if wanted {
                mount::fsconfig_flag(fs, name)?;
            }
        }
        if let Some(context) = context {
            mount::fsconfig_string(fs, "context", context)?;
        }
        mount::fsconfig_create(fs)
    };
    configure().map_err(|error| Refused::Failed(SetupError::from(error).detail(mount::kernel_log(fs))))?;
    Ok(mount::fsmount(fs, MountFlags::RELATIME.attributes())?)
}

fn classic_data(overlay: &Overlay, volatile: bool, upper: &str, work: &str, lower: &[String]) -> String {
    let mut data = format!("lowerdir={},upperdir={upper},workdir={work}", lower.join(":"));
    for (key, value) in OPTIONS {
        data += &format!(",{key}={value}");
    }
    for (name, wanted) in [("volatile", volatile), ("userxattr", overlay.user_xattr)] {
        if wanted {
            data += &format!(",{name}");
        }
    }
    data
}
