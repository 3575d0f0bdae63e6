//! The shared libraries that a program needs and their paths on the host: run path, `/etc/ld.so.conf`, default
//! directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::HostFile;
use super::elf::{self, Elf};
use crate::blob::io_error;
use crate::{Error, Kind, Result};

pub struct Search {
    directories: Vec<PathBuf>,
}

const CONFIGURATION: &str = "/etc/ld.so.conf";
const DEFAULT: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
const MAX_INCLUDES: usize = 8;

impl Search {
    /// The search directories of the host's dynamic loader.
    pub fn of_host() -> Self {
        let mut directories = Vec::new();
        configured(Path::new(CONFIGURATION), MAX_INCLUDES, &mut directories);
        let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
        directories.extend(["/lib", "/usr/lib"].map(|folder| Path::new(folder).join(&multiarch)));
        directories.extend(DEFAULT.map(PathBuf::from));
        Self { directories }
    }

    /// The loader and every library that `program` needs, directly or indirectly. They are placed in the directory of
    /// the C library: the image has no loader cache, and its loader is certain to search that directory.
    pub fn closure(&self, program: &Path) -> Result<BTreeSet<HostFile>> {
        let root = load(program)?.ok_or_else(|| {
            Error::new(Kind::Unsupported, format!("{} is not an ELF program", program.display()))
                .on(program.to_string_lossy())
                .hint("scripts cannot be packed from the host; name their interpreter")
        })?;
        let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut pending = vec![(program.to_owned(), root)];
        let mut libraries = BTreeSet::new();
        let mut loader_name = None;
        while let Some((file, elf)) = pending.pop() {
            if let Some(interpreter) = &elf.interpreter {
                loader_name =
                    Path::new(interpreter).file_name().map(|name| name.to_string_lossy().into_owned());
                let place = interpreter.trim_start_matches('/').to_owned();
                libraries.insert(HostFile { place, file: PathBuf::from(interpreter) });
            }
            for name in &elf.needed {
                if found.contains_key(name) || loader_name.as_ref() == Some(name) {
                    continue;
                }
                let (path, library) = self.find(name, &file, &elf)?;
                found.insert(name.clone(), path.clone());
                pending.push((path, library));
            }
        }
        let of_libc =
            found.iter().find(|(name, _)| name.starts_with("libc.so")).and_then(|(_, path)| path.parent());
        for (name, file) in &found {
            let directory = of_libc.or(file.parent()).unwrap_or(Path::new("/lib"));
            let place = directory.join(name).to_string_lossy().trim_start_matches('/').to_owned();
            libraries.insert(HostFile { place, file: file.clone() });
        }
        Ok(libraries)
    }

    fn find(&self, name: &str, user: &Path, elf: &Elf) -> Result<(PathBuf, Elf)> {
        let origin = user.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let run_path =
            elf.run_path.iter().map(|part| part.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin));
        let candidates: Vec<PathBuf> = if name.contains('/') {
            vec![PathBuf::from(name)]
        } else {
            run_path
                .map(PathBuf::from)
                .chain(self.directories.iter().cloned())
                .map(|folder| folder.join(name))
                .collect()
        };
        for candidate in candidates {
            if !candidate.is_file() {
                continue;
            }
            if let Some(library) = load(&candidate)?.filter(|library| library.abi == elf.abi) {
                return Ok((candidate, library));
            }
        }
        Err(Error::new(
            Kind::NotFound,
            format!("{} needs the library {name}, which is not on this host", user.display()),
        ))
    }
}

fn load(path: &Path) -> Result<Option<Elf>> {
    let bytes = fs::read(path).map_err(|error| io_error("open", path, &error))?;
    elf::parse(&bytes).map_err(|error| error.on(path.to_string_lossy()))
}

/// Directories of a loader configuration, with `include` lines followed.
fn configured(file: &Path, depth: usize, directories: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return }; // without the file only the defaults apply
    for line in text.lines().map(|line| line.split('#').next().unwrap_or("").trim()) {
        match line.strip_prefix("include ") {
            Some(pattern) if depth > 0 => {
                for included in matching(Path::new(pattern.trim())) {
                    configured(&included, depth - 1, directories);
                }
            }
            None if line.starts_with('/') => directories.push(PathBuf::from(line)),
            _ => {}
        }
    }
}

/// Files that match a pattern with one `*` in its last component, the only form in use.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let folder = if folder.is_absolute() { folder.to_owned() } else { Path::new("/etc").join(folder) };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(before) && name.ends_with(after)
        })
        .collect();
    files.sort();
    files
}
