//! Directories that were moved while a layer was settled. Recorded paths follow at the end, in one pass: an image may
//! have as many moves as paths.

use std::collections::HashMap;

#[derive(Default)]
pub struct Moves(HashMap<Vec<u8>, Vec<u8>>);

impl Moves {
    /// The entries of `from` are now in `to`. A directory is moved once: its name is a link from then on.
    pub fn add(&mut self, from: Vec<u8>, to: Vec<u8>) {
        self.0.insert(from, to);
    }

    /// The path after all moves of directories above it.
    pub fn follow(&self, path: &mut Vec<u8>) {
        for _ in 0..self.0.len() {
            let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
            let moved = above.filter_map(|end| self.0.get(&path[..end]).map(|to| (end, to))).next();
            let Some((end, to)) = moved else { return };
            *path = [to.as_slice(), &path[end..]].concat();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_follows_moves_one_after_the_other() {
        let mut moves = Moves::default();
        for (from, to) in [("a", "x/y"), ("x/y/b", "c"), ("c", "d")] {
            moves.add(from.into(), to.into());
        }
        for (path, expected) in [("a/b/f", "d/f"), ("a", "a"), ("ab/f", "ab/f"), ("a/f", "x/y/f")] {
            let mut path = path.as_bytes().to_vec();
            moves.follow(&mut path);
            assert_eq!(String::from_utf8(path).unwrap(), expected);
        }
    }
}
