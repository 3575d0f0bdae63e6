//! Values of a configuration that are names of the kernel's constants.

use caisson_flags::Named;

use crate::issue::Issues;

/// The value with that name. A missing or unknown one is a problem at `path`.
pub(crate) fn check<T: Named>(path: &str, name: Option<&str>, issues: &mut Issues) -> Option<T> {
    let found = name.and_then(T::from_name);
    match name {
        None => issues.add(path, "is missing"),
        Some(name) if found.is_none() => issues.add(path, unknown::<T>(name)),
        Some(_) => {}
    }
    found
}

/// A set of flags. Each unknown one is a problem at its place in the list.
pub(crate) fn check_flags<T: Named + Default + std::ops::BitOr<Output = T>>(
    path: &str,
    names: Option<&[String]>,
    issues: &mut Issues,
) -> T {
    for (index, name) in names.unwrap_or_default().iter().enumerate() {
        if T::from_name(name).is_none() {
            issues.add(format!("{path}[{index}]"), unknown::<T>(name));
        }
    }
    flags(names)
}

/// The same without a word about unknown ones.
pub(crate) fn flags<T: Named + Default + std::ops::BitOr<Output = T>>(names: Option<&[String]>) -> T {
    let known = names.unwrap_or_default().iter().filter_map(|name| T::from_name(name));
    known.fold(T::default(), |all, flag| all | flag)
}

fn unknown<T: Named>(name: &str) -> String {
    format!("invalid value {name:?}: expected one of {}", T::names().join(", "))
}
