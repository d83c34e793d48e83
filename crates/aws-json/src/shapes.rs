//! The kinds of shapes that a model is made of: each reads the wire's JSON and knows its
//! constraints.

use std::fmt::{self, Display};

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::constraint::{Constrained, Path, Violations, check_length, check_range};
use super::scalar;

/// Declares the string shapes.
#[macro_export]
macro_rules! text_shapes {
    ($($(#[$doc:meta])* $name:ident = $rule:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, $crate::serde::Serialize)]
        #[serde(crate = "aws_json::serde")]
        pub struct $name(String);

        impl $name {
            fn rule() -> &'static $crate::constraint::TextRule {
                static RULE: $crate::constraint::TextRule = $rule;
                &RULE
            }

            /// The value, if it satisfies the model.
            pub fn parse(text: &str) -> Option<Self> {
                Self::rule().accepts(text).then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::scalar::text(deserializer, |text| Ok(Self(text.to_owned())))
            }
        }

        impl $crate::constraint::Constrained for $name {
            fn check(&self, path: $crate::constraint::Path<'_>, violations: &mut $crate::constraint::Violations) {
                for constraint in Self::rule().broken_by(&self.0) {
                    violations.add(path, &self.0, constraint);
                }
            }
        }

        impl $crate::shapes::Scalar for $name {
            fn is_valid(&self) -> bool {
                Self::rule().accepts(&self.0)
            }
            fn constraints() -> String {
                Self::rule().in_brackets()
            }
        }
    )* };
}

/// A shape whose constraints AWS prints as one group when it stands in a list or a map.
pub trait Scalar: Display {
    fn is_valid(&self) -> bool;
    /// All constraints, in brackets.
    fn constraints() -> String;
}

/// An integer between `MIN` and `MAX`; `MAX` 0 means that the model names none.
#[derive(Debug, Clone, Copy)]
pub struct Integer<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Integer<MIN, MAX> {
    /// The checked number, which is not negative.
    pub fn get(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Integer<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::integer(deserializer).map(Self)
    }
}

impl<const MIN: i64, const MAX: i64> Constrained for Integer<MIN, MAX> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        check_range(self.0, self.0, MIN, (MAX != 0).then_some(MAX), path, violations);
    }
}

/// A shape with a closed set of names.
pub trait Named: Copy + 'static {
    /// Every value and its name, in the model's order.
    const ALL: &'static [(&'static str, Self)];

    /// The set as AWS prints it.
    fn value_set() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
        format!("Member must satisfy enum value set: [{}]", names.join(", "))
    }
}

/// One name of a closed set, or a text that is none.
#[derive(Debug, Clone)]
pub struct Choice<T> {
    text: String,
    value: Option<T>,
}

impl<T: Named> Choice<T> {
    /// The value; `None` only before the check.
    pub fn get(&self) -> Option<T> {
        self.value
    }
}

impl<T> Display for Choice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de, T: Named> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::text(deserializer, |text| {
            let value = T::ALL.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
            Ok(Self { text: text.to_owned(), value })
        })
    }
}

impl<T: Named> Constrained for Choice<T> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        if self.value.is_none() {
            violations.add(path, self, T::value_set());
        }
    }
}

impl<T: Named> Scalar for Choice<T> {
    fn is_valid(&self) -> bool {
        self.value.is_some()
    }
    fn constraints() -> String {
        format!("[{}]", T::value_set())
    }
}

/// A list of scalars with `MIN` to `MAX` items.
#[derive(Debug, Clone)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T, const MIN: usize, const MAX: usize> IntoIterator for &'a List<T, MIN, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Display, const MIN: usize, const MAX: usize> Display for List<T, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl<'de, T: Deserialize<'de>, const MIN: usize, const MAX: usize> Deserialize<'de>
    for List<T, MIN, MAX>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::list(deserializer).map(Self)
    }
}

impl<T: Scalar, const MIN: usize, const MAX: usize> Constrained for List<T, MIN, MAX> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        check_length(self.0.len(), MIN, MAX, self, path, violations);
        if !self.0.iter().all(T::is_valid) {
            violations.add(
                path,
                self,
                format_args!("Member must satisfy constraint: {}", T::constraints()),
            );
        }
    }
}

/// Bytes that travel as base64.
#[derive(Debug, Clone)]
pub struct Blob(pub Bytes);

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::text(deserializer, |text| match STANDARD.decode(text) {
            Ok(bytes) => Ok(Self(bytes.into())),
            Err(_) if text.len() % 4 != 0 => Err(format!(
                "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                text.len()
            )),
            Err(DecodeError::InvalidByte(_, byte)) => {
                Err(format!("Invalid Base64 character: '{}'", char::from(byte)))
            }
            Err(_) => Err("Invalid last non-pad Base64 character dectected".to_owned()),
        })
    }
}

impl Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", self.0.len())
    }
}
