//! The image of a request: bytes for the networks, or faces that were declared to be in it.

use sha2::{Digest as _, Sha256};

use super::scene::Vector;
use super::{Context, Searchable};
use crate::answers::{DeclaredFace, Likeness, Shown};
use crate::objects::ImageBytes;
use crate::operations::error::OperationResult;
use crate::shapes::ImageLocation;
use lookalike_search::user_vector;
use lookalike_vision::AnalyzedFace;
use lookalike_vision::image::{DecodeError, DecodePlan};

/// Larger images are read off the async threads.
const LIGHT_BYTES: usize = 64 << 10;

/// An image to look at.
pub enum Picture {
    Readable(Readable),
    Declared(DeclaredPicture),
}

/// Bytes that may be an image.
pub struct Readable {
    pub bytes: ImageBytes,
    pub plan: Result<DecodePlan, DecodeError>,
}

/// Faces that were declared, with the vectors that stand for them.
pub struct DeclaredPicture {
    digest: [u8; 32],
    pub faces: Vec<(AnalyzedFace, Vector)>,
}

impl From<ImageBytes> for Picture {
    fn from(bytes: ImageBytes) -> Self {
        let plan = off_the_async_threads(&bytes, DecodePlan::of);
        Self::Readable(Readable { bytes, plan })
    }
}

fn off_the_async_threads<T>(bytes: &[u8], work: impl FnOnce(&[u8]) -> T) -> T {
    if bytes.len() > LIGHT_BYTES {
        tokio::task::block_in_place(|| work(bytes))
    } else {
        work(bytes)
    }
}

impl Picture {
    /// How it is going to be decoded, if at all.
    pub fn plan(&self) -> Option<&DecodePlan> {
        match self {
            Self::Readable(Readable { plan, .. }) => plan.as_ref().ok(),
            Self::Declared(_) => None,
        }
    }

    /// What the duplicate rule knows the image by: SHA-256 of its bytes, or of its name where
    /// nobody has read them.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Readable(Readable { bytes, .. }) => Sha256::digest(&**bytes).into(),
            Self::Declared(declared) => declared.digest,
        }
    }
}

/// What a request states of its image.
pub struct Asked<'a> {
    pub operation: &'static str,
    pub external_image_id: Option<&'a str>,
    /// Where its faces are to be kept or searched.
    pub searchable: Option<&'a Searchable>,
}

impl<'a> Asked<'a> {
    /// An image that is searched for in a collection, or by itself.
    pub fn by(operation: &'static str, searchable: Option<&'a Searchable>) -> Self {
        Self { operation, external_image_id: None, searchable }
    }
}

impl Context {
    /// What is at a location: the latest declared answer that fits it, or else its bytes.
    pub async fn picture(
        &self,
        asked: Asked<'_>,
        location: ImageLocation,
    ) -> OperationResult<Picture> {
        let answers = &self.app.answers;
        if answers.is_empty() {
            return Ok(self.image_bytes(asked.operation, location).await?.into());
        }
        let object = match &location {
            ImageLocation::Request(_) => None,
            ImageLocation::S3 { bucket, name, .. } => {
                Some(format!("{}/{}", bucket.as_str(), name.as_str()))
            }
        };
        let shown = Shown {
            operation: asked.operation,
            tenant: &self.tenant,
            external_image_id: asked.external_image_id,
            s3_object: object.as_deref(),
            digest: None,
        };
        // A declared object need not exist.
        if let Some(object) = &object
            && let Some(entry) = answers.find(shown)
            && let Some(faces) = entry.faces().await?
        {
            let digest = Sha256::digest(object).into();
            return Ok(Picture::Declared(self.declared(&asked, digest, faces).await?));
        }
        let bytes = self.image_bytes(asked.operation, location).await?;
        let hash = |bytes: &[u8]| -> [u8; 32] { Sha256::digest(bytes).into() };
        let digest = off_the_async_threads(&bytes, hash);
        if let Some(entry) = answers.find(Shown { digest: Some(&digest), ..shown })
            && let Some(faces) = entry.faces().await?
        {
            return Ok(Picture::Declared(self.declared(&asked, digest, faces).await?));
        }
        Ok(bytes.into())
    }

    async fn declared(
        &self,
        asked: &Asked<'_>,
        digest: [u8; 32],
        declared: &[DeclaredFace],
    ) -> OperationResult<DeclaredPicture> {
        let vision = asked.searchable.map_or(self.app.packs.served(), |own| &own.vision);
        let mut faces = Vec::with_capacity(declared.len());
        for (index, face) in declared.iter().enumerate() {
            let place = format!("{digest:02x?} {index}");
            let vector = self.target(asked.searchable, face).await?;
            let likeness = match (&vector, &face.person) {
                (Some(vector), _) => Likeness::Vector(vector),
                (None, Some(person)) => Likeness::Person(person),
                // Of nobody else; also if what it is like is not in the collection.
                (None, None) => Likeness::Person(&place),
            };
            let vector = face.vector(likeness, &place, vision.pack());
            faces.push((face.face(index, declared.len()), vector));
        }
        Ok(DeclaredPicture { digest, faces })
    }

    /// The vector of the face or user that a declared face is like.
    async fn target(
        &self,
        searchable: Option<&Searchable>,
        face: &DeclaredFace,
    ) -> OperationResult<Option<Vec<f32>>> {
        let Some(searchable) = searchable else { return Ok(None) };
        let (store, key) = (&self.app.store, searchable.collection.key);
        if let Some(face_id) = face.face_id {
            return Ok(store.face_vector(key, face_id).await?.map(|found| found.vector));
        }
        let Some(user_id) = &face.user_id else { return Ok(None) };
        match store.user(key, user_id).await? {
            Some(user) => Ok(user_vector(&store.user_vectors(key, user.row).await?)),
            None => Ok(None),
        }
    }
}
