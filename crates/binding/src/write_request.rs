//! JavaScript requests to write layers, converted to the types of the crate.

use std::path::PathBuf;
use std::sync::Arc;

use caisson_layer::blob::Blob;
use caisson_layer::compress::Settings;
use caisson_layer::tar::{Entry, EntryKind, Time};
use caisson_layer::view::{Comparison, IdMap, Owners, Rights, Scan};
use caisson_layer::write::{Base, Content, Request, Step};
use caisson_layer::{Error, Kind, Limits};
use caisson_plan::{IdMapping, UserNamespace};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::layer::{LayerBlob, blob, compression};
use crate::owners::Reader;

#[napi(object)]
pub struct IdRange {
    pub container: u32,
    pub host: u32,
    pub size: u32,
}

#[napi(object)]
pub struct LayerXattr {
    pub name: String,
    pub value: Uint8Array,
}

/// One of them.
#[napi(object)]
pub struct LayerBase {
    pub layers: Option<Vec<LayerBlob>>,
    /// The layers were unpacked with this option.
    pub keep_dirlinks: Option<bool>,
    pub manifest: Option<String>,
    pub directory: Option<String>,
}

/// How to read a tree of the host.
#[napi(object)]
pub struct TreeOptions {
    pub exclude: Option<Vec<String>>,
    pub mask: Option<Vec<String>>,
    pub uid_map: Option<Vec<IdRange>>,
    pub gid_map: Option<Vec<IdRange>>,
    pub rootless: Option<bool>,
    /// Path of `caisson-init`: files that an unprivileged user cannot read are read in a user namespace with these
    /// maps.
    pub helper: Option<String>,
}

#[napi(object)]
pub struct LayerStep {
    /// `file`, `directory`, `symlink`, `hardlink`, `char`, `block`, `fifo`, `tree`, `upper`, `remove`, `opaque` or
    /// `difference`.
    pub kind: String,
    /// Path in the image.
    pub path: String,
    /// Path on the host.
    pub source: Option<String>,
    pub content: Option<Uint8Array>,
    /// Target of a link.
    pub target: Option<String>,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Seconds since the epoch.
    pub mtime: Option<f64>,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub xattrs: Option<Vec<LayerXattr>>,
    pub tree: Option<TreeOptions>,
    pub base: Option<LayerBase>,
}

/// The destination of a blob and its compression.
#[napi(object)]
pub struct LayerOutput {
    pub path: String,
    /// `gzip`, `zstd` or `none`.
    pub compression: String,
    pub level: Option<u32>,
    pub threads: Option<u32>,
}

#[napi(object)]
pub struct WriteLayerRequest {
    pub steps: Vec<LayerStep>,
    pub output: LayerOutput,
    /// Seconds since the epoch; times are clamped to it.
    pub epoch: Option<f64>,
    pub parents: bool,
}

fn refused(message: String) -> Error {
    Error::new(Kind::Option, message)
}

pub fn settings(output: &LayerOutput) -> Result<Settings, Error> {
    Ok(Settings {
        compression: compression(&output.compression)?,
        level: output.level,
        threads: output.threads.map_or(0, |threads| threads as usize),
    })
}

pub fn blobs(layers: Vec<LayerBlob>) -> Result<Vec<Blob>, Error> {
    layers.into_iter().map(blob).collect()
}

pub fn base(base: LayerBase) -> Result<Base, Error> {
    match base {
        LayerBase { layers: Some(layers), keep_dirlinks, .. } => {
            let keep_dirlinks = keep_dirlinks.unwrap_or(false);
            blobs(layers).map(|layers| Base::Layers { layers, keep_dirlinks })
        }
        LayerBase { manifest: Some(path), .. } => Ok(Base::Manifest(PathBuf::from(path))),
        LayerBase { directory: Some(path), .. } => Ok(Base::Directory(PathBuf::from(path))),
        _ => Err(refused("a difference needs something to begin with".to_owned())),
    }
}

/// Paths in the form of a view: without leading or trailing slashes.
fn plain(paths: Option<Vec<String>>) -> Vec<Vec<u8>> {
    let parts = |path: String| {
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        parts.join("/").into_bytes()
    };
    paths.unwrap_or_default().into_iter().map(parts).collect()
}

