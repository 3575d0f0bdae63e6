//! Reading JSON without losing anything: a duplicate key is an error, not "the last one wins",
//! because two readers of such a document can see two different configurations.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::issue::SpecError;

pub(crate) fn parse(bytes: &[u8]) -> Result<Value, SpecError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Unique::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value.0));
    value.map_err(|error| SpecError::invalid("", format!("not valid JSON: {error}")))
}

/// Whether the text is JSON without duplicate keys: what nearly every document is, told without keeping
/// anything.
pub(crate) fn is_unique(bytes: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Seen::deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

struct Seen;

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeenVisitor)
    }
}

struct SeenVisitor;

impl<'de> Visitor<'de> for SeenVisitor {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Seen, A::Error> {
        while sequence.next_element::<Seen>()?.is_some() {}
        Ok(Seen)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Seen, A::Error> {
        let mut names = Names::default();
        while let Some(Name(name)) = entries.next_key()? {
            if !names.insert(name) {
                return Err(A::Error::custom("duplicate key"));
            }
            entries.next_value::<Seen>()?;
        }
        Ok(Seen)
    }
}

/// Borrowed from the text where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// The names of one object: few as a rule, and then a list is faster than a table.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    const FEW: usize = 16;

    /// `false` where it is there already.
    fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.few.contains(&name) || self.many.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
            true
        } else {
            self.many.insert(name)
        }
    }
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(value)) = sequence.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Unique(value) = entries.next_value()?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate key {key:?}")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::{is_unique, parse};

    #[test]
    fn duplicates_are_refused_everywhere() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"m":{"x":1,"x":2}}"#, r#"[{"x":1,"x":2}]"#] {
            assert!(parse(text.as_bytes()).unwrap_err().to_string().contains("duplicate"), "{text}");
            assert!(!is_unique(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn both_readers_agree() {
        let many: String = (0..40).map(|n| format!("\"n{n}\":[{{\"a\":1.5,\"\\u0062\":null}}],")).collect();
        assert!(is_unique(format!("{{{many}\"z\":true}}").as_bytes()));
        for text in
            [format!("{{{many}\"n3\":-1}}"), format!("{{{many}\"n39\":-1}}"), r#"{"b":1,"\u0062":2}"#.into()]
        {
            assert!(!is_unique(text.as_bytes()) && parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn large_numbers_stay_exact() {
        assert_eq!(parse(b"18446744073709551615").unwrap().as_u64(), Some(u64::MAX));
    }

    #[test]
    fn rubbish_is_an_error() {
        for text in ["", "{", "{} x", "nul", "\u{feff}{}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
            assert!(!is_unique(text.as_bytes()), "{text:?}");
        }
    }
}
