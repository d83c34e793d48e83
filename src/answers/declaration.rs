//! A declared answer, as a request states it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::detail::Detail;
use crate::faults::{error_code, read_only};
use aws_json::ErrorCode;

/// Longer than any client waits.
const MOST_MILLISECONDS: u64 = 120_000;
const MOST_FACES: usize = 100;

/// What is answered for an image without looking at it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Declaration {
    /// What the server calls it.
    #[serde(deserialize_with = "read_only")]
    #[schema(read_only)]
    pub id: u64,
    /// For how many images it stood.
    #[serde(deserialize_with = "read_only")]
    #[schema(read_only)]
    pub used: u64,
    pub image: ImagePattern,
    /// Operations, such as `IndexFaces` or `Search*`; none means all that take an image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// Twelve digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The faces in the image; an empty list is an image without faces. Without this member the
    /// networks look at the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faces: Option<Vec<DeclaredFace>>,
    /// An error of AWS, such as `InvalidImageFormatException`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error's text, where it is not to be AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A delay of the answer.
    pub latency_ms: u64,
    /// Holds for so many images and no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

/// Which images are meant: those that all its members describe, or every image if it has none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImagePattern {
    /// SHA-256 of the bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The ExternalImageId of IndexFaces; `*` stands for any text, `?` for one character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_image_id: Option<String>,
    /// Bucket and name of an object, such as `photos/ann/*`. The object need not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_object: Option<String>,
}

/// A face that is declared to be in an image. Faces of one person are alike, those of different
/// persons are not.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeclaredFace {
    /// Any name for whose face it is. Without it, and without `face_id` or `user_id`, the face is
    /// that of somebody who is in no other image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// A face of the collection that this one is like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_id: Option<Uuid>,
    /// A user of the collection that this face is like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// How alike it is, 0 to 100; 100 if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f32>,
    /// What AWS calls a FaceDetail: box, attributes, quality. What is left out is that of a good
    /// portrait.
    pub detail: Detail,
}

impl ImagePattern {
    /// The digest, if there is one.
    pub(super) fn digest(&self) -> Result<Option<[u8; 32]>, String> {
        let Some(text) = &self.sha256 else { return Ok(None) };
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest)
            .map_err(|_| format!("{text:?} is no SHA-256 in hexadecimal"))?;
        Ok(Some(digest))
    }
}

impl Declaration {
    /// The code of the error, if it is one.
    pub(super) fn code(&self) -> Result<Option<ErrorCode>, String> {
        error_code(self.error.as_deref())
    }

    /// What is wrong with the declaration itself.
    pub(super) fn check(&self) -> Result<(), String> {
        self.image.digest()?;
        if self.code()?.is_some() && self.faces.is_some() {
            return Err("it has both faces and an error: declare one of the two".to_owned());
        }
        if self.faces.is_none() && self.error.is_none() && self.latency_ms == 0 {
            return Err("it answers nothing: give it faces, an error or latency_ms".to_owned());
        }
        if self.latency_ms > MOST_MILLISECONDS {
            return Err(format!("latency_ms may be {MOST_MILLISECONDS} at most"));
        }
        let faces = self.faces.as_deref().unwrap_or_default();
        if faces.len() > MOST_FACES {
            return Err(format!("an image may have {MOST_FACES} faces at most"));
        }
        let mut faces = faces.iter().enumerate();
        faces.try_for_each(|(index, face)| {
            face.check().map_err(|wrong| format!("faces[{index}]: {wrong}"))
        })
    }
}

impl DeclaredFace {
    fn check(&self) -> Result<(), String> {
        let targets = [self.person.is_some(), self.face_id.is_some(), self.user_id.is_some()];
        if targets.into_iter().filter(|given| *given).count() > 1 {
            return Err("it has more than one of person, face_id and user_id".to_owned());
        }
        if !self.similarity.is_none_or(|similarity| (0.0..=100.0).contains(&similarity)) {
            return Err("similarity is not within 0 and 100".to_owned());
        }
        self.detail.check()
    }
}
