//! What the operation of a request finds out: noted while it runs, read once it is answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_json::ErrorCode;
use lookalike_vision::Reason;
use lookalike_vision::image::Format;
use uuid::Uuid;

/// Notes about one request.
#[derive(Debug, Default)]
pub struct Findings(Mutex<Found>);

/// The notes themselves.
#[derive(Debug, Default)]
pub struct Found {
    pub images: Vec<SeenImage>,
    pub fetches: Vec<Fetch>,
    /// Faces that were stored.
    pub indexed: usize,
    /// Why faces were not stored; the first reason of each.
    pub unindexed: Vec<Reason>,
    pub search: Option<SearchFound>,
    pub change: Option<Change>,
    /// The collection, where the request names it in another way than most.
    pub collection: Option<String>,
}

/// Reading an object of S3.
#[derive(Debug, Clone, Copy)]
pub struct Fetch {
    pub took: Duration,
    pub error: Option<ErrorCode>,
}

/// Where an image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageOrigin {
    /// The request itself.
    Bytes,
    S3,
    /// Nowhere: a declared answer stood for it.
    Declared,
}

/// An image that was looked at.
#[derive(Debug, Clone, Copy)]
pub struct SeenImage {
    pub origin: ImageOrigin,
    /// None for what is neither JPEG nor PNG.
    pub format: Option<Format>,
    /// Width and height, and the number of faces; none where it could not be decoded.
    pub contents: Option<((u32, u32), usize)>,
}

/// What a search of a collection came to.
#[derive(Debug, Clone, Copy)]
pub struct SearchFound {
    /// Vectors that were compared.
    pub candidates: usize,
    /// Of the best match that reached the threshold.
    pub top_similarity: Option<f32>,
}

/// What a request changed, by id.
#[derive(Debug, Default)]
pub struct Change {
    pub faces: Vec<Uuid>,
    pub user: Option<String>,
}

impl Findings {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an image.
    pub fn image(&self, image: SeenImage) {
        self.found().images.push(image);
    }

    /// Notes that an object was read, or was not.
    pub fn fetch(&self, fetch: Fetch) {
        self.found().fetches.push(fetch);
    }

    /// Notes how many faces were stored, and why others were not.
    pub fn indexed(&self, indexed: usize, unindexed: impl IntoIterator<Item = Reason>) {
        let mut found = self.found();
        found.indexed = indexed;
        found.unindexed.extend(unindexed);
    }

    /// Notes a search.
    pub fn search(&self, search: SearchFound) {
        self.found().search = Some(search);
    }

    /// Notes the collection that the request is about.
    pub fn collection(&self, name: &str) {
        self.found().collection = Some(name.to_owned());
    }

    /// Notes a change of these faces, for this user where there is one.
    pub fn changed(&self, faces: impl IntoIterator<Item = Uuid>, user: Option<&str>) {
        let faces = faces.into_iter().collect();
        self.found().change = Some(Change { faces, user: user.map(ToOwned::to_owned) });
    }

    /// All notes, which are then forgotten.
    pub(super) fn take(&self) -> Found {
        std::mem::take(&mut *self.found())
    }
}

impl Found {
    /// Faces in all images; none where no image was decoded.
    pub fn faces(&self) -> Option<usize> {
        let counts = self.images.iter().filter_map(|image| image.contents.map(|(_, faces)| faces));
        counts.reduce(|sum, faces| sum + faces)
    }
}
