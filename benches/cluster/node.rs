//! A node: a store and the gallery over it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use lookalike::gallery::{Gallery, MemberKind};
use lookalike_store::{
    BoundingBox, ChangeSink, Collection, Face, IndexFaces, NewCollection, NewFace, PackId, Store,
    Tenant, VectorSource,
};
use uuid::Uuid;

const DIMENSION: usize = 128;
const MIN_COSINE: f32 = 0.4;
const MOST_HITS: usize = 80;

pub struct Node {
    pub store: Arc<dyn Store>,
    gallery: Arc<Gallery>,
}

fn tenant() -> Tenant {
    Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() }
}

impl Node {
    pub fn over<S: Store + 'static>(store: Arc<S>) -> Self {
        let threads = available_parallelism().map_or(1, NonZero::get);
        let source: Arc<dyn VectorSource> = store.clone();
        let gallery = Arc::new(Gallery::new(source, threads).expect("search threads"));
        let sink: Arc<dyn ChangeSink> = gallery.clone();
        store.subscribe(&sink);
        gallery.sweep();
        Self { store, gallery }
    }

    pub async fn collection(&self, name: &str) -> Collection {
        let new = NewCollection {
            name: name.to_owned(),
            model_version: "7.0".to_owned(),
            pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
            tags: BTreeMap::new(),
        };
        self.store.create_collection(&tenant(), new).await.expect("a collection")
    }

    pub async fn search(&self, name: &str, probe: &[f32]) -> Vec<Face> {
        let collection = self.store.collection(&tenant(), name).await.expect("the collection");
        let search =
            self.gallery.search(&collection, MemberKind::Faces, probe, MIN_COSINE, MOST_HITS);
        let rows: Vec<i64> = search.await.expect("hits").hits.iter().map(|hit| hit.id).collect();
        self.store.faces_by_rows(collection.key, &rows).await.expect("faces")
    }
}

/// The unit vector of a face, always the same for the same number; four at a time are of a person.
pub fn vector(number: u64) -> Vec<f32> {
    let (person, own) = (noise(!(number / 4)), noise(number));
    unit(person.iter().zip(own).map(|(person, own)| person + 0.6 * own).collect())
}

/// A unit vector without pattern.
fn noise(number: u64) -> Vec<f32> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut normal = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of eight bytes is normal enough.
        state.to_le_bytes().map(f32::from).iter().sum::<f32>() - 8.0 * 127.5
    };
    unit((0..DIMENSION).map(|_| normal()).collect())
}

fn unit(values: Vec<f32>) -> Vec<f32> {
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / norm).collect()
}

pub fn image(collection: &Collection, number: u64, faces: u32) -> IndexFaces {
    let mut image_sha256 = [0; 32];
    image_sha256[..8].copy_from_slice(&number.to_le_bytes());
    let face = |ordinal| NewFace {
        face_id: Uuid::new_v4(),
        ordinal,
        bounding_box: BoundingBox { left: 0.31, top: 0.22, width: 0.13, height: 0.17 },
        confidence: 99.9,
        vector: vector((number << 8) + u64::from(ordinal)),
    };
    IndexFaces {
        collection: collection.clone(),
        image_sha256,
        external_image_id: Some(format!("photo-{number}.jpg")),
        image_id: Uuid::from_u128(u128::from(number)),
        model_version: "7.0".to_owned(),
        faces: (0..faces).map(face).collect(),
    }
}
