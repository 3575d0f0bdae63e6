//! Who sets owners that this process cannot, or must not, set as they are in the image.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use caisson_engine::Owner;
use caisson_layer::Errno;
use caisson_layer::unpack::{IdRange, Owners, Shift};
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

/// Ids of the image and where they are on the host.
#[napi(object)]
pub struct IdMaps {
    pub uids: Vec<IdMap>,
    pub gids: Vec<IdMap>,
    /// Path of `caisson-init`: an ordinary user needs a namespace. Without it owners are set by this process.
    pub helper: Option<String>,
}

struct Namespace(Owner);

impl Owners for Namespace {
    fn give(
        &self,
        file: BorrowedFd<'_>,
        owner: (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> Result<(), Errno> {
        let given = self.0.give(file, owner, mode, capability);
        given.map_err(|error| Errno::from_raw_os_error(error.errno()))
    }

    fn root_is_us(&self) -> bool {
        true
    }
}

/// Starts a namespace where one is needed.
pub fn open(maps: IdMaps) -> Result<Box<dyn Owners>, NativeError> {
    let Some(helper) = maps.helper else {
        let ranges = |maps: Vec<IdMap>| maps.into_iter().map(range).collect();
        return Ok(Box::new(Shift { uids: ranges(maps.uids), gids: ranges(maps.gids) }));
    };
    let mappings = |maps: Vec<IdMap>| maps.into_iter().map(mapping).collect();
    let namespace = UserNamespace { uid_mappings: mappings(maps.uids), gid_mappings: mappings(maps.gids) };
    let owner = Owner::start(PathBuf::from(helper), &namespace).map_err(NativeError::from)?;
    Ok(Box::new(Namespace(owner)))
}

fn range(IdMap { container_id: image, host_id: host, size }: IdMap) -> IdRange {
    IdRange { image, host, size }
}

fn mapping(IdMap { container_id, host_id, size }: IdMap) -> IdMapping {
    IdMapping { container_id, host_id, size }
}
