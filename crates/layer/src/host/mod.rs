//! Programs of the host with what they need to run elsewhere, as packed by `Image.fromHost`. No external program is
//! used: libraries are found by reading ELF headers, as the dynamic loader would.

mod elf;
mod libraries;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Error, Kind, Result};

/// A file of the host and its path in the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostFile {
    /// Path in the image, without a leading slash.
    pub place: String,
    pub file: PathBuf,
}

/// The files of `programs` (names looked up in `search`, or absolute paths) with all libraries, sorted by `place`.
pub fn files(programs: &[String], search: &[PathBuf]) -> Result<BTreeSet<HostFile>> {
    let loader = libraries::Search::of_host();
    let mut files = BTreeSet::new();
    for program in programs {
        let file = find_program(program, search)?;
        files.extend(loader.closure(&file)?);
        let name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
        files.insert(HostFile { place: format!("usr/bin/{}", name.unwrap_or_default()), file });
    }
    Ok(files)
}

fn find_program(program: &str, search: &[PathBuf]) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match Path::new(program) {
        path if path.is_absolute() => vec![path.to_owned()],
        _ if program.is_empty() || program.contains('/') => {
            return Err(Error::new(
                Kind::Option,
                format!("program {program:?} must be a name or an absolute path"),
            ));
        }
        path => search.iter().map(|directory| directory.join(path)).collect(),
    };
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let places: Vec<_> = search.iter().map(|path| path.display().to_string()).collect();
        Error::new(
            Kind::NotFound,
            format!("program {program:?} is not on this host (looked in {})", places.join(", ")),
        )
    })
}
