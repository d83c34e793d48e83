//! The constraints of AWS's model and the one message that names every violation of them.
//!
//! The texts are those of the Coral front end: `2 validation errors detected: Value 'a b' at
//! 'collectionId' failed to satisfy constraint: Member must satisfy regular expression pattern:
//! [a-zA-Z0-9_.\-]+; Value null at 'image' failed to satisfy constraint: Member must not be null`.

use std::fmt::{self, Display, Write as _};
use std::ops::Deref;
use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use super::error::{ApiError, ApiResult, ErrorCode};

/// How many characters of a value an error repeats.
const MOST_SHOWN: usize = 1000;

/// Where a member stands in a request, printed as AWS does: `image.s3Object.bucket`.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    /// The member's name in Rust: `s3_object` prints as `s3Object`.
    name: &'a str,
}

impl<'a> Path<'a> {
    pub fn root(name: &'a str) -> Self {
        Self { parent: None, name }
    }

    #[must_use]
    pub fn member(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), name }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        let mut words = self.name.split('_');
        f.write_str(words.next().unwrap_or_default())?;
        for word in words {
            let (head, tail) = word.split_at(1);
            write!(f, "{}{tail}", head.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

/// The violations of one request, in the order of the model's members.
#[derive(Default)]
pub struct Violations(Vec<String>);

impl Violations {
    /// Adds a violation of the value printed by `value`, shortened.
    pub fn add(&mut self, path: Path<'_>, value: impl Display, constraint: impl Display) {
        let value = shorten(value);
        self.0.push(format!(
            "Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
        ));
    }

    fn add_null(&mut self, path: Path<'_>) {
        self.0.push(format!(
            "Value null at '{path}' failed to satisfy constraint: Member must not be null"
        ));
    }

    /// The `ValidationException` of all violations, if there is one.
    pub fn into_result(self) -> ApiResult<()> {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        match self.0.len() {
            0 => Ok(()),
            n => Err(ApiError::new(
                ErrorCode::ValidationException,
                format!("{n} validation error{plural} detected: {}", self.0.join("; ")),
            )),
        }
    }
}

/// Prints a value that nothing has bounded yet; what is longer than any reader wants is cut off and
/// marked with `...`.
pub fn shorten(value: impl Display) -> String {
    let mut shown = Shown { text: String::new(), left: MOST_SHOWN };
    if write!(shown, "{value}").is_err() {
        shown.text.push_str("...");
    }
    shown.text
}

/// Takes so many characters and then fails, so that nobody prints the rest.
struct Shown {
    text: String,
    left: usize,
}

impl fmt::Write for Shown {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let cut = piece.char_indices().nth(self.left).map(|(at, _)| at);
        let taken = &piece[..cut.unwrap_or(piece.len())];
        self.left -= taken.chars().count();
        self.text.push_str(taken);
        if cut.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// A value that the model constrains.
pub trait Constrained {
    /// Adds what the value, found at `path`, violates.
    fn check(&self, path: Path<'_>, violations: &mut Violations);
}

impl<T: Constrained> Constrained for Option<T> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        if let Some(value) = self {
            value.check(path, violations);
        }
    }
}

/// A whole request: its members are at the root of every path.
pub trait Request {
    /// Adds what the request violates.
    fn check(&self, violations: &mut Violations);

    /// The resource that the request is about, for permissions.
    fn resource(&self) -> Option<&str> {
        None
    }
}

/// Implements [`Request`] by listing the members in the model's order, after the one that names the
/// resource, if there is one.
#[macro_export]
macro_rules! request {
    ($input:ty $([$resource:ident])?: $($member:ident),*) => {
        impl $crate::constraint::Request for $input {
            fn check(&self, violations: &mut $crate::constraint::Violations) {
                $( $crate::constraint::Constrained::check(
                    &self.$member, $crate::constraint::Path::root(stringify!($member)), violations); )*
            }
            $( fn resource(&self) -> Option<&str> {
                self.$resource.get().and_then(|named| named.resource())
            } )?
        }
    };
}
pub use request;

/// A member that the model requires. Read it only after the request was checked.
#[derive(Debug)]
pub struct Required<T>(Option<T>);

impl<T> Default for Required<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Required<T> {
    /// The member, before the check.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The member itself.
    ///
    /// # Panics
    /// When the request was not checked before.
    pub fn into_inner(self) -> T {
        self.0.expect("a required member is read after the check")
    }
}

impl<T> Deref for Required<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a required member is read after the check")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Required<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

impl<T: Constrained> Constrained for Required<T> {
    fn check(&self, path: Path<'_>, violations: &mut Violations) {
        match &self.0 {
            Some(value) => value.check(path, violations),
            None => violations.add_null(path),
        }
    }
}

/// The constraints of a string shape.
pub struct TextRule {
    min: usize,
    max: usize,
    /// The model's pattern, as its message prints it.
    pattern: Option<&'static str>,
    compiled: OnceLock<Regex>,
}

impl TextRule {
    /// At least `min` and at most `max` characters.
    pub const fn length(min: usize, max: usize) -> Self {
        Self { min, max, pattern: None, compiled: OnceLock::new() }
    }

    /// The same, and the whole text matches the model's pattern.
    pub const fn matching(min: usize, max: usize, pattern: &'static str) -> Self {
        Self { min, max, pattern: Some(pattern), compiled: OnceLock::new() }
    }

    fn matches(&self, text: &str) -> bool {
        let Some(pattern) = self.pattern else { return true };
        // The one look-ahead of the model, which `regex` does not know.
        let (pattern, forbidden_prefix) = match pattern.strip_prefix("^(?!aws:)") {
            Some(rest) => (rest, Some("aws:")),
            None => (pattern, None),
        };
        let compiled = self.compiled.get_or_init(|| {
            Regex::new(&format!("^(?:{pattern})$")).expect("the model's patterns compile")
        });
        forbidden_prefix.is_none_or(|prefix| !text.starts_with(prefix)) && compiled.is_match(text)
    }

    /// Each violated constraint of `text` alone: AWS lists them one by one.
    pub fn broken_by(&self, text: &str) -> impl Iterator<Item = String> {
        let length = text.chars().count();
        let pattern = self.pattern.filter(|_| !self.matches(text));
        [
            pattern.map(|pattern| {
                format!("Member must satisfy regular expression pattern: {pattern}")
            }),
            (length > self.max)
                .then(|| format!("Member must have length less than or equal to {}", self.max)),
            (length < self.min)
                .then(|| format!("Member must have length greater than or equal to {}", self.min)),
        ]
        .into_iter()
        .flatten()
    }

    /// Whether `text` satisfies the rule.
    pub fn accepts(&self, text: &str) -> bool {
        self.broken_by(text).next().is_none()
    }

    /// All constraints in brackets, as AWS prints them for the members of a list or map, whichever
    /// of them is broken.
    pub fn in_brackets(&self) -> String {
        let mut parts = Vec::new();
        // AWS prints a lower bound of 0 too.
        if self.max != usize::MAX {
            parts.push(format!("Member must have length less than or equal to {}", self.max));
            parts.push(format!("Member must have length greater than or equal to {}", self.min));
        }
        if let Some(pattern) = self.pattern {
            parts.push(format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        format!("[{}]", parts.join(", "))
    }
}

/// Checks the number of items of a list or map, printed by `value`.
pub fn check_length(
    length: usize,
    min: usize,
    max: usize,
    value: impl Display,
    path: Path<'_>,
    violations: &mut Violations,
) {
    if length > max {
        violations.add(
            path,
            &value,
            format_args!("Member must have length less than or equal to {max}"),
        );
    }
    if length < min {
        violations.add(
            path,
            &value,
            format_args!("Member must have length greater than or equal to {min}"),
        );
    }
}

/// Checks a number against its range.
pub fn check_range<T: PartialOrd + Display + Copy>(
    value: T,
    shown: impl Display,
    min: T,
    max: Option<T>,
    path: Path<'_>,
    violations: &mut Violations,
) {
    if let Some(max) = max.filter(|max| value > *max) {
        violations.add(
            path,
            &shown,
            format_args!("Member must have value less than or equal to {max}"),
        );
    }
    if value < min {
        violations.add(
            path,
            &shown,
            format_args!("Member must have value greater than or equal to {min}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_shown_by_its_beginning() {
        let long = "é".repeat(MOST_SHOWN);
        assert_eq!(shorten(&long), long);
        assert_eq!(shorten(format_args!("{long}{long}")), format!("{long}..."));
        assert_eq!(shorten(format_args!("{}!", &long[2..])), format!("{}!", &long[2..]));
    }
}
