//! Structures that only a JSON object can be read as: serde takes a list for one as well.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

#[derive(Debug, Clone)]
pub struct Object<T>(T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[derive(serde::Deserialize)]
    struct Named {
        name: Option<String>,
    }

    #[test]
    fn a_list_is_refused() {
        let named = |text| serde_json::from_str::<Option<Object<Named>>>(text);
        assert_eq!(named(r#"{"name": "x"}"#).unwrap().unwrap().name.as_deref(), Some("x"));
        assert!(named("null").unwrap().is_none());
        assert!(named(r#"["x"]"#).is_err());
        assert!(
            serde_json::from_str::<Named>(r#"["x"]"#).is_ok_and(|named| named.name.is_some()),
            "serde itself"
        );
    }
}
