//! What is random or of the moment elsewhere, the same at every run: for tests that compare whole
//! answers.

use std::sync::Arc;

use lookalike_store::{Clock, Collection, NewFace};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// 2026-01-01 in milliseconds since 1970-01-01 UTC: the time at which all is made.
const NOW: i64 = 1_767_225_600_000;

/// Where the ids of new faces come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceIds {
    Random,
    /// The same for the same face of the same image in a collection of the same name. So a face
    /// that is indexed again after its deletion gets its old id.
    Seeded(u64),
}

impl FaceIds {
    /// Names a face that may be new.
    pub fn name(self, collection: &Collection, image_id: Uuid, face: &mut NewFace) {
        let Self::Seeded(seed) = self else {
            face.face_id = Uuid::new_v4();
            return;
        };
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(image_id.as_bytes());
        hash.update(face.ordinal.to_le_bytes());
        let place = face.bounding_box;
        for side in [place.left, place.top, place.width, place.height] {
            hash.update(side.to_le_bytes());
        }
        hash.update(&collection.name);
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        face.face_id = Builder::from_random_bytes(bytes).into_uuid();
    }
}

/// A clock that stands still.
pub fn clock() -> Clock {
    Arc::new(|| NOW)
}
