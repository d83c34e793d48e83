//! What a commit changed, for those that keep a copy in step.

use std::time::Duration;

use super::rows::{CollectionKey, Revision};

/// A face as the search keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceVector {
    /// The face's row, unique within its collection and never used again.
    pub row: i64,
    /// At most of length 1: the length is the weight of the view.
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

/// From which state to which a commit took the one collection that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub collection: CollectionKey,
    pub from: Revision,
    pub to: Revision,
}

/// What changed in a collection since a state of it, by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Since<T> {
    /// The state that the rows are of.
    pub to: Revision,
    pub rows: Vec<(i64, Option<T>)>,
}

/// Takes committed changes.
pub trait ChangeSink: Send + Sync {
    /// Called in the commit order of each collection, after the changes are durable and before the
    /// writes that made them are answered. Writes wait for it, so it must be quick and must not
    /// block.
    ///
    /// Without a step, every write to the collections passes this store. With one, other nodes may
    /// write between two calls: a copy that is not at [`Step::from`] catches up by itself.
    fn committed(&self, changes: &[Change], step: Option<Step>);

    /// Called after each transaction with what it held and how long it took, flush included.
    fn flushed(&self, _writes: usize, _took: Duration) {}
}
