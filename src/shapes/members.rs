//! Names, ids, numbers, lists and tags.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use aws_json::constraint::{Constrained, Path, TextRule, Violations, check_length, check_range};
use aws_json::scalar;
use aws_json::shapes::{Integer, List, Scalar as _};
use aws_json::text_shapes;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

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
    /// The collection itself, for permissions.
    pub fn resource(&self) -> Option<&str> {
        Some(self.as_str())
    }
}

impl ResourceArn {
    /// The collection that the ARN ends with, for permissions.
    pub fn resource(&self) -> Option<&str> {
        self.as_str().rsplit_once(":collection/").map(|(_, collection)| collection)
    }
}

impl FaceId {
    /// The id as a number; a request's ids are checked against the pattern before.
    pub fn uuid(&self) -> Uuid {
        Uuid::try_parse(self.as_str()).unwrap_or_default()
    }
}

/// How many items a page of ListFaces or ListCollections holds.
pub type PageSize = Integer<0, 4096>;
/// How many matches a face search answers.
pub type MaxFaces = Integer<1, 4096>;
/// How many faces of an image are indexed.
pub type MaxFacesToIndex = Integer<1, 0>;
/// How many users a page or a search answers.
pub type MaxUserResults = Integer<1, 500>;

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
        self.0.into_iter().map(|(key, value)| (key.into_string(), value.into_string())).collect()
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
            violations.add(
                path,
                self,
                format_args!("Map keys must satisfy constraint: {}", TagKey::constraints()),
            );
        }
        if !self.0.iter().all(|(_, value)| value.is_valid()) {
            violations.add(
                path,
                self,
                format_args!("Map value must satisfy constraint: {}", TagValue::constraints()),
            );
        }
    }
}

/// The ids of a request, as many as `MAX`.
pub type FaceIds<const MAX: usize> = List<FaceId, 1, MAX>;
