//! A face as a collection gives it back.

use serde::Serialize;
use uuid::Uuid;

use super::face::BoundingBox;
use aws_json::Number;

/// A face of a collection; its numbers have six significant digits, as on AWS.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredFace {
    face_id: Uuid,
    bounding_box: BoundingBox,
    image_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_image_id: Option<String>,
    confidence: Number,
    index_faces_model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

impl From<lookalike_store::Face> for StoredFace {
    fn from(face: lookalike_store::Face) -> Self {
        Self {
            face_id: face.face_id,
            bounding_box: BoundingBox::stored(face.bounding_box),
            image_id: face.image_id,
            external_image_id: face.external_image_id,
            confidence: Number::stored(face.confidence),
            index_faces_model_version: face.model_version,
            user_id: face.user_id,
        }
    }
}
