//! The 512-byte header block: fields, numbers, checksum.

use super::BLOCK;
use crate::{Error, Result};

pub struct Header<'b>(pub &'b [u8; BLOCK]);

#[derive(PartialEq, Eq, Clone, Copy)]
pub enum Dialect {
    V7,
    Ustar,
    Gnu,
}

impl<'b> Header<'b> {
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The checksum field counts as spaces; old tars summed signed bytes.
    pub fn verify(&self) -> Result<()> {
        let expected = self.number(148, 8, "checksum")?;
        let (mut unsigned, mut signed) = (0i64, 0i64);
        for (index, byte) in self.0.iter().enumerate() {
            let byte = if (148..156).contains(&index) { b' ' } else { *byte };
            unsigned += i64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        if expected == unsigned || expected == signed {
            return Ok(());
        }
        Err(Error::invalid("the layer is not a tar archive, or it is damaged: a header has a wrong checksum"))
    }

    pub fn dialect(&self) -> Dialect {
        match &self.0[257..265] {
            b"ustar  \0" => Dialect::Gnu,
            magic if magic.starts_with(b"ustar\0") => Dialect::Ustar,
            _ => Dialect::V7,
        }
    }

    pub fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// Bytes up to the first NUL.
    fn text(&self, start: usize, length: usize) -> &'b [u8] {
        let field = &self.0[start..start + length];
        field.split(|byte| *byte == 0).next().unwrap_or(field)
    }

    pub fn path(&self) -> Vec<u8> {
        let name = self.text(0, 100);
        // star keeps times behind a shorter prefix, and its magic at the very end.
        let prefix = self.text(345, if self.0.ends_with(b"tar\0") { 131 } else { 155 });
        if self.dialect() == Dialect::Ustar && !prefix.is_empty() {
            return [prefix, b"/", name].concat();
        }
        name.to_vec()
    }

    pub fn link(&self) -> Vec<u8> {
        self.text(157, 100).to_vec()
    }

    pub fn mode(&self) -> Result<u32> {
        Ok((self.number(100, 8, "mode")? & 0o7777) as u32)
    }

    pub fn uid(&self) -> Result<i64> {
        self.number(108, 8, "uid")
    }

    pub fn gid(&self) -> Result<i64> {
        self.number(116, 8, "gid")
    }

    pub fn size(&self) -> Result<u64> {
        u64::try_from(self.number(124, 12, "size")?)
            .map_err(|_| Error::invalid("a tar header has a negative size"))
    }

    pub fn mtime(&self) -> Result<i64> {
        self.number(136, 12, "mtime")
    }

    /// Major and minor device number.
    pub fn device(&self) -> Result<(u32, u32)> {
        if self.dialect() == Dialect::V7 {
            return Ok((0, 0));
        }
        let part = |start, name| {
            let number = self.number(start, 8, name)?;
            u32::try_from(number)
                .map_err(|_| Error::invalid(format!("a tar header has the device number {number}")))
        };
        Ok((part(329, "devmajor")?, part(337, "devminor")?))
    }

    /// Octal padded with spaces or NULs, or big-endian two's complement if the highest bit is set.
    pub fn number(&self, start: usize, length: usize, name: &str) -> Result<i64> {
        let field = &self.0[start..start + length];
        let bad = || Error::invalid(format!("a tar header has a malformed {name}: {}", field.escape_ascii()));
        if field[0] & 0x80 != 0 {
            let negative = field[0] & 0x40 != 0;
            let mut value = i128::from(if negative { -1 } else { 0 });
            for (index, byte) in field.iter().enumerate() {
                // The sign replaces the marker bit.
                let byte = if index == 0 && !negative { byte & 0x7f } else { *byte };
                value = (value << 8) | i128::from(byte);
                if i64::try_from(value).is_err() {
                    return Err(bad());
                }
            }
            return i64::try_from(value).map_err(|_| bad());
        }
        let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
        let begin = field.iter().position(|byte| !is_padding(byte)).unwrap_or(length);
        let digits = &field[begin..];
        let end = digits.iter().position(is_padding).unwrap_or(digits.len());
        let mut value = 0i64;
        for digit in &digits[..end] {
            if !(b'0'..=b'7').contains(digit) {
                return Err(bad());
            }
            value = value.checked_mul(8).ok_or_else(bad)? + i64::from(digit - b'0');
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(field: &[u8]) -> Result<i64> {
        let mut block = [0; BLOCK];
        block[..field.len()].copy_from_slice(field);
        Header(&block).number(0, field.len(), "test")
    }

    #[test]
    fn numbers_come_in_octal_and_in_binary() {
        assert_eq!(number(b"0000644\0").unwrap(), 0o644);
        assert_eq!(number(b"  644 \0\0").unwrap(), 0o644);
        assert_eq!(number(b"\0\0\0\0\0\0\0\0").unwrap(), 0);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 2]).unwrap(), 258);
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]).unwrap(), -2);
        assert_eq!(number(b"77777777777\0").unwrap(), 0o77777777777);
    }

    #[test]
    fn nonsense_and_overflow_are_errors() {
        assert!(number(b"00x0644\0").is_err());
        assert!(number(b"-0000644").is_err());
        assert!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
