//! The keys that `verify` mode accepts, out of a TOML file. Secrets are never printed, in errors
//! and `Debug` neither.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::is_region;
use super::policy::{PatternError, Policy};

/// Why a credentials file is not accepted: which file, which key, what to do.
#[derive(Debug, Error)]
pub enum CredentialsError {
    #[error("cannot read the credentials file {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("credentials file {}, line {line}: {reason}", file.display())]
    Syntax { file: PathBuf, line: usize, reason: String },
    #[error("credentials file {}: no [[key]] table; in verify mode nobody could call the server", file.display())]
    NoKeys { file: PathBuf },
    #[error("credentials file {}, key {access_key_id:?}: {reason}", file.display())]
    Key { file: PathBuf, access_key_id: String, reason: KeyError },
}

/// What is wrong with one key.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("access_key_id must be 1 to 128 letters, digits, `_`, `-` or `.`")]
    AccessKeyId,
    #[error("it is there twice; remove one of the two, or give one another access_key_id")]
    Duplicate,
    #[error("secret_access_key is empty")]
    EmptySecret,
    #[error("session_token is empty; leave it out for a key without one")]
    EmptyToken,
    #[error("account {0:?} must be the 12 digits of an account number, in quotes")]
    Account(String),
    #[error("user {0:?} must be 1 to 64 letters, digits or any of `+=,.@_-`, as an IAM user name")]
    User(String),
    #[error("expires {0:?} must be a date and time such as 2027-01-01T00:00:00Z")]
    Expires(String),
    #[error("regions: {0:?} is no region; write for example \"eu-west-1\"")]
    Region(String),
    #[error("regions: an empty list allows no region; leave it out to allow all")]
    NoRegions,
    #[error("actions or collections: {0}")]
    Policy(#[from] PatternError),
}

/// The keys of a credentials file, by access key id.
#[derive(Debug, Clone)]
pub struct Credentials(HashMap<String, Key>);

/// Who holds a key; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    pub access_key_id: String,
    pub account: String,
    pub user: String,
    /// None stands for all.
    pub regions: Option<Vec<String>>,
    pub expires: Option<OffsetDateTime>,
}

/// One key: who holds it, and what it allows.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub account: String,
    pub user: String,
    pub policy: Arc<Policy>,
    secret: Secret,
    session_token: Option<Secret>,
    expires: Option<OffsetDateTime>,
    regions: Option<Vec<String>>,
}

impl Credentials {
    /// Reads a credentials file.
    pub fn load(file: &Path) -> Result<Self, CredentialsError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| CredentialsError::Read { file: file.to_owned(), source })?;
        Self::parse(&text, file)
    }

    /// Parses the text of a credentials file; `file` is what errors call it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, CredentialsError> {
        let file = || file.to_owned();
        let document: Document =
            toml::from_str(text).map_err(|error| CredentialsError::Syntax {
                file: file(),
                line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
                // Not the whole error: that quotes the line, and the line may hold a secret.
                reason: error.message().to_owned(),
            })?;
        let mut keys = HashMap::new();
        for entry in document.key {
            let access_key_id = entry.access_key_id.clone();
            let refuse = |reason| CredentialsError::Key {
                file: file(),
                access_key_id: access_key_id.clone(),
                reason,
            };
            let key = Key::try_from(entry).map_err(refuse)?;
            if keys.insert(access_key_id.clone(), key).is_some() {
                return Err(refuse(KeyError::Duplicate));
            }
        }
        if keys.is_empty() {
            Err(CredentialsError::NoKeys { file: file() })
        } else {
            Ok(Self(keys))
        }
    }

    /// Whose keys these are, by access key id in ascending order.
    pub fn holders(&self) -> Vec<KeyHolder> {
        let holder = |(id, key): (&String, &Key)| KeyHolder {
            access_key_id: id.clone(),
            account: key.account.clone(),
            user: key.user.clone(),
            regions: key.regions.clone(),
            expires: key.expires,
        };
        let mut holders: Vec<KeyHolder> = self.0.iter().map(holder).collect();
        holders.sort_by(|one, other| one.access_key_id.cmp(&other.access_key_id));
        holders
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn find(&self, access_key_id: &str) -> Option<&Key> {
        self.0.get(access_key_id)
    }
}