/// How to read a tree, and what to compare.
pub fn tree(
    options: Option<TreeOptions>,
    owner: (Option<u32>, Option<u32>),
    limits: Limits,
) -> (Scan, Comparison) {
    let ranges = |ranges: Option<Vec<IdRange>>| {
        let range = |range: IdRange| IdMap { container: range.container, host: range.host, size: range.size };
        ranges.unwrap_or_default().into_iter().map(range).collect()
    };
    let options = options.unwrap_or(TreeOptions {
        exclude: None,
        mask: None,
        uid_map: None,
        gid_map: None,
        rootless: None,
        helper: None,
    });
    let rights = options.helper.as_ref().map(|helper| {
        let mapping = |range: &IdRange| IdMapping {
            container_id: range.container,
            host_id: range.host,
            size: range.size,
        };
        let mappings =
            |ranges: &Option<Vec<IdRange>>| ranges.iter().flatten().map(mapping).collect::<Vec<_>>();
        let namespace = UserNamespace {
            uid_mappings: mappings(&options.uid_map),
            gid_mappings: mappings(&options.gid_map),
        };
        Arc::new(Reader::new(PathBuf::from(helper), namespace)) as Arc<dyn Rights>
    });
    let rootless = options.rootless.unwrap_or(false);
    let scan = Scan {
        owners: Owners {
            uid: owner.0,
            gid: owner.1,
            uid_map: ranges(options.uid_map),
            gid_map: ranges(options.gid_map),
            rootless,
        },
        exclude: plain(options.exclude),
        overlay: false,
        limits,
        rights,
    };
    (scan, Comparison { mask: plain(options.mask), rootless, on_disk: false })
}

impl LayerStep {
    fn source(&mut self) -> Result<PathBuf, Error> {
        let source = self.source.take().map(PathBuf::from);
        source.ok_or_else(|| refused(format!("the step {:?} needs a source", self.kind)))
    }

    fn entry(&mut self, kind: EntryKind, mode: u32) -> Result<Step, Error> {
        let xattrs = self.xattrs.take().unwrap_or_default().into_iter();
        let mut entry = Entry {
            path: self.path.as_bytes().to_vec(),
            kind,
            mode: self.mode.unwrap_or(mode) & 0o7777,
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
            mtime: Time { seconds: self.mtime.unwrap_or(0.0) as i64, nanoseconds: 0 },
            stored: 0,
            size: 0,
            map: None,
            xattrs: xattrs.map(|xattr| (xattr.name.into_bytes(), xattr.value.to_vec())).collect(),
        };
        entry.xattrs.sort();
        let content = match (self.content.take(), self.source.take()) {
            (Some(bytes), _) => Content::Bytes(bytes.to_vec()),
            (None, Some(path)) => Content::File(PathBuf::from(path)),
            (None, None) => Content::None,
        };
        Ok(Step::Entry { entry, content })
    }

    fn into_step(mut self, limits: Limits) -> Result<Step, Error> {
        let path = self.path.as_bytes().to_vec();
        let device = (self.major.unwrap_or(0), self.minor.unwrap_or(0));
        let target = |step: &mut Self| step.target.take().unwrap_or_default().into_bytes();
        let owner = (self.uid, self.gid);
        match self.kind.as_str() {
            "file" => self.entry(EntryKind::File, 0o644),
            "directory" => self.entry(EntryKind::Directory, 0o755),
            "symlink" => {
                let target = target(&mut self);
                self.entry(EntryKind::Symlink(target), 0o777)
            }
            "hardlink" => {
                let target = target(&mut self);
                self.entry(EntryKind::HardLink(target), 0o644)
            }
            "char" => self.entry(EntryKind::CharDevice(device.0, device.1), 0o600),
            "block" => self.entry(EntryKind::BlockDevice(device.0, device.1), 0o600),
            "fifo" => self.entry(EntryKind::Fifo, 0o644),
            "tree" => {
                let (scan, _) = tree(self.tree.take(), owner, limits);
                Ok(Step::Tree { source: self.source()?, at: path, scan })
            }
            "upper" => {
                let (scan, _) = tree(self.tree.take(), owner, limits);
                let below = self.base.take().and_then(|base| base.layers).map_or(Ok(Vec::new()), blobs)?;
                Ok(Step::Upper { source: self.source()?, below, scan })
            }
            "difference" => {
                let (scan, comparison) = tree(self.tree.take(), owner, limits);
                let from = self.base.take().ok_or_else(|| refused("a difference needs a base".to_owned()))?;
                Ok(Step::Difference { source: self.source()?, base: base(from)?, scan, comparison })
            }
            "remove" => Ok(Step::Remove { path }),
            "opaque" => Ok(Step::Opaque { path }),
            other => Err(refused(format!("the step {other:?} is unknown"))),
        }
    }
}

/// Converts a request to write a layer; `limits` apply to what is read.
pub fn layer_request(request: WriteLayerRequest, limits: Limits) -> Result<Request, Error> {
    Ok(Request {
        settings: settings(&request.output)?,
        output: PathBuf::from(request.output.path),
        epoch: request.epoch.map(|seconds| seconds as i64),
        limits,
        parents: request.parents,
        steps: request.steps.into_iter().map(|step| step.into_step(limits)).collect::<Result<_, _>>()?,
    })
}
