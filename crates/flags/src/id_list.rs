//! Numbers of CPUs or memory nodes as `0-3,7`: cpuset(7), "List format".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// COMPAT(runc): a limit that keeps masks small. No kernel has as many CPUs or nodes.
pub const LAST_ID: u32 = 64 * 1024;

/// A set of CPUs or memory nodes. In JSON, and when shown, it is in list format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IdList(Vec<(u32, u32)>);

impl IdList {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One bit for each number, as system calls take them; long enough for the last one.
    pub fn mask(&self) -> Vec<u64> {
        let last = self.0.iter().map(|(_, last)| *last).max();
        let mut mask = vec![0; last.map_or(0, |last| last as usize / 64 + 1)];
        for id in self.0.iter().flat_map(|(first, last)| *first..=*last) {
            mask[id as usize / 64] |= 1 << (id % 64);
        }
        mask
    }
}

/// Why a text is not in list format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidIdList;

impl fmt::Display for InvalidIdList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected numbers up to {LAST_ID} and ranges such as 0-3,7")
    }
}

/// COMPAT(runc): spaces around an entry and empty entries are ignored; a text without any number is an error.
impl FromStr for IdList {
    type Err = InvalidIdList;

    fn from_str(text: &str) -> Result<Self, InvalidIdList> {
        let entries = text.split(',').map(|entry| entry.trim_matches(' ')).filter(|entry| !entry.is_empty());
        let ranges: Vec<_> = entries.map(range).collect::<Option<_>>().ok_or(InvalidIdList)?;
        if ranges.is_empty() { Err(InvalidIdList) } else { Ok(Self(ranges)) }
    }
}

fn range(entry: &str) -> Option<(u32, u32)> {
    let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
    let range = (number(first)?, number(last)?);
    (range.0 <= range.1).then_some(range)
}

/// Digits only: `parse` would take a sign.
fn number(digits: &str) -> Option<u32> {
    let number = digits.parse().ok().filter(|number| *number <= LAST_ID);
    number.filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for IdList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl From<IdList> for String {
    fn from(list: IdList) -> Self {
        list.to_string()
    }
}

impl TryFrom<String> for IdList {
    type Error = InvalidIdList;

    fn try_from(text: String) -> Result<Self, InvalidIdList> {
        if text.is_empty() { Ok(Self::default()) } else { text.parse() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_bits() {
        let mask = |text: &str| text.parse::<IdList>().unwrap().mask();
        assert_eq!(mask("0-3,7"), [0b1000_1111]);
        assert_eq!(mask("64"), [0, 1]);
        assert_eq!(mask("63,1-2, 1 "), [1 << 63 | 0b110]);
        assert_eq!(IdList::default().mask(), [0; 0]);
        assert_eq!(mask("65536").len(), 1025);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in
            ["", " ", ",", "all", "3-1", "-1", "1-", "+1", "1--2", "65537", "1-2-3", "4294967296", "1\n"]
        {
            assert_eq!(text.parse::<IdList>(), Err(InvalidIdList), "{text:?}");
        }
    }

    #[test]
    fn json_has_the_list_format() {
        let list: IdList = "0-3,,7".parse().unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), r#""0-3,7""#);
        assert_eq!(serde_json::from_str::<IdList>(r#""0-3,7""#).unwrap(), list);
        assert_eq!(serde_json::from_str::<IdList>(r#""""#).unwrap(), IdList::default());
    }
}
