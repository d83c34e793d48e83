//! The wildcards of an IAM policy.

use regex::{Regex, RegexBuilder};

/// A pattern in which `*` stands for any text and `?` for one character; it covers the whole text.
#[derive(Debug, Clone)]
pub struct Wildcard(Regex);

impl Wildcard {
    /// The pattern that is written so.
    pub fn new(pattern: &str) -> Self {
        Self::compile(pattern, false)
    }

    /// The same without regard to case.
    pub fn ignoring_case(pattern: &str) -> Self {
        Self::compile(pattern, true)
    }

    fn compile(pattern: &str, ignore_case: bool) -> Self {
        let body = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
        let mut builder = RegexBuilder::new(&format!(r"\A{body}\z"));
        builder.case_insensitive(ignore_case).dot_matches_new_line(true).size_limit(1 << 26);
        Self(
            builder.build().expect("an escaped pattern with two wildcards is a regular expression"),
        )
    }

    /// Whether the pattern covers a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
