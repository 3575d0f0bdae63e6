//! Owners of id-mapped mounts: `uidMappings` and `gidMappings` of a mount, and crun's way to write them in an option,
//! `idmap=uids=0-1-10#10-11-10;gids=@0-100-10`.

use crate::config::Config;
use crate::document;
use crate::mount_options::{Decoded, MappingOption};
use crate::{IdMap, IdMapping, UserNamespace};

/// How the owners of a mount are mapped; `None` where they are not.
///
/// # Errors What is wrong, and at which property of the mount: `options`, `uidMappings`, or the mount itself.
pub(crate) fn of(
    mount: &document::Mount,
    decoded: &Decoded,
    config: &Config,
) -> Result<Option<IdMap>, (&'static str, String)> {
    let (uids, gids) = (mount.uid_mappings.as_deref(), mount.gid_mappings.as_deref());
    let own = UserNamespace {
        uid_mappings: uids.unwrap_or_default().iter().map(IdMapping::from).collect(),
        gid_mappings: gids.unwrap_or_default().iter().map(IdMapping::from).collect(),
    };
    if own.uid_mappings.is_empty() != own.gid_mappings.is_empty() {
        return Err(("", "uidMappings and gidMappings belong together".to_owned()));
    }
    let has_own = !own.uid_mappings.is_empty();
    let option = decoded.id_map.as_ref();
    let recursive = option.is_some_and(|option| option.recursive);
    let written = option.and_then(|option| option.mappings.as_deref());
    let mappings = match written {
        // COMPAT(crun): the properties count where there are both.
        Some(text) if !has_own => Some(parse(text, config).map_err(|problem| ("options", problem))?),
        _ => has_own.then_some(own),
    };
    if option.is_none() && mappings.is_none() {
        return Ok(None);
    }
    if decoded.bind.is_none() {
        return Err(("options", "id-mapped mounts are only supported for bind-mounts".to_owned())); // COMPAT(runc)
    }
    if mappings.is_none() && config.namespace(crate::NamespaceKind::User).is_none() {
        let problem = "an id-mapped mount needs mappings: its own, or those of a \"user\" namespace";
        return Err(("", problem.to_owned()));
    }
    Ok(Some(IdMap { mappings, recursive }))
}

/// COMPAT(crun): `uids=FILE-HOST-SIZE#…;gids=…`, where `@` counts the host's id within the container's own mappings.
fn parse(text: &str, config: &Config) -> Result<UserNamespace, String> {
    let mut found = UserNamespace { uid_mappings: vec![], gid_mappings: vec![] };
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (list, ranges, container) = match part.split_once('=') {
            Some(("uids", ranges)) => (&mut found.uid_mappings, ranges, &config.linux.uid_mappings),
            Some(("gids", ranges)) => (&mut found.gid_mappings, ranges, &config.linux.gid_mappings),
            _ => return Err(format!("invalid id mapping {part:?}: expected uids=… or gids=…")),
        };
        for range in ranges.split('#').filter(|range| !range.is_empty()) {
            list.push(parse_range(range, container.as_deref().unwrap_or_default())?);
        }
    }
    if found.uid_mappings.is_empty() || found.gid_mappings.is_empty() {
        return Err(format!("invalid id mapping {text:?}: expected both uids= and gids="));
    }
    Ok(found)
}

fn parse_range(text: &str, container: &[document::IdMapping]) -> Result<IdMapping, String> {
    let invalid = || format!("invalid id mapping {text:?}: expected FILE-HOST-SIZE, three numbers");
    let (relative, numbers) = match text.strip_prefix('@') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let numbers =
        numbers.split('-').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| invalid())?;
    let &[container_id, host_id, size] = numbers.as_slice() else { return Err(invalid()) };
    if !relative {
        return Ok(IdMapping { container_id, host_id, size });
    }
    let found = container.iter().find_map(|map| {
        let offset = host_id.checked_sub(map.container_id).filter(|offset| *offset < map.size)?;
        map.host_id.checked_add(offset)
    });
    let missing = || format!("invalid id mapping {text:?}: id {host_id} is not mapped in the container");
    Ok(IdMapping { container_id, host_id: found.ok_or_else(missing)?, size })
}

impl From<&document::IdMapping> for IdMapping {
    fn from(map: &document::IdMapping) -> Self {
        Self { container_id: map.container_id, host_id: map.host_id, size: map.size }
    }
}

impl MappingOption {
    /// `idmap`, `ridmap`, or one of them with `=` and mappings.
    pub(crate) fn parse(option: &str) -> Option<Self> {
        let (name, mappings) = match option.split_once('=') {
            Some((name, mappings)) => (name, Some(mappings.to_owned()).filter(|text| !text.is_empty())),
            None => (option, None),
        };
        match name {
            "idmap" => Some(Self { recursive: false, mappings }),
            "ridmap" => Some(Self { recursive: true, mappings }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let text = r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "process": {"cwd": "/", "args": ["a"]}, "linux":
            {"namespaces": [{"type": "user"}, {"type": "mount"}],
             "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}, {"containerID": 10, "hostID": 5, "size": 1}],
             "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 10}]}}"#;
        Config::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn mappings_of_an_option_are_crun_s() {
        let found = parse("uids=0-1-10#@10-10-1;gids=@0-3-10", &config()).unwrap();
        let map = |container_id, host_id, size| IdMapping { container_id, host_id, size };
        assert_eq!(found.uid_mappings, [map(0, 1, 10), map(10, 5, 1)]);
        assert_eq!(found.gid_mappings, [map(0, 200_003, 10)]);
    }

    #[test]
    fn what_is_not_a_mapping_is_refused() {
        for text in [
            "uids=0-1-10",
            "uids=0-1;gids=0-1-1",
            "0-1-1",
            "uids=a-1-1;gids=0-0-1",
            "uids=@11-11-1;gids=0-0-1",
        ] {
            let problem = parse(text, &config()).unwrap_err();
            assert!(problem.starts_with("invalid id mapping"), "{text}: {problem}");
        }
    }
}
