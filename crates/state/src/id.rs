//! Container ids.

use crate::error::{Error, Kind, Result};

/// Bundles below a state root, each created for one container. Reserved, so never an id.
pub const BUNDLES: &str = ".bundles";

/// SECURITY: the id becomes a file name. COMPAT(runc): the same alphabet and wording.
pub fn check_id(id: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    let reserved = matches!(id, "." | ".." | BUNDLES);
    if !id.is_empty() && id.len() <= 255 && !reserved && id.chars().all(allowed) {
        return Ok(());
    }
    let shown: String = id.chars().take(64).collect();
    Err(Error::new(Kind::InvalidId, format!("invalid container ID format: {shown:?}"))
        .hint("expected 1 to 255 letters, digits and _ + - ."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leaves_the_state_root() {
        for id in ["a", "web-1", "A_b+c.d", "..."] {
            check_id(id).unwrap();
        }
        for id in ["", ".", "..", BUNDLES, "a/b", "../x", "a b", "ä", "a\0", &"x".repeat(256)] {
            assert_eq!(check_id(id).unwrap_err().kind, Kind::InvalidId, "{id:?}");
        }
    }
}
