//! Sets owners that this process cannot set, or that must be mapped first, and reads files of those owners.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use caisson_engine::{Failure, Opening, Owner};
use caisson_layer::unpack::{IdRange, Owners, Shift};
use caisson_layer::view::{self, Rights};
use caisson_layer::{Errno, Error, Kind};
use caisson_plan::{IdMapping, UserNamespace};
use napi_derive::napi;

use crate::failure::NativeError;

/// One line of an id map, as in config.json.
#[napi(object)]
pub struct IdMap {
    pub container_id: u32,
    pub host_id: u32,
    pub size: u32,
}

/// Maps ids of the image to the host.
#[napi(object)]
pub struct IdMaps {
    pub uids: Vec<IdMap>,
    pub gids: Vec<IdMap>,
    /// Path of `caisson-init`: an unprivileged user needs a namespace. Without it this process sets owners.
    pub helper: Option<String>,
}

struct Namespace {
    owner: Owner,
    ids: Shift,
}

impl Owners for Namespace {
    fn give(
        &self,
        file: BorrowedFd<'_>,
        owner: (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> Result<(), Errno> {
        let given = self.owner.give(file, owner, mode, capability);
        given.map_err(|error| Errno::from_raw_os_error(error.errno()))
    }

    fn root_is_us(&self) -> bool {
        true
    }

    fn ids(&self) -> &Shift {
        &self.ids
    }
}

/// Starts a namespace if one is needed.
pub fn open(maps: IdMaps) -> Result<Box<dyn Owners>, NativeError> {
    let ranges = |maps: &[IdMap]| maps.iter().map(range).collect();
    let ids = Shift { uids: ranges(&maps.uids), gids: ranges(&maps.gids) };
    let Some(helper) = maps.helper else { return Ok(Box::new(ids)) };
    let mappings = |maps: Vec<IdMap>| maps.into_iter().map(mapping).collect();
    let namespace = UserNamespace { uid_mappings: mappings(maps.uids), gid_mappings: mappings(maps.gids) };
    let owner = Owner::start(PathBuf::from(helper), &namespace).map_err(NativeError::from)?;
    Ok(Box::new(Namespace { owner, ids }))
}

/// A namespace that is started at the first unreadable file: most trees have none.
#[derive(Debug)]
pub struct Reader {
    helper: PathBuf,
    namespace: UserNamespace,
    started: OnceLock<Result<Owner, Failure>>,
}

impl Reader {
    pub fn new(helper: PathBuf, namespace: UserNamespace) -> Self {
        Self { helper, namespace, started: OnceLock::new() }
    }

    /// `shown` is the unreadable path.
    fn owner(&self, shown: &[u8]) -> Result<&Owner, Error> {
        let start = || Owner::start(self.helper.clone(), &self.namespace);
        self.started.get_or_init(start).as_ref().map_err(|failure| {
            let shown = String::from_utf8_lossy(shown).into_owned();
            let kind = if failure.code == Kind::Namespace.code() { Kind::Namespace } else { Kind::System };
            let error = Error::new(kind, format!("{shown} belongs to another id: {}", failure.message));
            let error = error.on(shown);
            match &failure.hint {
                Some(hint) => error.hint(hint.clone()),
                None => error,
            }
        })
    }
}

fn refused(error: &caisson_sys::Error, shown: &[u8]) -> Error {
    Error::system(error.call(), shown, Errno::from_raw_os_error(error.errno()))
}

impl Rights for Reader {
    fn open(
        &self,
        directory: BorrowedFd<'_>,
        path: &[u8],
        opening: view::Opening,
        shown: &[u8],
    ) -> Result<OwnedFd, Error> {
        let opening = match opening {
            view::Opening::Handle => Opening::Handle,
            view::Opening::Directory => Opening::Directory,
            view::Opening::File => Opening::File,
        };
        let opened = self.owner(shown)?.open(directory, path, opening);
        opened.map_err(|error| refused(&error, shown))
    }

    fn attribute(&self, file: BorrowedFd<'_>, name: &[u8], shown: &[u8]) -> Result<Vec<u8>, Error> {
        let value = self.owner(shown)?.attribute(file, name);
        value.map_err(|error| refused(&error, shown))
    }
}

fn range(IdMap { container_id, host_id, size }: &IdMap) -> IdRange {
    IdRange { image: *container_id, host: *host_id, size: *size }
}

fn mapping(IdMap { container_id, host_id, size }: IdMap) -> IdMapping {
    IdMapping { container_id, host_id, size }
}
