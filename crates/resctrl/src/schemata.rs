//! Lines of a `schemata` file: `L3:0=7ff;1=7ff`, `MB:0=100;1=100`.

use std::collections::BTreeMap;

/// Values by cache id.
type Values<'a> = BTreeMap<u64, &'a str>;

fn parse(line: &str) -> Option<(&str, Values<'_>)> {
    let (resource, values) = line.trim().split_once(':')?;
    let value = |part: &'_ str| -> Option<(u64, String)> {
        let (id, value) = part.split_once('=')?;
        Some((id.trim().parse().ok()?, value.trim().to_owned()))
    };
    values.split(';').filter(|part| !part.trim().is_empty()).try_for_each(|part| value(part).map(drop))?;
    let pairs = values.split(';').filter_map(|part| part.split_once('='));
    let pairs = pairs.filter_map(|(id, value)| Some((id.trim().parse().ok()?, value.trim())));
    Some((resource.trim(), pairs.collect()))
}

/// Whether the file has every value of the line. The kernel pads masks with zeros, and orders caches as it likes.
pub fn contains(file: &str, line: &str) -> bool {
    let Some((resource, wanted)) = parse(line) else { return false };
    let found = file.lines().filter_map(parse).find(|(name, _)| *name == resource);
    found.is_some_and(|(_, found)| {
        wanted.iter().all(|(id, value)| found.get(id).is_some_and(|found| same(resource, found, value)))
    })
}

/// Bandwidth is decimal, everything else is a mask.
fn same(resource: &str, one: &str, other: &str) -> bool {
    let radix = if resource == "MB" { 10 } else { 16 };
    match (u64::from_str_radix(one, radix), u64::from_str_radix(other, radix)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    const FILE: &str = "    MB:0=100;1= 70\n    L3:0=007f0;1=0001f\nL2:0=ff\n";

    #[test]
    fn values_are_compared_not_texts() {
        for line in ["L3:0=7f0;1=1f", "L3:1=1f;0=7F0", "L3:1=01f", "MB:0=100;1=70", "MB:1=70;"] {
            assert!(contains(FILE, line), "{line}");
        }
        for line in ["L3:0=7f1;1=1f", "L3:2=1f", "MB:0=64", "MB:0=0100x", "L4:0=1", "L3", "L3:0", "L3:a=1"] {
            assert!(!contains(FILE, line), "{line}");
        }
    }
}