impl Key {
    pub(super) fn secret(&self) -> &str {
        &self.secret.0
    }

    /// Empty for a long-term key.
    pub(super) fn session_token(&self) -> &str {
        self.session_token.as_ref().map_or("", |token| &token.0)
    }

    pub(super) fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub(super) fn allows_region(&self, region: &str) -> bool {
        self.regions.as_ref().is_none_or(|regions| regions.iter().any(|allowed| allowed == region))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    account: String,
    user: String,
    expires: Option<toml::Value>,
    regions: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    collections: Option<Vec<String>>,
}

impl TryFrom<Entry> for Key {
    type Error = KeyError;

    fn try_from(entry: Entry) -> Result<Self, KeyError> {
        let consists_of = |text: &str, longest: usize, others: &str| {
            (1..=longest).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        if !consists_of(&entry.access_key_id, 128, "_-.") {
            return Err(KeyError::AccessKeyId);
        }
        if entry.secret_access_key.0.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        if entry.session_token.as_ref().is_some_and(|token| token.0.is_empty()) {
            return Err(KeyError::EmptyToken);
        }
        if !super::is_account(&entry.account) {
            return Err(KeyError::Account(entry.account));
        }
        if !consists_of(&entry.user, 64, "+=,.@_-") {
            return Err(KeyError::User(entry.user));
        }
        match entry.regions.as_deref() {
            Some([]) => return Err(KeyError::NoRegions),
            Some(regions) => {
                if let Some(wrong) = regions.iter().find(|region| !is_region(region)) {
                    return Err(KeyError::Region(wrong.clone()));
                }
            }
            None => {}
        }
        Ok(Self {
            policy: Arc::new(Policy::parse(
                entry.actions.as_deref(),
                entry.collections.as_deref(),
            )?),
            expires: entry.expires.as_ref().map(parse_instant).transpose()?,
            account: entry.account,
            user: entry.user,
            secret: entry.secret_access_key,
            session_token: entry.session_token,
            regions: entry.regions,
        })
    }
}

/// A TOML date-time, or the same in quotes.
fn parse_instant(value: &toml::Value) -> Result<OffsetDateTime, KeyError> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| KeyError::Expires(text))
}

