//! The lines of an export: JSON objects, each with one member that states its kind.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use lookalike_store::{BoundingBox, PackId, StoredFace};

/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// The longest line, its end included: a collection with 200 tags fits.
pub const LONGEST_LINE: usize = 1 << 20;
/// The media type of an export.
pub const MEDIA_TYPE: &str = "application/jsonl";
/// The header of an export that states how many faces follow, about.
pub const FACES_HEADER: &str = "x-lookalike-faces";

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<'a> {
    /// The first one.
    LookalikeExport(Header),
    /// Begins a collection; its users follow, then its faces.
    Collection(CollectionLine),
    /// A user's id.
    User(String),
    #[serde(borrow)]
    Face(Box<FaceLine<'a>>),
    /// The last one.
    End(End),
}

/// Which format the file has, and who wrote it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub version: u32,
    pub server: String,
}

/// A collection, and how many rows of it follow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionLine {
    pub account: String,
    pub region: String,
    pub name: String,
    /// The emulated AWS version.
    pub face_model_version: String,
    pub pack: PackLine,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    pub tags: BTreeMap<String, String>,
    pub users: u64,
    pub faces: u64,
}

/// The pack whose vectors follow; its version ends in the vector space.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackLine {
    pub name: String,
    pub version: String,
}

/// A face.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceLine<'a> {
    pub face_id: Uuid,
    pub image_id: Uuid,
    /// Hexadecimal.
    pub image_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_image_id: Option<String>,
    /// Position among all faces of the image.
    pub ordinal: u32,
    /// Left, top, width and height, as ratios of the image; 32-bit floats, widened.
    #[serde(rename = "box")]
    pub bounding_box: [f64; 4],
    /// 0..=100, a 32-bit float, widened.
    pub confidence: f64,
    pub face_model_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// 32-bit floats, little-endian, in base64.
    #[serde(borrow)]
    pub vector: Cow<'a, str>,
}

/// How much came before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub collections: u64,
    pub users: u64,
    pub faces: u64,
    /// SHA-256 of all bytes before this line, hexadecimal.
    pub sha256: String,
}

/// A collection that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    pub account: String,
    pub region: String,
    pub collection: String,
    pub users: u64,
    pub faces: u64,
}

impl From<&PackId> for PackLine {
    fn from(pack: &PackId) -> Self {
        Self { name: pack.name.clone(), version: pack.version.clone() }
    }
}

impl From<PackLine> for PackId {
    fn from(pack: PackLine) -> Self {
        Self { name: pack.name, version: pack.version }
    }
}

impl From<StoredFace> for FaceLine<'static> {
    fn from(face: StoredFace) -> Self {
        let BoundingBox { left, top, width, height } = face.bounding_box;
        let bytes: Vec<u8> = face.vector.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self {
            face_id: face.face_id,
            image_id: face.image_id,
            image_sha256: hex::encode(face.image_sha256),
            external_image_id: face.external_image_id,
            ordinal: face.ordinal,
            bounding_box: [left, top, width, height].map(f64::from),
            confidence: face.confidence.into(),
            face_model_version: face.model_version,
            user: face.user_id,
            vector: STANDARD.encode(bytes).into(),
        }
    }
}

impl TryFrom<FaceLine<'_>> for StoredFace {
    type Error = String;

    fn try_from(line: FaceLine<'_>) -> Result<Self, String> {
        let [left, top, width, height] = line.bounding_box.map(|side| side as f32);
        Ok(Self {
            face_id: line.face_id,
            image_id: line.image_id,
            image_sha256: digest(&line.image_sha256)
                .ok_or("image_sha256 is not 64 hexadecimal digits")?,
            external_image_id: line.external_image_id,
            ordinal: line.ordinal,
            bounding_box: BoundingBox { left, top, width, height },
            confidence: line.confidence as f32,
            model_version: line.face_model_version,
            user_id: line.user,
            vector: vector(&line.vector).ok_or("vector is not base64 of 32-bit floats")?,
        })
    }
}

fn vector(text: &str) -> Option<Vec<f32>> {
    let bytes = STANDARD.decode(text).ok()?;
    let (chunks, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok().map(|()| digest)
}
