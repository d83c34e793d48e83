//! Two nodes over one PostgreSQL server, beside one SQLite folder: searches, writes to one
//! collection, how soon the other node finds a face, what it costs to ask another node, and how long a
//! failover keeps writes waiting.
//!
//! `make bench-cluster` starts PostgreSQL with default durability in the system's temporary
//! directory (set `TMPDIR` to measure another disk). `ARGS="1000 1000000"` searches collections of
//! these sizes, and leaves out the rest.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and shares of them, for people to read"
)]

mod http;
mod node;
mod sharing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http::Http;
use lookalike_store::testing::Server;
use lookalike_store::{Address, Location, Postgres, Sqlite};
use node::{Node, image, vector};

const SIZES: [u64; 2] = [1000, 100_000];
const SEARCHES: usize = 1000;
const SEARCHES_OF_TURN: usize = 100;
const WRITERS: u64 = 64;
const WRITING: Duration = Duration::from_secs(8);
const VISIBILITY_ROUNDS: u64 = 1000;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = Server::durable();
        search(&server, if asked.is_empty() { &SIZES } else { &asked }).await;
        if !asked.is_empty() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::Directory(folder.path().to_owned());
        let sqlite = Node::over(Arc::new(Sqlite::open(&location).await.expect("opens")));
        let address = server.schema().await;
        let [one, two] = [postgres(&address).await, postgres(&address).await];
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

/// SearchFaces on both engines by turns, so that what else the machine does meets both.
async fn search(server: &Server, sizes: &[u64]) {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = Http::start(folder.path().to_str().expect("UTF-8"), &[]).await;
    let postgres = Http::start(&server.schema().await, &[]).await;
    for &size in sizes {
        let name = format!("of-{size}");
        let (in_sqlite, rate) = sqlite.fill(&name, size, SEARCHES).await;
        println!("SQLite: {size} faces, 100 a call, one client: {rate:.0} faces/s");
        let (in_postgres, rate) = postgres.fill(&name, size, SEARCHES).await;
        println!("PostgreSQL: {size} faces, 100 a call, one client: {rate:.0} faces/s");
        let (mut times, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for number in 0..=2 * SEARCHES / SEARCHES_OF_TURN {
            let first = number * SEARCHES_OF_TURN % in_sqlite.len();
            let turn = first..first + SEARCHES_OF_TURN;
            let of_sqlite = sqlite.search(&name, &in_sqlite[turn.clone()]).await;
            let of_postgres = postgres.search(&name, &in_postgres[turn]).await;
            // The first turn loads the collections.
            if number > 0 {
                ratios.push(median(&of_postgres).div_duration_f64(median(&of_sqlite)));
                times[0].extend(of_sqlite);
                times[1].extend(of_postgres);
            }
        }
        let [of_sqlite, of_postgres] = times;
        print_times(&format!("SQLite: SearchFaces of {size} faces, one client"), of_sqlite);
        print_times(&format!("PostgreSQL: SearchFaces of {size} faces, one client"), of_postgres);
        ratios.sort_unstable_by(f64::total_cmp);
        println!("PostgreSQL / SQLite, median of the turns: {:.2}", ratios[ratios.len() / 2]);
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
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
