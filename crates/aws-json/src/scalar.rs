//! How AWS's front end reads JSON: null is the same as absent, a fraction sent for an integer is
//! truncated, and every other mismatch of type is a `SerializationException` with the texts below.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

const LIST: &str = "Start of list found where not expected";
const STRUCTURE: &str = "Start of structure or map found where not expected.";

/// Refuses every kind of JSON value that a visitor does not take, in AWS's words.
macro_rules! refuse {
    ($($kind:ident)*) => { $( refuse!(@$kind); )* };
    (@text $name:literal) => {
        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom(concat!("STRING_VALUE can not be converted to ", $name)))
        }
    };
    (@boolean $name:literal) => {
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            let kind = if value { "TRUE_VALUE" } else { "FALSE_VALUE" };
            Err(E::custom(format_args!("{kind} can not be converted to {}", $name)))
        }
    };
    (@list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(de::Error::custom(LIST))
        }
    };
    (@structure) => {
        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(de::Error::custom(STRUCTURE))
        }
    };
    (@scalars $text:expr) => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom($text))
        }
    };
}

fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("a value of the member's type")
}

/// Reads a string and hands it to `map` without a copy.
pub fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    map: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Text<F, T>(F, PhantomData<T>);
    impl<'de, T, F: FnOnce(&str) -> Result<T, String>> Visitor<'de> for Text<F, T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
            (self.0)(value).map_err(E::custom)
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<T, E> {
            Err(E::custom("NUMBER_VALUE can not be converted to a String"))
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<T, E> {
            self.visit_i64(0)
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<T, E> {
            self.visit_i64(0)
        }
        refuse!(@boolean "a String");
        refuse!(@list);
        refuse!(@structure);
    }
    deserializer.deserialize_any(Text(map, PhantomData))
}

/// Reads a JSON number as an integer: `1.5` is 1, and what does not fit saturates.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Integer;
    impl<'de> Visitor<'de> for Integer {
        type Value = i64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
            Ok(value)
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
            Ok(i64::try_from(value).unwrap_or(i64::MAX))
        }
        #[expect(clippy::cast_possible_truncation, reason = "AWS truncates fractions")]
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
            Ok(value as i64)
        }
        refuse!(@text "an Integer");
        refuse!(@boolean "an Integer");
        refuse!(@list);
        refuse!(@structure);
    }
    deserializer.deserialize_any(Integer)
}

/// Reads a JSON number as the 32-bit float of the model.
pub fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    struct Float;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the model's floats have 32 bits"
    )]
    impl<'de> Visitor<'de> for Float {
        type Value = f32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<f32, E> {
            Ok(value as f32)
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<f32, E> {
            Ok(value as f32)
        }
        fn visit_f64<E: de::Error>(self, value: f64) -> Result<f32, E> {
            Ok(value as f32)
        }
        refuse!(@text "a Float");
        refuse!(@boolean "a Float");
        refuse!(@list);
        refuse!(@structure);
    }
    deserializer.deserialize_any(Float)
}

/// Of a list or a map that is longer than any valid one, this many items are kept: enough to find
/// it too long, and to show it.
const MOST_ITEMS: usize = 5000;

/// Reads a list; anything else is refused. A null among the items counts as absent, as everywhere
/// in this protocol.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element::<Option<T>>()? {
                list.extend(item.filter(|_| list.len() < MOST_ITEMS));
            }
            Ok(list)
        }
        refuse!(@scalars "Expected list or null");
        refuse!(@structure);
    }
    deserializer.deserialize_any(List(PhantomData))
}

/// Reads a map as pairs in the order of the request; anything else is refused.
pub fn map<'de, D: Deserializer<'de>, K: Deserialize<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<(K, V)>, D::Error> {
    struct Map<K, V>(PhantomData<(K, V)>);
    impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Map<K, V> {
        type Value = Vec<(K, V)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = entries.next_entry()? {
                if pairs.len() < MOST_ITEMS {
                    pairs.push(pair);
                }
            }
            Ok(pairs)
        }
        refuse!(@scalars "Expected map or null");
        refuse!(@list);
    }
    deserializer.deserialize_any(Map(PhantomData))
}

/// Reads a structure; serde's derive alone would also take a list for one.
pub fn structure<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Structure<T>(PhantomData<T>);
    impl<'de, T: DeserializeOwned> Visitor<'de> for Structure<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            expecting(f)
        }
        fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(entries))
        }
        refuse!(@scalars "Expected null");
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Err(de::Error::custom(LIST))
        }
    }
    deserializer.deserialize_any(Structure(PhantomData))
}