/// A text that no error and no log may show.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of `Value`: the error of a plain `String` would quote what stands there instead.
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a secret must be a text in quotes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [[key]]
        access_key_id = "AKIDALICE"
        secret_access_key = "hush/alice"
        account = "123456789012"
        user = "alice"

        [[key]]
        access_key_id = "ASIABOB"
        secret_access_key = "hush/bob"
        session_token = "hush/token"
        account = "210987654321"
        user = "bob"
        expires = 2027-01-01T00:00:00Z
        regions = ["eu-west-1"]
        actions = ["IndexFaces", "rekognition:List*"]
        collections = ["prod-*"]
    "#;

    fn parse(text: &str) -> Result<Credentials, CredentialsError> {
        Credentials::parse(text, Path::new("keys.toml"))
    }

    fn refusal(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "the test speaks of {from}");
        parse(&GOOD.replacen(from, to, 1)).expect_err(to).to_string()
    }

    #[test]
    fn a_full_file_is_read() {
        let keys = parse(GOOD).expect("a good file");
        let bob = keys.find("ASIABOB").expect("bob's key");
        assert_eq!(
            (bob.account.as_str(), bob.user.as_str(), bob.secret()),
            ("210987654321", "bob", "hush/bob")
        );
        assert_eq!(bob.session_token(), "hush/token");
        assert!(bob.allows_region("eu-west-1") && !bob.allows_region("us-east-1"));
        assert!(
            bob.policy.allows("ListFaces", Some("prod-1"))
                && !bob.policy.allows("ListFaces", Some("test"))
        );
        let alice = keys.find("AKIDALICE").expect("alice's key");
        assert!(
            alice.allows_region("us-east-1")
                && alice.policy.allows("DeleteCollection", Some("any"))
        );
        assert!(keys.find("AKIDMALLORY").is_none());
    }

    #[test]
    fn expiry_is_the_same_in_quotes_and_out_of_them() {
        let quoted = GOOD.replace("2027-01-01T00:00:00Z", "\"2027-01-01T00:00:00Z\"");
        for text in [GOOD, &quoted] {
            let keys = parse(text).expect("a good file");
            let bob = keys.find("ASIABOB").expect("bob's key");
            let instant = |text| OffsetDateTime::parse(text, &Rfc3339).expect("an instant");
            assert!(!bob.is_expired(instant("2026-12-31T23:59:59Z")));
            assert!(bob.is_expired(instant("2027-01-01T00:00:00Z")));
        }
    }

    #[test]
    fn a_refusal_names_the_file_the_key_and_what_to_do() {
        for (from, to, expected) in [
            (
                "ASIABOB",
                "AKIDALICE",
                r#"credentials file keys.toml, key "AKIDALICE": it is there twice"#,
            ),
            (
                "210987654321",
                "21098765432",
                r#"key "ASIABOB": account "21098765432" must be the 12 digits"#,
            ),
            ("\"bob\"", "\"bob/x\"", r#"key "ASIABOB": user "bob/x" must be"#),
            (
                "2027-01-01T00:00:00Z",
                "2027-01-01",
                r#"key "ASIABOB": expires "2027-01-01" must be"#,
            ),
            ("eu-west-1", "Europe", r#"key "ASIABOB": regions: "Europe" is no region"#),
            ("[\"eu-west-1\"]", "[]", "an empty list allows no region"),
            (
                "IndexFaces",
                "s3:GetObject",
                r#"key "ASIABOB": actions or collections: `s3:GetObject` is no action"#,
            ),
            ("hush/bob", "", r#"key "ASIABOB": secret_access_key is empty"#),
            ("hush/token", "", r#"key "ASIABOB": session_token is empty"#),
            ("ASIABOB", "ASIA/BOB", "access_key_id must be"),
            ("actions", "action", "line 16: unknown field `action`"),
            ("user = \"alice\"", "", "line 2: missing field `user`"),
        ] {
            let refusal = refusal(from, to);
            assert!(refusal.contains(expected), "{to:?} is refused with: {refusal}");
        }
        assert!(parse("").expect_err("no keys").to_string().contains("no [[key]] table"));
        let absent = Credentials::load(Path::new("/nonexistent/keys.toml")).expect_err("no file");
        assert!(absent.to_string().contains("/nonexistent/keys.toml"), "{absent}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let keys = parse(GOOD).expect("a good file");
        assert!(!format!("{keys:?}").contains("hush"), "{keys:?}");
        for (from, to) in [
            ("\"hush/bob\"", "\"hush/bob"),
            ("\"hush/bob\"", "hush/bob"),
            ("\"hush/bob\"", "[\"hush/bob\"]"),
            ("\"hush/bob\"", "\"hush\\x\""),
            ("session_token", "secret_access_key"),
            ("secret_access_key = \"hush/bob\"", "secret_acces_key = \"hush/bob\""),
            ("\"hush/token\"", "{ value = \"hush/token\" }"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = parse(&text).expect_err(to);
            assert!(!format!("{error} {error:?}").contains("hush"), "{to:?}: {error:?}");
        }
        let number =
            parse(&GOOD.replacen("\"hush/bob\"", "8675309", 1)).expect_err("a number is no secret");
        assert!(!format!("{number} {number:?}").contains("8675309"), "{number}");
    }
}
