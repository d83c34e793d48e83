//! What a key may do: allowed actions and collections, with the wildcards of an IAM policy.

use thiserror::Error;

use crate::wildcard::Wildcard;

/// The service part of an action's name.
const SERVICE_PREFIX: &str = "rekognition:";

/// Why a pattern of a policy is no pattern.
#[derive(Debug, Error)]
pub enum PatternError {
    #[error(
        "`{0}` is no action of Rekognition; write for example \"rekognition:*\", \"IndexFaces\" or \"List*\""
    )]
    NotAnAction(String),
    #[error(
        "`{0}` can match no collection id; write for example \"prod-*\" (letters, digits, `_`, `.`, `-` and the wildcards `*` and `?`)"
    )]
    NotACollection(String),
    #[error("an empty list allows nothing; leave it out to allow everything, or remove the key")]
    Empty,
}

/// The actions and the collections that a key is allowed.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    actions: Vec<Wildcard>,
    collections: Vec<Wildcard>,
}

impl Policy {
    /// `None` stands for everything.
    pub(super) fn parse(
        actions: Option<&[String]>,
        collections: Option<&[String]>,
    ) -> Result<Self, PatternError> {
        let everything = ["*".to_owned()];
        let compile_all =
            |patterns: Option<&[String]>, compile: fn(&str) -> Result<Wildcard, PatternError>| {
                match patterns {
                    Some([]) => Err(PatternError::Empty),
                    other => other
                        .unwrap_or(&everything)
                        .iter()
                        .map(|pattern| compile(pattern))
                        .collect(),
                }
            };
        Ok(Self {
            actions: compile_all(actions, action)?,
            collections: compile_all(collections, collection)?,
        })
    }

    /// Whether `operation` (for example `IndexFaces`) is allowed, on this collection where it names
    /// one.
    pub(super) fn allows(&self, operation: &str, collection_id: Option<&str>) -> bool {
        let matches_any = |patterns: &[Wildcard], text: &str| {
            patterns.iter().any(|pattern| pattern.is_match(text))
        };
        matches_any(&self.actions, operation)
            && collection_id.is_none_or(|id| matches_any(&self.collections, id))
    }
}

/// Action names are compared without regard to case, as IAM does.
fn action(pattern: &str) -> Result<Wildcard, PatternError> {
    let name = match pattern.get(..SERVICE_PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(SERVICE_PREFIX) => {
            &pattern[SERVICE_PREFIX.len()..]
        }
        _ => pattern,
    };
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '*' || c == '?');
    if is_name {
        Ok(Wildcard::ignoring_case(name))
    } else {
        Err(PatternError::NotAnAction(pattern.to_owned()))
    }
}

fn collection(pattern: &str) -> Result<Wildcard, PatternError> {
    let is_id = !pattern.is_empty()
        && pattern.chars().all(|c| c.is_ascii_alphanumeric() || "_.-*?".contains(c));
    if is_id {
        Ok(Wildcard::new(pattern))
    } else {
        Err(PatternError::NotACollection(pattern.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(actions: &[&str], collections: &[&str]) -> Policy {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Policy::parse(Some(&owned(actions)), Some(&owned(collections))).expect("a valid policy")
    }

    #[test]
    fn a_wildcard_covers_the_whole_name_and_nothing_beyond() {
        let readers = policy(
            &["rekognition:List*", "SearchFaces", "describecollection"],
            &["prod-*", "v1.?"],
        );
        for (operation, collection_id, allowed) in [
            ("ListFaces", Some("prod-eu"), true),
            ("ListFaces", Some("prod-"), true),
            ("ListFaces", Some("v1.2"), true),
            ("ListFaces", Some("v1x2"), false),
            ("ListFaces", Some("v1.22"), false),
            ("ListFaces", Some("my-prod-eu"), false),
            ("ListFaces", Some("PROD-eu"), false),
            ("ListCollections", None, true),
            ("SearchFaces", Some("prod-eu"), true),
            ("SearchFacesByImage", Some("prod-eu"), false),
            ("DescribeCollection", Some("prod-eu"), true),
            ("DeleteCollection", Some("prod-eu"), false),
        ] {
            assert_eq!(
                readers.allows(operation, collection_id),
                allowed,
                "{operation} on {collection_id:?}"
            );
        }
    }

    #[test]
    fn absent_lists_allow_everything() {
        let policy = Policy::parse(None, None).expect("a valid policy");
        assert!(policy.allows("DeleteCollection", Some("any")));
        assert!(policy.allows("DetectFaces", None));
    }

    #[test]
    fn patterns_that_can_never_match_are_refused() {
        for action in [
            "",
            "s3:GetObject",
            "rekognition:",
            "Index Faces",
            "rekognition:rekognition:IndexFaces",
        ] {
            assert!(Policy::parse(Some(&[action.to_owned()]), None).is_err(), "{action:?}");
        }
        for collection in ["", "a b", "arn:aws:rekognition:us-east-1:123456789012:collection/a"] {
            assert!(Policy::parse(None, Some(&[collection.to_owned()])).is_err(), "{collection:?}");
        }
        assert!(matches!(Policy::parse(Some(&[]), None), Err(PatternError::Empty)));
    }
}
