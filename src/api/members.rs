//! The shapes of the model that several operations share: each reads the wire's JSON and knows its constraints.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::constraint::{Constrained, Path, TextRule, Violations, check_length, check_range};
use super::scalar;

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// Declares the string shapes.
macro_rules! text_shapes {
    ($($(#[$doc:meta])* $name:ident = $rule:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            fn rule() -> &'static TextRule {
                static RULE: TextRule = $rule;
                &RULE
            }

            /// The value, if it satisfies the model.
            pub fn parse(text: &str) -> Option<Self> {
                Self::rule().accepts(text).then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                scalar::text(deserializer, |text| Ok(Self(text.to_owned())))
            }
        }

        impl Constrained for $name {
            fn check(&self, path: Path<'_>, violations: &mut Violations) {
                for constraint in Self::rule().broken_by(&self.0) {
                    violations.add(path, &self.0, constraint);
                }
            }
        }

        impl Scalar for $name {
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

text_shapes! {
    /// The caller's name of a collection, unique in its account and region.
    CollectionId = TextRule::matching(1, 255, r"[a-zA-Z0-9_.\-]+");
    /// The caller's name of an image, kept with each face that was indexed from it.
    ExternalImageId = TextRule::matching(1, 255, r"[a-zA-Z0-9_.\-:]+");
    /// The caller's name of a user, unique in its collection.
    UserId = TextRule::matching(1, 128, r"[a-zA-Z0-9_.\-:]+");
    /// The server's name of a face.
    FaceId = TextRule::matching(0, usize::MAX, UUID);
    /// Makes a repeated call of the same operation have no second effect.
    ClientRequestToken = TextRule::matching(1, 64, "^[a-zA-Z0-9-_]+$");
    /// Where a list goes on; opaque to the caller.
    PaginationToken = TextRule::length(0, 255);
    /// The ARN of a collection.
    ResourceArn = TextRule::length(20, 2048);
    /// The key of a tag.
    TagKey = TextRule::matching(1, 128, r"^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$");
    /// The value of a tag.
    TagValue = TextRule::matching(0, 256, r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$");
    /// A bucket's name.
    S3Bucket = TextRule::matching(3, 255, r"[0-9A-Za-z\.\-_]*");
    /// An object's key, not URL-encoded.
    S3ObjectName = TextRule::length(1, 1024);
    /// An object's version.
    S3ObjectVersion = TextRule::length(1, 1024);
}

impl CollectionId {
    /// The collection itself; [`ResourceArn::collection`] is its counterpart.
    pub fn collection(&self) -> Option<&str> {
        Some(&self.0)
    }
}

impl ResourceArn {
    /// The collection that the ARN ends with.
    pub fn collection(&self) -> Option<&str> {
        self.0.rsplit_once(":collection/").map(|(_, collection)| collection)
    }
}

impl FaceId {
    /// The id as a number; a request's ids are checked against the pattern before.
    pub fn uuid(&self) -> Uuid {
        Uuid::try_parse(&self.0).unwrap_or_default()
    }
}

/// An integer between `MIN` and `MAX`; `MAX` 0 means that the model names none.
#[derive(Debug, Clone, Copy)]
pub struct Integer<const MIN: i64, const MAX: i64>(pub i64);

/// How many items a page of ListFaces or ListCollections holds.
pub type PageSize = Integer<0, 4096>;
/// How many matches a face search answers.
pub type MaxFaces = Integer<1, 4096>;
/// How many faces of an image are indexed.
pub type MaxFacesToIndex = Integer<1, 0>;
/// How many users a page or a search answers.
pub type MaxUserResults = Integer<1, 500>;

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

/// A similarity or confidence between 0 and 100.
#[derive(Debug, Clone, Copy)]
pub struct Percent(pub f32);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::float(deserializer).map(Self)
    }
}

impl Constrained for Percent {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        // AWS prints the float as Java does, the bound as an integer.
        check_range(self.0, format_args!("{:?}", self.0), 0.0, Some(100.0), path, violations);
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

impl<'de, T: Deserialize<'de>, const MIN: usize, const MAX: usize> Deserialize<'de> for List<T, MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        scalar::list(deserializer).map(Self)
    }
}

impl<T: Scalar, const MIN: usize, const MAX: usize> Constrained for List<T, MIN, MAX> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        check_length(self.0.len(), MIN, MAX, self, path, violations);
        if !self.0.iter().all(T::is_valid) {
            violations.add(path, self, format_args!("Member must satisfy constraint: {}", T::constraints()));
        }
    }
}

/// Tags: at most 200 pairs in one request.
#[derive(Debug, Clone, Default)]
pub struct Tags(Vec<(TagKey, TagValue)>);

const MAX_TAGS: usize = 200;

impl Tags {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs as plain text; of a key that is named twice the last value counts.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0.into_iter().map(|(key, value)| (key.0, value.0)).collect()
    }
}

impl Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs: Vec<(TagKey, Option<TagValue>)> = scalar::map(deserializer)?;
        Ok(Self(pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()))
    }
}

impl Constrained for Tags {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        check_length(self.0.len(), 0, MAX_TAGS, self, path, violations);
        if !self.0.iter().all(|(key, _)| key.is_valid()) {
            violations.add(path, self, format_args!("Map keys must satisfy constraint: {}", TagKey::constraints()));
        }
        if !self.0.iter().all(|(_, value)| value.is_valid()) {
            violations.add(path, self, format_args!("Map value must satisfy constraint: {}", TagValue::constraints()));
        }
    }
}

/// The ids of a request, as many as `MAX`.
pub type FaceIds<const MAX: usize> = List<FaceId, 1, MAX>;
