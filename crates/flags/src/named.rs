//! Constants of the kernel by their names in config.json.

/// A type whose values have names.
pub trait Named: Copy + Sized + 'static {
    /// Every value with its name, in the kernel's order.
    const NAMES: &[(Self, &str)];

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(value, _)| *value)
    }

    fn names() -> Vec<&'static str> {
        Self::NAMES.iter().map(|(_, name)| *name).collect()
    }
}
