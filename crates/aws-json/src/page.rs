//! Pagination tokens: opaque, at most 255 characters, and good only for the list that gave them
//! out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::{ApiError, ApiResult, ErrorCode};

const SEAL_BYTES: usize = 8;

/// The list that a token belongs to.
pub struct Listing<'a> {
    /// What tells this list from all others: operation, account, region, collection, filters.
    pub parts: &'a [&'a str],
}

impl Listing<'_> {
    /// The token that makes the list go on behind `position`.
    pub fn token(&self, position: &[u8]) -> String {
        let mut token = self.seal(position).to_vec();
        token.extend_from_slice(position);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The position that a request's token stands for, if it has one.
    pub fn after<const N: usize>(&self, token: Option<&str>) -> ApiResult<Option<[u8; N]>> {
        token.map(|token| self.position(token)).transpose()
    }

    /// The position inside a token; `InvalidPaginationTokenException` for one that this list did
    /// not give out.
    fn position<const N: usize>(&self, token: &str) -> ApiResult<[u8; N]> {
        let invalid = || {
            ApiError::new(ErrorCode::InvalidPaginationTokenException, "Invalid Pagination Token")
        };
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let (seal, position) = token.split_at_checked(SEAL_BYTES).ok_or_else(invalid)?;
        if seal != self.seal(position) {
            return Err(invalid());
        }
        position.try_into().map_err(|_| invalid())
    }

    /// A checksum against accidents and mix-ups. It keeps nothing secret: a position is no more
    /// than a row's key.
    fn seal(&self, position: &[u8]) -> [u8; SEAL_BYTES] {
        let mut hash = Sha256::new();
        for part in self.parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.update(position);
        let mut seal = [0; SEAL_BYTES];
        seal.copy_from_slice(&hash.finalize()[..SEAL_BYTES]);
        seal
    }
}

/// The items of one page, cut from a query for one item more than the page holds.
pub struct Page<T> {
    pub items: Vec<T>,
    more: bool,
}

impl<T> Page<T> {
    pub fn cut(mut items: Vec<T>, size: usize) -> Self {
        let more = items.len() > size;
        items.truncate(size);
        Self { items, more }
    }

    /// The last item of a page that others follow: the list goes on behind it.
    pub fn last_if_more(&self) -> Option<&T> {
        self.items.last().filter(|_| self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: Listing<'_> =
        Listing { parts: &["ListFaces", "123456789012", "eu-west-1", "staff"] };

    #[test]
    fn a_token_brings_its_position_back() {
        let token = LISTING.token(&7_i64.to_be_bytes());
        assert_eq!(LISTING.position(&token).unwrap(), 7_i64.to_be_bytes());
    }

    #[test]
    fn a_token_of_another_list_or_a_changed_one_is_refused() {
        let token = LISTING.token(&7_i64.to_be_bytes());
        let other = Listing { parts: &["ListFaces", "123456789012", "eu-west-1", "guests"] };
        assert!(other.position::<8>(&token).is_err());
        for text in [
            "",
            "x",
            "not a token",
            &token[1..],
            &token.replace(&token[..1], "_"),
            &format!("{token}AA"),
        ] {
            let error = LISTING.position::<8>(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidPaginationTokenException, "{text}");
        }
    }
}
