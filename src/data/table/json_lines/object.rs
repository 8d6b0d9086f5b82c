//! An object of JSON as the cells of a row.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::keys::Keys;
use crate::quote::{line, shown};

const WANTED: &str = "an object, as in {\"a\": 1, \"b\": \"x\"}";

/// A value of an object.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Switch(bool),
    Text(String),
    List,
    Object,
}

/// Reads one line.
pub(super) fn parse<'a, S: DeserializeSeed<'a, Value = ()>>(text: &'a [u8], seed: S) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    seed.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or(&text);
        let place = if error.column() > 0 { format!("at byte {}: ", error.column()) } else { String::new() };
        format!("{place}{}; a line must be {WANTED}", line(problem))
    })
}

/// Reads an object for its keys alone.
pub(super) struct Names<'a>(pub &'a mut Keys);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Key(|key: &str| self.0.add(key)))?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads an object into the values of its keys.
pub(super) struct Object<'a> {
    pub keys: &'a Keys,
    pub values: &'a mut [Option<Value>],
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = vec![false; self.values.len()];
        while let Some(place) = map.next_key_seed(Key(|key: &str| self.keys.place(key)))? {
            if std::mem::replace(&mut seen[place], true) {
                return Err(A::Error::custom(format!("the key {} is there twice", shown(&self.keys.names[place]))));
            }
            self.values[place] = map.next_value_seed(AnyValue)?;
        }
        Ok(())
    }
}

/// A key, and what is done with it.
struct Key<F>(F);

impl<'de, T, F: FnMut(&str) -> Result<T, String>> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnMut(&str) -> Result<T, String>> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(mut self, key: &str) -> Result<T, E> {
        (self.0)(key).map_err(E::custom)
    }
}

/// A value; `None` for `null`.
struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<Value>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, switch: bool) -> Result<Option<Value>, E> {
        Ok(Some(Value::Switch(switch)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<Value>, E> {
        Ok(Some(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<Value>, E> {
        Ok(Some(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Value::List))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Value::Object))
    }
}
