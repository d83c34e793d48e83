//! What a commit changed, for those that keep a copy in step.

use std::time::Duration;

use super::rows::CollectionKey;

/// A face as the search keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceVector {
    /// The face's row, unique over all collections and never used again.
    pub row: i64,
    /// Unit length.
    pub vector: Vec<f32>,
}

/// One committed change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// New faces.
    FacesAdded { collection: CollectionKey, faces: Vec<FaceVector> },
    /// Faces that are gone, by row.
    FacesRemoved { collection: CollectionKey, rows: Vec<i64> },
    /// A user whose set of faces changed, with the vectors of all its faces in the order of their
    /// rows; empty when it has none left.
    UserFaces { collection: CollectionKey, user: i64, vectors: Vec<Vec<f32>> },
    /// A user that is gone, by row.
    UserRemoved { collection: CollectionKey, user: i64 },
    /// A collection that is gone with all it held.
    CollectionDropped { collection: CollectionKey },
}

impl Change {
    /// The collection that changed.
    pub fn collection(&self) -> CollectionKey {
        match self {
            Self::FacesAdded { collection, .. }
            | Self::FacesRemoved { collection, .. }
            | Self::UserFaces { collection, .. }
            | Self::UserRemoved { collection, .. }
            | Self::CollectionDropped { collection } => *collection,
        }
    }
}

/// Takes committed changes.
pub trait ChangeSink: Send + Sync {
    /// Called in commit order, after the changes are durable and before the writes that made them
    /// are answered. Writes wait for it, so it must be quick and must not block.
    fn committed(&self, changes: &[Change]);

    /// Called after each transaction with what it held and how long it took, flush included.
    fn flushed(&self, _writes: usize, _took: Duration) {}
}
