//! Archives that hold images, for JavaScript: listing, decompressing and writing them, and identifying a blob.

use std::path::{Path, PathBuf};

use caisson_code::Phase;
use caisson_layer::archive::{self, Body, ItemKind, Listing, Member};
use caisson_layer::blob::{self, Blob};
use caisson_layer::{Limits, Result};
use napi::bindgen_prelude::{Env, Object, Uint8Array};
use napi_derive::napi;

use crate::failure::NativeError;
use crate::layer::{self, LayerBlob, LayerJob, on_thread};

/// A file or link in an archive.
#[napi(object)]
pub struct ArchiveItem {
    pub path: String,
    /// `file`, `symlink` or `hardlink`.
    pub kind: String,
    /// For a file: offset of its content in the archive.
    pub offset: f64,
    pub size: f64,
    /// Target of a link.
    pub target: String,
}

#[napi(object)]
pub struct ArchiveListing {
    pub failure: Option<NativeError>,
    /// True for a compressed archive, which must be decompressed first: then it has no items.
    pub compressed: bool,
    pub items: Vec<ArchiveItem>,
}

/// The identity of a range of a file as a blob.
#[napi(object)]
pub struct BlobIdentity {
    pub failure: Option<NativeError>,
    pub digest: String,
    pub size: f64,
    pub diff_id: String,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
}

#[napi(object)]
pub struct BlobRange {
    pub path: String,
    pub offset: f64,
    pub size: f64,
}

/// A file of a new archive: content, or a blob as it is stored.
#[napi(object)]
pub struct ArchiveMember {
    pub path: String,
    pub content: Option<Uint8Array>,
    pub blob: Option<LayerBlob>,
}

#[napi]
impl LayerJob {
    /// Lists at most `max_entries` files and links of an archive.
    #[napi(ts_return_type = "Promise<ArchiveListing>", catch_unwind)]
    pub fn list_archive<'env>(
        &self,
        env: &'env Env,
        path: String,
        max_entries: f64,
    ) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        let limits = Limits { entries: max_entries as u64, ..self.limits };
        on_thread(env, move || listing(archive::list(Path::new(&path), &limits, &stop)))
    }

    /// Decompresses the file `from` to the file `to`. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn unpack_archive<'env>(
        &self,
        env: &'env Env,
        from: String,
        to: String,
    ) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let unpacked = archive::unpack(Path::new(&from), Path::new(&to), &limits, &stop);
            unpacked.err().map(NativeError::from)
        })
    }

    /// Writes an archive at `output`, the same bytes for the same members; `replace` allows an existing file. Resolves
    /// with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn write_archive<'env>(
        &self,
        env: &'env Env,
        members: Vec<ArchiveMember>,
        output: String,
        replace: bool,
    ) -> napi::Result<Object<'env>> {
        let stop = self.stop.clone();
        let members: Result<Vec<_>> = members.into_iter().map(member).collect(); // here: JavaScript buffers
        on_thread(env, move || {
            let written =
                members.and_then(|members| archive::write(members, Path::new(&output), replace, &stop));
            written.err().map(|error| NativeError::from(error).phase(Phase::Write))
        })
    }

    /// Writes a small file atomically; `replace` allows an existing one. Resolves with the failure, if any.
    #[napi(ts_return_type = "Promise<NativeError | null>", catch_unwind)]
    pub fn place_file<'env>(
        &self,
        env: &'env Env,
        path: String,
        content: Uint8Array,
        mode: u32,
        replace: bool,
    ) -> napi::Result<Object<'env>> {
        let content = content.to_vec(); // here, because it is a JavaScript buffer
        on_thread(env, move || {
            let placed = caisson_layer::place_file(Path::new(&path), &content, mode, replace);
            placed.err().map(|error| NativeError::from(error).phase(Phase::Write))
        })
    }

    /// Reads a blob to its end, and resolves with its digest, diffID and compression.
    #[napi(ts_return_type = "Promise<BlobIdentity>", catch_unwind)]
    pub fn identify<'env>(&self, env: &'env Env, range: BlobRange) -> napi::Result<Object<'env>> {
        let (stop, limits) = (self.stop.clone(), self.limits);
        on_thread(env, move || {
            let blob = Blob {
                offset: range.offset as u64,
                size: Some(range.size as u64),
                ..Blob::file(&PathBuf::from(range.path))
            };
            identity(blob::identify(&blob, &limits, &stop))
        })
    }
}

fn member(ArchiveMember { path, content, blob }: ArchiveMember) -> Result<Member> {
    let body = match blob {
        Some(blob) => Body::Blob(layer::blob(blob)?),
        None => Body::Bytes(content.map_or_else(Vec::new, |bytes| bytes.to_vec())),
    };
    Ok(Member { path, body })
}

fn listing(listing: Result<Listing>) -> ArchiveListing {
    let (failure, items) = match listing {
        Err(error) => (Some(error.into()), Vec::new()),
        Ok(Listing::Compressed(_)) => {
            return ArchiveListing { failure: None, compressed: true, items: Vec::new() };
        }
        Ok(Listing::Items(items)) => (None, items),
    };
    let items = items.into_iter().map(|archive::Item { path, kind }| match kind {
        ItemKind::File { offset, size } => ArchiveItem {
            path,
            kind: "file".to_owned(),
            offset: offset as f64,
            size: size as f64,
            target: String::new(),
        },
        ItemKind::Symlink(target) => link(path, "symlink", target),
        ItemKind::HardLink(target) => link(path, "hardlink", target),
    });
    ArchiveListing { failure, compressed: false, items: items.collect() }
}

fn link(path: String, kind: &str, target: String) -> ArchiveItem {
    ArchiveItem { path, kind: kind.to_owned(), offset: 0.0, size: 0.0, target }
}

fn identity(seen: Result<blob::Seen>) -> BlobIdentity {
    match seen {
        Ok(seen) => BlobIdentity {
            failure: None,
            digest: seen.digest,
            size: seen.compressed as f64,
            diff_id: seen.diff_id,
            compression: seen.compression.word().to_owned(),
        },
        Err(error) => BlobIdentity {
            failure: Some(error.into()),
            digest: String::new(),
            size: 0.0,
            diff_id: String::new(),
            compression: String::new(),
        },
    }
}
