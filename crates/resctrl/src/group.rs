//! The directory of a container: which it is, what is made and written, and what is removed with the container.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::mount::Mount;
use crate::schemata;

/// What `linux.intelRdt` asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Of the container.
    pub id: &'a str,
    /// `/` is the default class.
    pub clos_id: Option<&'a str>,
    pub l3_cache_schema: Option<&'a str>,
    pub mem_bw_schema: Option<&'a str>,
    pub schemata: &'a [String],
    pub monitoring: bool,
}

/// One step, in the runtime's own process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Operation {
    /// mkdir(2), which makes a group; EEXIST is an error.
    MakeGroup { directory: PathBuf },
    /// One write(2) of all lines; the file is the kernel's.
    WriteSchemata { file: PathBuf, lines: Vec<String> },
}

/// Everything about one container, decided; nothing is made yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    #[serde(skip)]
    root: PathBuf,
    pub operations: Vec<Operation>,
    /// The container's process writes itself into these, in this order.
    pub tasks: Vec<PathBuf>,
    /// Directories that end with the container, in this order.
    pub removed: Vec<PathBuf>,
}

/// Directories that the kernel makes.
const RESERVED: [&str; 3] = ["info", "mon_data", "mon_groups"];

impl Mount {
    /// Reads, and changes nothing.
    pub fn place(&self, request: &Request<'_>) -> Result<Placement> {
        self.check_resources(request)?;
        let given = request.clos_id.filter(|id| !id.is_empty());
        let group = match given {
            Some("/") => self.root.clone(),
            Some(name) => self.root.join(name),
            None if RESERVED.contains(&request.id) => {
                let message =
                    format!("invalid group {:?}: expected closID, as the name is reserved", request.id);
                return Err(Error::invalid("linux.intelRdt", message));
            }
            None => self.root.join(request.id),
        };
        let exists = group.is_dir();
        let own = [request.l3_cache_schema, request.mem_bw_schema];
        let schemata = own.into_iter().flatten().chain(request.schemata.iter().map(String::as_str));
        let lines: Vec<_> = schemata.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let mut placement = Placement {
            root: self.root.clone(),
            operations: Vec::new(),
            tasks: vec![group.join("tasks")],
            removed: Vec::new(),
        };
        match (given, exists) {
            // COMPAT(runc): its sentence.
            (Some(_), false) if lines.is_empty() => {
                let message = "clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty)";
                return Err(Error::invalid("linux.intelRdt.closID", message));
            }
            (Some(_), true) => self.compare(&group, request)?,
            (None, true) => {}
            (_, false) => placement.operations.push(Operation::MakeGroup { directory: group.clone() }),
        }
        if !lines.is_empty() {
            placement.operations.push(Operation::WriteSchemata { file: group.join("schemata"), lines });
        }
        if request.monitoring {
            let directory = group.join("mon_groups").join(request.id);
            placement.tasks.push(directory.join("tasks"));
            placement.removed.push(directory.clone());
            placement.operations.push(Operation::MakeGroup { directory });
        }
        if given.is_none() && !exists {
            placement.removed.push(group);
        }
        Ok(placement)
    }

    /// COMPAT(runc): its sentences.
    fn check_resources(&self, request: &Request<'_>) -> Result<()> {
        for (property, schema, resource, message) in [
            (
                "linux.intelRdt.l3CacheSchema",
                request.l3_cache_schema,
                "L3",
                "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled",
            ),
            (
                "linux.intelRdt.memBwSchema",
                request.mem_bw_schema,
                "MB",
                "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled",
            ),
        ] {
            if schema.is_some_and(|schema| !schema.is_empty()) && !self.controls(resource) {
                return Err(Error::invalid(property, message));
            }
        }
        Ok(())
    }

    /// A class that others use as well is not changed: it must have these values.
    fn compare(&self, group: &Path, request: &Request<'_>) -> Result<()> {
        let file = group.join("schemata");
        for (property, schema) in [
            ("linux.intelRdt.l3CacheSchema", request.l3_cache_schema),
            ("linux.intelRdt.memBwSchema", request.mem_bw_schema),
        ] {
            let Some(schema) = schema.filter(|schema| !schema.is_empty()) else { continue };
            let found =
                fs::read_to_string(&file).map_err(|e| Error::io(&self.root, "cannot read", &file, &e))?;
            if !schemata::contains(&found, schema) {
                let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
                let message = format!("the group {} has other values: {found}", group.display());
                return Err(Error::invalid(property, message));
            }
        }
        Ok(())
    }
}

impl Placement {
    /// Makes and writes everything; what was made before a failure is removed.
    pub fn make(&self) -> Result<()> {
        let mut made = Vec::new();
        for operation in &self.operations {
            if let Err(error) = self.carry_out(operation, &mut made) {
                for directory in made.iter().rev() {
                    let _ = fs::remove_dir(directory);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn carry_out(&self, operation: &Operation, made: &mut Vec<PathBuf>) -> Result<()> {
        match operation {
            Operation::MakeGroup { directory } => {
                fs::create_dir(directory)
                    .map_err(|e| Error::io(&self.root, "cannot make the group", directory, &e))?;
                made.push(directory.clone());
                Ok(())
            }
            Operation::WriteSchemata { file, lines } => {
                let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
                fs::write(file, text).map_err(|e| {
                    Error::io(&self.root, &format!("cannot write {:?} to", lines.join(", ")), file, &e)
                })
            }
        }
    }
}

/// Removes groups in this order. One that is gone already is as good.
pub fn remove(directories: &[impl AsRef<Path>]) -> Result<()> {
    for directory in directories {
        let directory = directory.as_ref();
        match fs::remove_dir(directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io(Path::new(""), "cannot remove the group", directory, &error));
            }
            _ => {}
        }
    }
    Ok(())
}
