//! What goes into the store and what comes out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tenant::Tenant;

/// Names one collection for as long as it lives; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionKey(pub i64);

/// The model pack whose vectors a collection holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackId {
    /// As in `pack.toml`.
    pub name: String,
    /// Tells apart all packs whose vectors cannot be compared.
    pub version: String,
}

/// A collection to be made.
#[derive(Debug, Clone)]
pub struct NewCollection {
    /// Unique within the tenant; letter case counts.
    pub name: String,
    /// The emulated AWS version, for example `7.0`.
    pub model_version: String,
    pub pack: PackId,
    pub tags: BTreeMap<String, String>,
}

/// A collection as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub key: CollectionKey,
    pub name: String,
    pub model_version: String,
    pub pack: PackId,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
    pub face_count: u64,
    pub user_count: u64,
    /// Which of its states this is.
    pub revision: Revision,
    /// Rows of faces and users are below this one; `i64::MAX` where they are not numbered by the
    /// collection.
    pub next_row: i64,
}

/// Names a state of a collection, where several nodes write to one database; the default where one
/// process does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Rises by one with each commit.
    pub version: i64,
    /// Drawn by the commit: tells apart two histories that have the same version, as after the loss
    /// of a primary whose last commits no replica had.
    pub nonce: i64,
}

/// Rows from one up to another, which is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowRange {
    /// At least 1, as every row is.
    pub first: i64,
    pub end: i64,
}

impl RowRange {
    /// Every row.
    pub const ALL: Self = Self { first: 1, end: i64::MAX };

    /// Whether a row is in it.
    pub fn contains(self, row: i64) -> bool {
        (self.first..self.end).contains(&row)
    }
}

/// What the collections of a tenant hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantTotals {
    pub tenant: Tenant,
    pub collections: u64,
    pub faces: u64,
    pub users: u64,
}

/// A box in ratios of the upright image's width and height; may reach past the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl BoundingBox {
    /// Intersection over union, 0..=1; 0 for two empty boxes.
    pub fn iou(&self, other: &Self) -> f32 {
        let side = |a: f32, a_size: f32, b: f32, b_size: f32| {
            ((a + a_size).min(b + b_size) - a.max(b)).max(0.0)
        };
        let shared = side(self.left, self.width, other.left, other.width)
            * side(self.top, self.height, other.top, other.height);
        let union = self.width * self.height + other.width * other.height - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }
}

/// The faces of one image that are to be kept.
#[derive(Debug, Clone)]
pub struct IndexFaces {
    /// As a look-up gave it: its key names it, its name goes into errors.
    pub collection: Collection,
    /// SHA-256 of the image's bytes, for the duplicate rule.
    pub image_sha256: [u8; 32],
    pub external_image_id: Option<String>,
    pub image_id: Uuid,
    /// The version written into each face.
    pub model_version: String,
    pub faces: Vec<NewFace>,
}

/// One face to be kept.
#[derive(Debug, Clone)]
pub struct NewFace {
    /// What the face is called unless it is kept already. No other face of the collection may have
    /// that id.
    pub face_id: Uuid,
    /// Position among all faces detected in the image, so that it does not depend on how many of
    /// them are kept.
    pub ordinal: u32,
    pub bounding_box: BoundingBox,
    /// 0..=100.
    pub confidence: f32,
    /// At most of length 1: the length is the weight of the view.
    pub vector: Vec<f32>,
}

/// A face as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// What the search calls it; unique within its collection.
    pub row: i64,
    pub face_id: Uuid,
    pub image_id: Uuid,
    pub external_image_id: Option<String>,
    pub bounding_box: BoundingBox,
    /// 0..=100.
    pub confidence: f32,
    pub model_version: String,
    /// The user it is associated with.
    pub user_id: Option<String>,
}

/// Which faces to list; both conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct FaceFilter {
    /// Faces of this user.
    pub user_id: Option<String>,
    /// Faces with one of these ids.
    pub face_ids: Option<Vec<Uuid>>,
}

/// What became of a face that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaceDeletion {
    Deleted,
    NotFound,
    /// Refused: the face belongs to this user.
    AssociatedTo(String),
}

/// A user as it is; it is active once it has a face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the search calls it; rises in the order of creation.
    pub row: i64,
    pub user_id: String,
    pub face_count: u64,
}

impl User {
    /// Whether the user has faces: AWS's status `ACTIVE`, as opposed to `CREATED`.
    pub fn is_active(&self) -> bool {
        self.face_count > 0
    }
}

/// How alike (0..=100) a user, given by the vectors of its faces, and a candidate face are.
pub type Similarity = Arc<dyn Fn(&[Vec<f32>], &[f32]) -> f32 + Send + Sync>;

/// Faces to be given to a user.
#[derive(Clone)]
pub struct AssociateFaces {
    /// As a look-up gave it: its key names it, its name goes into errors.
    pub collection: Collection,
    pub user_id: String,
    pub face_ids: Vec<Uuid>,
    /// A face less alike than this is refused, unless it is the user's first.
    pub threshold: f32,
    /// Runs within the write: pure and quick.
    pub similarity: Similarity,
}

impl fmt::Debug for AssociateFaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssociateFaces")
            .field("collection", &self.collection.name)
            .field("user_id", &self.user_id)
            .field("face_ids", &self.face_ids)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// What an association did; faces that were this user's already are in neither list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Association {
    pub associated: Vec<Uuid>,
    pub unsuccessful: Vec<(Uuid, AssociationFailure)>,
    /// Whether the user then had faces.
    pub is_active: bool,
}

/// Why a face was not associated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AssociationFailure {
    FaceNotFound,
    /// It belongs to this user.
    AssociatedToADifferentUser(String),
    /// Its similarity to the user, 0..=100.
    LowMatchConfidence(f32),
}

/// Faces to be taken from a user.
#[derive(Debug, Clone)]
pub struct DisassociateFaces {
    /// As a look-up gave it: its key names it, its name goes into errors.
    pub collection: Collection,
    pub user_id: String,
    pub face_ids: Vec<Uuid>,
}

/// What a disassociation did; faces of no user are in neither list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disassociation {
    pub disassociated: Vec<Uuid>,
    pub unsuccessful: Vec<(Uuid, DisassociationFailure)>,
    /// Whether the user then had faces.
    pub is_active: bool,
}

/// Why a face was not disassociated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisassociationFailure {
    FaceNotFound,
    /// It belongs to this user.
    AssociatedToADifferentUser(String),
}

/// Bytes that a store takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Tables and their indexes.
    pub database: u64,
    /// The write-ahead log, where it is this store's own.
    pub log: Option<u64>,
}

/// A client request token. For 24 hours, or until the collection is deleted, the same token with
/// the same request gives the outcome of the first success again, and with another request fails.
/// Each operation of each tenant has tokens of its own.
#[derive(Debug, Clone)]
pub struct Idempotency {
    pub tenant: Tenant,
    pub token: String,
    /// A digest of all request members but the token.
    pub request_hash: [u8; 32],
}
