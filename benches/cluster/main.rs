//! Two nodes over one PostgreSQL server, beside one SQLite folder: searches, writes to one
//! collection, how soon the other node finds a face, what it costs to ask another node, and how long a
//! failover keeps writes waiting.
//!
//! `make bench-cluster` starts PostgreSQL with default durability in the system's temporary
//! directory (set `TMPDIR` to measure another disk).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and shares of them, for people to read"
)]

mod node;
mod sharing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use lookalike_store::testing::Server;
use lookalike_store::{Address, Collection, Location, Postgres, Sqlite};
use node::{Node, image, vector};

const FACES: u64 = 100_000;
const FACES_OF_IMAGE: u32 = 100;
const SEARCHES: u64 = 1000;
const WRITERS: u64 = 64;
const WRITING: Duration = Duration::from_secs(8);
const VISIBILITY_ROUNDS: u64 = 1000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::Directory(folder.path().to_owned());
        let sqlite = Node::over(Arc::new(Sqlite::open(&location).await.expect("opens")));
        let server = Server::durable();
        let address = server.schema().await;
        let [one, two] = [postgres(&address).await, postgres(&address).await];

        let in_sqlite = fill("SQLite", &sqlite).await;
        let in_postgres = fill("PostgreSQL", &one).await;
        // By turns, so that what else the machine does meets both.
        for _ in 0..2 {
            search("SQLite", &sqlite, &in_sqlite).await;
            search("PostgreSQL", &one, &in_postgres).await;
        }
        write("SQLite, one process", &[&sqlite]).await;
        write("PostgreSQL, one node", &[&one]).await;
        write("PostgreSQL, two nodes", &[&one, &two]).await;
        visibility(&one, &two).await;
        for node in [sqlite, one, two] {
            node.store.close().await;
        }
        sharing::run(&server).await;
        outage().await;
    });
}

async fn postgres(address: &str) -> Node {
    let address: Address = address.parse().expect("an address");
    Node::over(Arc::new(Postgres::open(&address).await.expect("opens")))
}

/// Writes faces in calls of many.
async fn fill(engine: &str, node: &Node) -> Collection {
    let collection = node.collection("filled").await;
    let start = Instant::now();
    for number in 0..FACES / u64::from(FACES_OF_IMAGE) {
        let image = image(&collection, number, FACES_OF_IMAGE);
        node.store.index_faces(image).await.expect("stored");
    }
    let rate = FACES as f64 / start.elapsed().as_secs_f64();
    println!("{engine}: {FACES} faces, {FACES_OF_IMAGE} a call, one client: {rate:.0} faces/s");
    collection
}

/// A look-up, a scan and the look-up of the hits, as SearchFaces does them.
async fn search(engine: &str, node: &Node, collection: &Collection) {
    node.search(&collection.name, &vector(0)).await;
    let mut times = Vec::new();
    for number in 0..SEARCHES {
        let probe = vector((number % (FACES / u64::from(FACES_OF_IMAGE))) << 8);
        let start = Instant::now();
        assert!(!node.search(&collection.name, &probe).await.is_empty());
        times.push(start.elapsed());
    }
    print_times(&format!("{engine}: search of {FACES} faces, one client"), times);
}

/// Has many clients write one face a call to one collection.
async fn write(title: &str, nodes: &[&Node]) {
    let collection = nodes[0].collection(&format!("written {}", nodes.len())).await;
    let (start, stored) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&nodes[writer as usize % nodes.len()].store);
        let (collection, stored) = (collection.clone(), Arc::clone(&stored));
        tasks.push(tokio::spawn(async move {
            for turn in 0.. {
                let number = (writer << 32) + turn;
                store.index_faces(image(&collection, number, 1)).await.expect("stored");
                stored.fetch_add(1, Relaxed);
                if start.elapsed() > WRITING {
                    break;
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("a writer");
    }
    let rate = stored.load(Relaxed) as f64 / start.elapsed().as_secs_f64();
    println!("{title}: {WRITERS} clients, one collection, one face a call: {rate:.0} faces/s");
}

/// The time from the answer to a write on one node until a search on the other has found the face.
async fn visibility(one: &Node, two: &Node) {
    let collection = one.collection("visible").await;
    two.search("visible", &vector(0)).await;
    let mut times = Vec::new();
    for number in 0..VISIBILITY_ROUNDS {
        let faces = one.store.index_faces(image(&collection, number, 1)).await.expect("stored");
        let start = Instant::now();
        let found = two.search("visible", &vector(number << 8)).await;
        times.push(start.elapsed());
        assert_eq!(found[0].face_id, faces[0].face_id, "not found on the other node");
    }
    print_times("PostgreSQL: written on one node, found on the other", times);
}

/// The longest time between two answers to writes while the primary crashes and its replica is
/// promoted.
async fn outage() {
    let server = Server::with_replica();
    let node = postgres(&server.schema().await).await;
    let collection = node.collection("staff").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(&node.store), Arc::clone(&stop));
        async move {
            let (mut longest, mut failed, mut last) = (Duration::ZERO, 0, Instant::now());
            for number in 0.. {
                while store.index_faces(image(&collection, number, 1)).await.is_err() {
                    failed += 1;
                }
                longest = longest.max(last.elapsed());
                last = Instant::now();
                if stop.load(Relaxed) {
                    break;
                }
            }
            (longest, failed)
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::task::block_in_place(|| {
        server.crash_primary();
        server.promote_replica();
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Relaxed);
    let (longest, failed) = writer.await.expect("a writer");
    println!(
        "PostgreSQL: failover to a synchronous replica: no answer for {longest:.2?}, {failed} errors"
    );
}

fn print_times(title: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{title}: p50 {:.2?}, p99 {:.2?}", at(0.5), at(0.99));
}
