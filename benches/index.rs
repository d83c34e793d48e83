//! The store: writes a second with 1, 8 and 64 writers, the load of a large collection by itself
//! and into the search, the look-up of hits, deletions.
//!
//! `cargo bench --bench index` writes a million faces of 128 numbers into a directory of its own
//! below the system's temporary directory (set `TMPDIR` to measure another disk); run by `cargo
//! test`, it only checks that it works.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and shares of them, for people to read"
)]

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use lookalike::gallery::{Gallery, MemberKind};
use lookalike_store::Tenant;
use lookalike_store::{
    BoundingBox, Collection, IndexFaces, Location, NewCollection, NewFace, PackId, RowRange,
    Sqlite, Store, VectorSource as _,
};
use uuid::Uuid;

const DIMENSION: usize = 128;

fn tenant() -> Tenant {
    Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() }
}

async fn new_collection(store: &Sqlite, name: &str) -> Collection {
    let new = NewCollection {
        name: name.to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        tags: BTreeMap::new(),
    };
    store.create_collection(&tenant(), new).await.expect("a collection")
}

/// A unit vector without pattern, always the same for the same number.
fn vector(number: u64) -> Vec<f32> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut normal = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of eight bytes is normal enough.
        state.to_le_bytes().map(f32::from).iter().sum::<f32>() - 8.0 * 127.5
    };
    let values: Vec<f32> = (0..DIMENSION).map(|_| normal()).collect();
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / norm).collect()
}

fn image(collection: &Collection, number: u64, faces: u32) -> IndexFaces {
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

/// Has `writers` write images of `faces` faces until `images` are durable.
async fn write(
    store: &Arc<Sqlite>,
    collection: &Collection,
    writers: u64,
    images: u64,
    faces: u32,
) -> Vec<Duration> {
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let (store, collection) = (Arc::clone(store), collection.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for number in (writer..images).step_by(writers as usize) {
                let request = image(&collection, number, faces);
                let start = Instant::now();
                store.index_faces(request).await.expect("a write");
                times.push(start.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a writer"));
    }
    times.sort_unstable();
    times
}

fn percentile(times: &[Duration], share: f64) -> Duration {
    times[((times.len() - 1) as f64 * share) as usize]
}

async fn writes(store: &Arc<Sqlite>, writers: u64, images: u64) {
    let collection = new_collection(store, &format!("writers-{writers}")).await;
    let start = Instant::now();
    let times = write(store, &collection, writers, images, 1).await;
    println!(
        "write   {writers:>3} writers, 1 face each: {:>8.0} writes/s, p50 {:.2?}, p99 {:.2?}",
        images as f64 / start.elapsed().as_secs_f64(),
        percentile(&times, 0.5),
        percentile(&times, 0.99)
    );
}

async fn load(store: &Sqlite, collection: &Collection, title: &str) -> Vec<i64> {
    let mut rows = Vec::new();
    let mut vectors = Vec::new();
    let start = Instant::now();
    let mut visit = |row: i64, vector: &[f32]| {
        rows.push(row);
        vectors.extend_from_slice(vector);
    };
    store.load_faces(collection.key, RowRange::ALL, &mut visit).await.expect("a load");
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "load    {} faces, {title}: {seconds:.2} s ({:.0} faces/s)",
        rows.len(),
        rows.len() as f64 / seconds
    );
    assert_eq!(vectors.len(), rows.len() * DIMENSION);
    rows
}

/// What a restarted server does when the collection is searched: it loads all vectors into memory,
/// and codes them.
async fn search(store: &Arc<Sqlite>, collection: &Collection) {
    let threads = available_parallelism().map_or(1, NonZero::get);
    let before = resident();
    let gallery = Gallery::new(store.clone(), threads).expect("search threads");
    let query = vector(u64::MAX);
    for title in ["first", "second"] {
        let start = Instant::now();
        let hits = gallery
            .search(collection, MemberKind::Faces, &query, 0.35, 80)
            .await
            .expect("an answer")
            .hits
            .len();
        println!("search  the {title}: {hits} hits in {:.2?}", start.elapsed());
    }
    let size = gallery.size();
    let (vectors, bytes) = (size.vectors, size.bytes / size.vectors);
    println!(
        "memory  {vectors} faces in memory, {bytes} bytes each; the process grew from {before} to {} MB",
        resident()
    );
    assert_eq!(vectors as u64, collection_size(store, collection).await);
}

async fn collection_size(store: &Sqlite, collection: &Collection) -> u64 {
    store.collection(&tenant(), &collection.name).await.expect("the collection").face_count
}

/// Megabytes that are in memory now; 0 where the system does not tell.
fn resident() -> u64 {
    let kilobytes = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    kilobytes().unwrap_or(0) * 1024 / 1_000_000
}

fn main() {
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    let (images, large) = if is_measuring { (4_000, 1_000_000) } else { (40, 1_000) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    runtime.block_on(async {
        let location = Location::Directory(directory.path().to_owned());
        let store = Arc::new(Sqlite::open(&location).await.expect("a store"));
        for writers in [1, 8, 64] {
            writes(&store, writers, images).await;
        }
        let collection = new_collection(&store, "large").await;
        let start = Instant::now();
        write(&store, &collection, 8, large / 100, 100).await;
        println!(
            "write     8 writers, 100 faces each: {:>6.0} faces/s",
            large as f64 / start.elapsed().as_secs_f64()
        );
        load(&store, &collection, "just written").await;
        store.close().await;

        let start = Instant::now();
        let store = Arc::new(Sqlite::open(&location).await.expect("a store"));
        println!("open    in {:.2?}", start.elapsed());
        search(&store, &collection).await;
        let rows = load(&store, &collection, "after a restart").await;
        let hits: Vec<i64> = rows.iter().copied().step_by(rows.len().div_ceil(4096)).collect();
        let start = Instant::now();
        let found = store.faces_by_rows(collection.key, &hits).await.expect("the hits").len();
        println!("look up {found} scattered hits in {:.2?}", start.elapsed());
        let start = Instant::now();
        store.delete_collection(&tenant(), "large").await.expect("a deletion");
        println!("delete  the collection in {:.2?}", start.elapsed());
        store.close().await;
    });
    let bytes: u64 = std::fs::read_dir(directory.path())
        .expect("the directory")
        .map(|entry| entry.expect("a file").metadata().expect("its size").len())
        .sum();
    println!("disk    {:.0} bytes per face", bytes as f64 / (large + 3 * images) as f64);
}
