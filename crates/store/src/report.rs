//! What a check of all that is kept finds.

use std::cmp::Ordering;

use uuid::Uuid;

use crate::open_error::OpenError;

/// More than this would only be more of the same.
pub(crate) const MAX_DAMAGE: usize = 100;

/// What a folder or a database holds, and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub collections: u64,
    pub faces: u64,
    /// One sentence each; empty when all is well.
    pub damage: Vec<String>,
}

impl Report {
    /// Whether the schema found is the one that this version knows, so that its rows can be read.
    /// `remedy` goes on after "an earlier version wrote". Fails for the schema of a later version.
    pub(crate) fn has_known_schema(
        &mut self,
        found: i64,
        known: i64,
        remedy: &str,
    ) -> Result<bool, OpenError> {
        match found.cmp(&known) {
            Ordering::Greater => return Err(OpenError::NewerSchema { found, known }),
            Ordering::Less => self.damage.push(format!("an earlier version wrote {remedy}")),
            Ordering::Equal => {}
        }
        Ok(found == known)
    }

    /// Notes that a stored vector does not have its checksum.
    pub(crate) fn vector_is_damaged(&mut self, face_id: Uuid, collection: &str) {
        let text = format!("the vector of face {face_id} in collection {collection} is damaged");
        self.damage.push(text);
    }
}
