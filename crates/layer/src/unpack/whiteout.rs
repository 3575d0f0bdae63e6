//! Whiteouts: `.wh.NAME` hides NAME of lower layers, `.wh..wh..opq` hides everything of lower layers in its directory.
//! Neither affects entries of the same layer, whatever their order in the archive.

use super::tree::Tree;
use crate::error::display;
use crate::{Error, Kind, Result};

const PREFIX: &[u8] = b".wh.";

#[derive(Debug, PartialEq, Eq)]
pub enum Marker<'n> {
    None,
    Opaque,
    Hide(&'n [u8]),
    /// Bookkeeping of AUFS, meaningless to other readers.
    Ignore,
}

pub fn marker<'n>(path: &[&'n [u8]], shown: &[u8]) -> Result<Marker<'n>> {
    let Some((name, parents)) = path.split_last() else { return Ok(Marker::None) };
    if parents.iter().any(|part| part.starts_with(b".wh..wh.")) {
        return Ok(Marker::Ignore);
    }
    let refused =
        |what: &str| Err(Error::new(Kind::Unsafe, format!("{}: {what}", display(shown))).on(display(shown)));
    if parents.iter().any(|part| part.starts_with(PREFIX)) {
        return refused("a directory must not have the name of a whiteout");
    }
    match name.strip_prefix(PREFIX) {
        None => Ok(Marker::None),
        Some(b".wh..opq") => Ok(Marker::Opaque),
        Some(hidden) if hidden.starts_with(PREFIX) => Ok(Marker::Ignore),
        // SECURITY: `.wh..` and `.wh...` would hide the directory itself and its parent.
        Some(b"" | b"." | b"..") => refused("a whiteout must name an entry"),
        Some(hidden) => Ok(Marker::Hide(hidden)),
    }
}

pub fn apply(tree: &mut Tree<'_>, parents: &[&[u8]], marker: &Marker<'_>) -> Result<()> {
    if !tree.has_lower() {
        return Ok(());
    }
    let Some(directory) = tree.find(parents)? else { return Ok(()) };
    match marker {
        Marker::Hide(name) if tree.is_first(&directory, name) => tree.hide(&directory, name).map(drop),
        Marker::Opaque if tree.is_first(&directory, b"") => {
            tree.hide_children(&directory, &parents.join(&b'/')).map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<Marker<'_>> {
        let parts: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
        marker(&parts, path.as_bytes())
    }

    #[test]
    fn markers_are_told_apart() {
        assert_eq!(of("a/b").unwrap(), Marker::None);
        assert_eq!(of("a/.wh.b").unwrap(), Marker::Hide(b"b"));
        assert_eq!(of("a/.wh..wh..opq").unwrap(), Marker::Opaque);
        assert_eq!(of(".wh..wh.plnk").unwrap(), Marker::Ignore);
        assert_eq!(of(".wh..wh.plnk/1.2").unwrap(), Marker::Ignore);
        assert_eq!(of("a/.wh..b").unwrap(), Marker::Hide(b".b"));
    }

    #[test]
    fn whiteouts_of_dots_and_of_nothing_are_refused() {
        for bad in [".wh.", ".wh..", ".wh...", "a/.wh..", "a/.wh.b/c"] {
            assert_eq!(of(bad).unwrap_err().kind, Kind::Unsafe, "{bad}");
        }
    }
}
