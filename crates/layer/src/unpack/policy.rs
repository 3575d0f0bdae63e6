//! What to do without the privilege that an image requires, and the list of what was done instead.

use crate::error::display;

/// The fallback without a privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    Error,
    Skip,
    /// Devices: an empty file of mode 0, as umoci creates. Owners: recorded in `user.rootlesscontainers`.
    Placeholder,
}

#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub devices: Fallback,
    pub owners: Fallback,
    pub xattrs: Fallback,
    /// Do not even try: files of an unprivileged user belong to that user.
    pub rootless: bool,
    /// A directory of a layer does not replace a link to a directory; its entries go to the link's target. Only for a
    /// tree of all layers.
    pub keep_dirlinks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub path: String,
    /// One of `device`, `owner`, `xattr`, `type`.
    pub what: &'static str,
    /// The details, and what was done instead.
    pub detail: String,
}

/// Limits the list only; the counts are exact.
const MAX_LISTED: usize = 1000;

#[derive(Debug, Default)]
pub struct Report {
    pub entries: u64,
    /// Bytes of files, holes included.
    pub bytes: u64,
    pub compressed: u64,
    pub diff_ids: Vec<String>,
    pub skipped: Vec<Skipped>,
    pub skipped_count: u64,
    /// Number of archive entries with a set-user-id or set-group-id bit.
    pub set_ids: u64,
    pub warnings: Vec<String>,
}

impl Report {
    pub(super) fn skip(&mut self, path: &[u8], what: &'static str, detail: impl Into<String>) {
        self.skipped_count += 1;
        if self.skipped.len() < MAX_LISTED {
            self.skipped.push(Skipped { path: display(path), what, detail: detail.into() });
        }
    }
}
