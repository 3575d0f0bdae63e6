//! The whiteouts of a layer that is unpacked by itself, without duplicates, in archive order.

use std::collections::HashMap;

use super::whiteout::Marker;

/// A whiteout, by its path in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub parents: Vec<Vec<u8>>,
    /// The hidden name; `None` hides everything in the directory.
    pub name: Option<Vec<u8>>,
}

impl Claim {
    pub fn of(parents: &[&[u8]], marker: &Marker<'_>) -> Option<Self> {
        let name = match marker {
            Marker::Hide(name) => Some(name.to_vec()),
            Marker::Opaque => None,
            Marker::None | Marker::Ignore => return None,
        };
        Some(Self { parents: parents.iter().map(|part| part.to_vec()).collect(), name })
    }

    /// Hides the entry at a path; `None` for the root.
    pub fn of_path(path: &[&[u8]]) -> Option<Self> {
        path.split_last().and_then(|(name, parents)| Self::of(parents, &Marker::Hide(name)))
    }
}

/// SECURITY: an archive may repeat a whiteout in every entry, and each is compared with every path. So duplicates are
/// dropped, and a path is looked up by its components.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    all: Vec<Claim>,
    /// Index in `all`, by [`key`].
    places: HashMap<Vec<u8>, usize>,
}

impl Claims {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn add(&mut self, claim: Option<Claim>) {
        let Some(claim) = claim else { return };
        let key = key(&claim.parents.join(&b'/'), claim.name.as_deref());
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.places.entry(key) {
            vacant.insert(self.all.len());
            self.all.push(claim);
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Claim> {
        self.all.iter()
    }

    /// Whether one of the first `count` whiteouts hides `path` or a parent of it.
    pub fn hides(&self, path: &[Vec<u8>], count: usize) -> bool {
        let is_early = |key: &[u8]| self.places.get(key).is_some_and(|place| *place < count);
        let mut parents = Vec::new();
        path.iter().enumerate().any(|(index, name)| {
            let hidden = is_early(&key(&parents, None)) || is_early(&key(&parents, Some(name)));
            if index > 0 {
                parents.push(b'/');
            }
            parents.extend_from_slice(name);
            hidden
        })
    }
}

/// Names do not contain NUL.
fn key(parents: &[u8], name: Option<&[u8]>) -> Vec<u8> {
    match name {
        Some(name) => [parents, b"\0", name].concat(),
        None => parents.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<Vec<u8>> {
        text.split('/').map(|part| part.as_bytes().to_vec()).collect()
    }

    #[test]
    fn repeated_claims_are_kept_once_and_in_their_order() {
        let mut claims = Claims::default();
        for marker in [Marker::Opaque, Marker::Hide(b"b"), Marker::Opaque, Marker::Hide(b"b"), Marker::Ignore]
        {
            claims.add(Claim::of(&[b"a"], &marker));
        }
        claims.add(Claim::of_path(&[b"x", b"y"]));
        assert_eq!(claims.len(), 3);
        for (hidden, count, of) in [
            (true, 1, "a/b"),
            (true, 1, "a/b/c"),
            (false, 0, "a/b"),
            (false, 3, "a"),
            (false, 2, "x/y"),
            (true, 3, "x/y"),
            (true, 3, "x/y/z"),
            (false, 3, "x"),
            (false, 3, "x/yy"),
        ] {
            assert_eq!(claims.hides(&path(of), count), hidden, "{of} of the first {count}");
        }
    }
}
