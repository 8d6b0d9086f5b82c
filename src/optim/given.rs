//! Settings as they were given: a few names with their values, before it is clear whose they are.

use std::collections::BTreeMap;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, forward_to_deserialize_any};

use super::{ALL, settings};

/// The value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(f64),
    /// Two numbers.
    Pair(f64, f64),
}

/// The settings of an optimizer that were given, by name. What is not given has the optimizer's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(BTreeMap<&'static str, Value>);

impl Given {
    /// The value of a setting, if it was given.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.0.get(name).copied()
    }

    /// The settings that were given, in the order of [`settings`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> {
        settings().into_iter().filter_map(|(setting, _)| Some((setting.name, self.get(setting.name)?)))
    }

    /// With this value, unless another was given.
    pub(super) fn or(mut self, name: &'static str, value: f64) -> Given {
        self.0.entry(name).or_insert(Value::Number(value));
        self
    }

    /// An optimizer's settings: those that were given, and its defaults for all others.
    ///
    /// # Errors
    /// A setting that the optimizer does not have, or a value that it does not take.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        T::deserialize(MapDeserializer::new(self.0.into_iter()))
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.iter().try_for_each(|(name, value)| map.serialize_entry(name, &value))?;
        map.end()
    }
}

/// Refuses a name that no optimizer has, and a value that those which have it do not take.
impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        let mut given = Given::default();
        for (name, value) in BTreeMap::<String, Value>::deserialize(deserializer)? {
            let kind = ALL.iter().find(|kind| kind.takes(&name));
            let found = kind.and_then(|kind| Some((kind, kind.settings.iter().find(|own| own.name == name)?)));
            let (kind, setting) = found.ok_or_else(|| de::Error::custom(format!("{name:?} is no setting")))?;
            (kind.make)(Given([(setting.name, value)].into())).map_err(de::Error::custom)?;
            given.0.insert(setting.name, value);
        }
        Ok(given)
    }
}

impl<'de> IntoDeserializer<'de> for Value {
    type Deserializer = Value;

    fn into_deserializer(self) -> Value {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Value::Switch(on) => visitor.visit_bool(on),
            Value::Number(number) => visitor.visit_f64(number),
            Value::Pair(one, other) => visitor.visit_seq(SeqDeserializer::new([one, other].into_iter())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
