//! The content of a file as its readers see it.

use super::{Entry, Reader};
use crate::Result;

/// Writes all of a file's content, with holes as zeros.
pub fn content(
    entry: &Entry,
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Some(map) = &entry.map else { return reader.body(sink) };
    let (mut places, mut position, mut left) = (map.iter(), 0u64, 0u64);
    reader.body(&mut |mut bytes| {
        while !bytes.is_empty() {
            if left == 0 {
                // The map was validated: it covers exactly the stored bytes.
                let Some((offset, length)) = places.next() else { return Ok(()) };
                zeros(offset - position, sink)?;
                (position, left) = (*offset, *length);
            }
            let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink(&bytes[..count])?;
            position += count as u64;
            left -= count as u64;
            bytes = &bytes[count..];
        }
        Ok(())
    })?;
    zeros(entry.size - position, sink)
}

fn zeros(mut count: u64, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while count > 0 {
        let piece = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
        sink(&ZEROS[..piece])?;
        count -= piece as u64;
    }
    Ok(())
}
