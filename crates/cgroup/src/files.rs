//! Reading and writing the small files of a cgroup. One write(2) each: the kernel takes a value whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use crate::{Error, Result};

pub(crate) fn write(directory: &Path, file: &str, value: &str) -> Result<()> {
    let path = directory.join(file);
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut f| f.write_all(value.as_bytes()))
        .map_err(|e| Error::io(&format!("cannot write {value:?} to"), &path, &e))
}

pub(crate) fn read(directory: &Path, file: &str) -> Result<String> {
    let path = directory.join(file);
    let mut text = String::new();
    File::open(&path)
        .and_then(|mut f| f.read_to_string(&mut text))
        .map_err(|e| Error::io("cannot read", &path, &e))?;
    Ok(text)
}

/// The value of `key` in a file of `key value` lines; `None` where file or key is missing.
pub(crate) fn keyed(directory: &Path, file: &str, key: &str) -> Option<u64> {
    read(directory, file).ok()?.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok()).flatten()
    })
}
