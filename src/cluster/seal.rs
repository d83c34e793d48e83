//! By what nodes of one database know one another: a secret that the database keeps.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the seal of a body, in hexadecimal.
pub const SEAL: HeaderName = HeaderName::from_static("x-lookalike-seal");

/// Seals what nodes send, with HMAC-SHA-256.
pub struct Seal(hmac::Key);

/// What is sealed: an answer belongs to one question.
#[derive(Clone, Copy)]
pub enum Message<'a> {
    Question,
    /// To the question with this seal.
    Answer(&'a [u8]),
}

impl Seal {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, secret))
    }

    /// The seal of a body.
    pub fn of(&self, message: Message<'_>, body: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, &sealed(message, body)).as_ref().to_vec()
    }

    /// Whether that is the seal of a body; takes the same time for every wrong one.
    pub fn is(&self, seal: &[u8], message: Message<'_>, body: &[u8]) -> bool {
        hmac::verify(&self.0, &sealed(message, body), seal).is_ok()
    }
}

fn sealed(message: Message<'_>, body: &[u8]) -> Vec<u8> {
    match message {
        Message::Question => [b"question\0", body].concat(),
        Message::Answer(seal) => [b"answer\0", seal, body].concat(),
    }
}

/// The seal in a header, if there is a whole one.
pub fn read(headers: &HeaderMap) -> Option<Vec<u8>> {
    let seal = hex::decode(headers.get(SEAL)?.as_bytes()).ok()?;
    (seal.len() == 32).then_some(seal)
}

/// The value of the header.
pub fn value(seal: &[u8]) -> HeaderValue {
    hex::encode(seal).parse().expect("hexadecimal is ASCII")
}
