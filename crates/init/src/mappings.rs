//! The id mappings of the user namespace that this process is in.

use caisson_code::Code;
use caisson_plan::UserNamespace;

use crate::failure::{Result, SetupError};
use crate::procfs::Procfs;

/// First id inside, first id outside, number of ids.
type Mapping = (u32, u32, u32);

/// The mappings are these, in any order.
pub fn verify(expected: &UserNamespace) -> Result<()> {
    let procfs = Procfs::of_the_host()?;
    let lists = [("uid", &expected.uid_mappings), ("gid", &expected.gid_mappings)];
    for (name, wanted) in lists {
        let mut found = read(&procfs, &format!("{name}_map"))?;
        let mut wanted: Vec<_> = wanted.iter().map(|m| (m.container_id, m.host_id, m.size)).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        if found != wanted {
            let reason =
                format!("linux.{name}Mappings: the joined user namespace has other mappings: {found:?}");
            return Err(SetupError::refused(Code::InvalidSpec, reason));
        }
    }
    Ok(())
}

/// The id outside; `None`: it is not mapped. `file` is `uid_map` or `gid_map`.
pub fn outside(procfs: &Procfs, file: &str, id: u32) -> Result<Option<u32>> {
    let found = read(procfs, file)?.into_iter().find_map(|(inside, outside, size)| {
        let offset = id.checked_sub(inside).filter(|offset| *offset < size)?;
        outside.checked_add(offset)
    });
    Ok(found)
}

fn read(procfs: &Procfs, file: &str) -> Result<Vec<Mapping>> {
    Ok(procfs.read(&format!("self/{file}"), 1 << 20)?.lines().filter_map(parse).collect())
}

/// `0 1000 1`, a line of `/proc/self/uid_map`.
fn parse(line: &str) -> Option<Mapping> {
    let mut numbers = line.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
}
