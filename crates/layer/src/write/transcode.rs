//! Writes the same archive in another compression, and validates it on the way.

use std::path::Path;

use crate::blob::{self, Blob};
use crate::chunk::Source;
use crate::compress::{self, Sealed, Settings, Writing};
use crate::tar::Reader;
use crate::{Error, Limits, Result, Stop};

/// Writes the content of `blob` to a new file. Bytes after the end of the archive are kept, so that the diffID does not
/// change.
pub fn transcode(
    blob: &Blob,
    output: &Path,
    settings: &Settings,
    limits: &Limits,
    stop: &Stop,
) -> Result<Sealed> {
    let written = compress::write_file(output, settings, stop, |writing| {
        blob::read(blob, limits, stop, |source| {
            let mut tee = Tee { source, writing, failure: None };
            let mut reader = Reader::new(&mut tee, *limits);
            let mut entries = 0;
            while reader.next_entry()?.is_some() {
                stop.count_entry();
                entries += 1;
                Limits::check("entries", entries, limits.entries)?;
            }
            loop {
                let count = tee.fill()?.len();
                if count == 0 {
                    return tee.failure.map_or(Ok(()), Err);
                }
                tee.consume(count);
            }
        })
    });
    Ok(written?.1)
}

/// Copies what is read from `source` to `writing`.
struct Tee<'t, 'w> {
    source: &'t mut dyn Source,
    writing: &'t mut Writing<'w>,
    failure: Option<Error>,
}

impl Source for Tee<'_, '_> {
    fn fill(&mut self) -> Result<&[u8]> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.source.fill(),
        }
    }

    fn consume(&mut self, count: usize) {
        let passed = self.source.fill().and_then(|bytes| self.writing.put(&bytes[..count]));
        self.failure = self.failure.take().or(passed.err());
        self.source.consume(count);
    }
}
