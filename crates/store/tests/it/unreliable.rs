//! A database whose connections break in a commit, whose rows others hold, and which 64 clients use
//! at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lookalike_store::testing::{Server, server};
use lookalike_store::{
    Collection, Face, FaceFilter, Failure, Idempotency, NewCollection, NewImport, Postgres, Scope,
    Store, StoreError, StoreResult, Tenant, Transfer as _, TransferRows,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::contract::{association, disassociation, image_of, new_collection, tenant};

async fn open(address: &str) -> Arc<Postgres> {
    Arc::new(Postgres::open(&address.parse().expect("an address")).await.expect("opens"))
}

fn ours() -> Tenant {
    tenant("111122223333", "eu-west-1")
}

async fn all_of(store: &dyn Store, collection: &Collection) -> Vec<Face> {
    let filter = FaceFilter::default();
    store.list_faces(collection.key, None, 4096, filter).await.expect("a list")
}

/// How PostgreSQL's protocol writes the statement, whole.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Stands between a node and the database and breaks connections in a commit: one in three before
/// the database has it, one in three after.
#[derive(Default)]
struct Cutter {
    commits: AtomicUsize,
    lost: AtomicUsize,
    kept: AtomicUsize,
}

impl Cutter {
    /// The address of the database by way of the cutter.
    async fn before(self: &Arc<Self>, address: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (head, rest) = address.split_once("127.0.0.1:").expect("a host");
        let (target, tail) = rest.split_once('/').expect("a database");
        let target = format!("127.0.0.1:{target}");
        let cutter = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let (cutter, target) = (Arc::clone(&cutter), target.clone());
                tokio::spawn(async move {
                    if let Ok(database) = TcpStream::connect(target).await {
                        let _ = cutter.pass(node, database).await;
                    }
                });
            }
        });
        format!("{head}127.0.0.1:{port}/{tail}")
    }

    /// Passes on what both write, until one ends or a commit is cut.
    async fn pass(&self, mut node: TcpStream, mut database: TcpStream) -> std::io::Result<()> {
        let (mut asked, mut answered) = (vec![0; 16384], vec![0; 16384]);
        loop {
            tokio::select! {
                read = node.read(&mut asked) => {
                    let asked = &asked[..read?];
                    if asked.is_empty() {
                        return Ok(());
                    }
                    let is_commit = asked.windows(COMMIT.len()).any(|part| part == COMMIT);
                    let turn = if is_commit { self.commits.fetch_add(1, Relaxed) % 3 } else { 0 };
                    if turn == 1 {
                        self.lost.fetch_add(1, Relaxed);
                        return Ok(());
                    }
                    database.write_all(asked).await?;
                    if turn == 2 {
                        let kept = database.read(&mut answered).await? > 0;
                        self.kept.fetch_add(usize::from(kept), Relaxed);
                        return Ok(());
                    }
                }
                read = database.read(&mut answered) => {
                    let answered = &answered[..read?];
                    if answered.is_empty() {
                        return Ok(());
                    }
                    node.write_all(answered).await?;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_off_is_answered_as_what_became_of_it() {
    const IMAGES: usize = 12;
    let address = server().schema().await;
    // By a connection that nobody cuts: it makes the schema, and looks in the end.
    let after = open(&address).await;
    let cutter = Arc::new(Cutter::default());
    let store = open(&cutter.before(&address).await).await;
    let tenant = ours();
    let mut tasks = JoinSet::new();
    for name in ["red", "green", "blue"] {
        let collection =
            store.create_collection(&tenant, new_collection(name)).await.expect("a collection");
        for image in 0..IMAGES {
            let (store, collection) = (Arc::clone(&store), collection.clone());
            tasks.spawn(async move {
                let image = format!("{name} {image}");
                let index = store.index_faces(image_of(&collection, &image, None, 2));
                let faces = index.await.expect("is acknowledged");
                let user = store.create_user(&collection, &image, None);
                user.await.expect("a user, once and not twice");
                let ids = [faces[0].face_id];
                let given = store.associate_faces(association(&collection, &image, &ids), None);
                assert_eq!(given.await.expect("an association").associated, ids);
                let second = [faces[1].face_id];
                let gone = store.delete_faces(&collection, &second);
                assert_eq!(gone.await.expect("a deletion").len(), 1);
                (collection.name, faces[0].face_id)
            });
        }
    }
    let acknowledged: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(acknowledged.len(), 3 * IMAGES);
    let mut there = HashSet::new();
    for collection in after.list_collections(&tenant, None, 10).await.expect("a list") {
        assert_eq!(collection.face_count, IMAGES as u64, "{}", collection.name);
        assert_eq!(collection.user_count, IMAGES as u64, "{}", collection.name);
        let faces = all_of(&*after, &collection).await;
        assert!(faces.iter().all(|face| face.user_id.is_some()), "{}", collection.name);
        there.extend(faces.into_iter().map(|face| (collection.name.clone(), face.face_id)));
    }
    assert_eq!(there, acknowledged);
    let (lost, kept) = (cutter.lost.load(Relaxed), cutter.kept.load(Relaxed));
    assert!(lost > 3 && kept > 3, "{lost} commits were lost and {kept} kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_others_hold_delays_its_own_collection_and_for_a_time() {
    let address = server().schema().await;
    let store = open(&address).await;
    let make = async |name| store.create_collection(&ours(), new_collection(name)).await;
    let (held, free) = (make("held").await.expect("one"), make("free").await.expect("another"));

    let schema = address.rsplit('=').next().expect("a schema");
    let mut other = PgConnection::connect(&address).await.expect("connects");
    let lock = format!("BEGIN; SELECT * FROM {schema}.collections WHERE name = 'held' FOR UPDATE");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await.expect("takes the lock");

    let began = Instant::now();
    let blocked = tokio::spawn({
        let (store, held) = (Arc::clone(&store), held.clone());
        async move { store.index_faces(image_of(&held, "one", None, 1)).await }
    });
    for image in 0..20 {
        let image = format!("image {image}");
        store.index_faces(image_of(&free, &image, None, 1)).await.expect("goes on");
        assert_eq!(store.collection(&ours(), "held").await.expect("is read").face_count, 0);
    }
    assert!(!blocked.is_finished(), "others were done before the lock was given up");
    let refused = blocked.await.expect("no panic").expect_err("somebody holds the row");
    assert!(matches!(refused, StoreError::Database { failure: Failure::Busy, .. }), "{refused:?}");
    assert!(refused.is_transient(), "SDKs try again");
    // Two waits of five seconds, and room for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());

    other.close().await.expect("ends");
    let faces = store.index_faces(image_of(&held, "one", None, 1)).await.expect("is free again");
    assert_eq!(faces.len(), 1);
    assert_eq!(store.collection(&ours(), "held").await.expect("is read").face_count, 1);
}

/// What a client may be answered where others delete what it uses.
fn is_fair<T>(result: StoreResult<T>) -> Option<T> {
    match result {
        Ok(done) => Some(done),
        Err(StoreError::NotFound(_) | StoreError::AlreadyExists(_)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// One call of a client, chosen by a number.
async fn call(store: &Postgres, collection: &Collection, client: usize, turn: usize) {
    let image = format!("{} {}", client % 8, turn % 5);
    let user = format!("user {}", (client + turn) % 4);
    let faces = is_fair(store.index_faces(image_of(collection, &image, None, 3)).await);
    let Some(faces) = faces else { return };
    let ids: Vec<_> = faces.iter().map(|face| face.face_id).collect();
    match (client + turn) % 6 {
        0 => drop(is_fair(store.delete_faces(collection, &ids).await)),
        1 => drop(is_fair(store.create_user(collection, &user, None).await)),
        2 | 3 => {
            let give = association(collection, &user, &ids[..2]);
            drop(is_fair(store.associate_faces(give, None).await));
        }
        4 => {
            let take = disassociation(collection, &user, &ids);
            drop(is_fair(store.disassociate_faces(take, None).await));
        }
        _ => drop(is_fair(store.delete_user(collection, &user, None).await)),
    }
}

/// Replaces two collections by an import of both, in the order given.
async fn replace(store: &Postgres, names: [&str; 2]) {
    let mut imports = Vec::new();
    for name in names {
        let NewCollection { name, model_version, pack, tags } = new_collection(name);
        let new = NewImport { name, model_version, pack, created_at: 0, tags };
        let import = store.begin_import(&ours(), new).await.expect("an import begins");
        let rows = TransferRows::Users(vec!["user 1".to_owned()]);
        store.import_rows(&import, rows).await.expect("takes rows");
        imports.push(import);
    }
    // Another import may have shown a collection of that name meanwhile.
    if is_fair(store.finish_imports(&imports, true).await).is_none() {
        store.abandon_imports(&imports).await.expect("is given up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_of_overlapping_collections_never_lock_each_other_out() {
    const CLIENTS: usize = 64;
    const NAMES: [&str; 4] = ["red", "green", "blue", "black"];
    let stated = std::env::var("HUNT_TURNS").ok().and_then(|turns| turns.parse().ok());
    let turns: usize = stated.unwrap_or(12);
    let database = Server::alone();
    let address = database.schema().await;
    let nodes = [open(&address).await, open(&address).await];
    for name in NAMES {
        nodes[0].create_collection(&ours(), new_collection(name)).await.expect("a collection");
    }
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        let store = Arc::clone(&nodes[client % 2]);
        tasks.spawn(async move {
            for turn in 0..turns {
                let name = NAMES[(client * 7 + turn) % NAMES.len()];
                match (client, turn % 4) {
                    (0, 0) => drop(store.reset(&Scope::default()).await.expect("a reset")),
                    (1, 1) => replace(&store, ["red", "green"]).await,
                    (2, 1) => replace(&store, ["green", "red"]).await,
                    (3, 2) => drop(is_fair(store.delete_collection(&ours(), name).await)),
                    _ => {}
                }
                let found = is_fair(store.collection(&ours(), name).await);
                match found {
                    Some(collection) => call(&store, &collection, client, turn).await,
                    None => {
                        drop(is_fair(store.create_collection(&ours(), new_collection(name)).await));
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    for node in &nodes {
        for collection in node.list_collections(&ours(), None, 10).await.expect("a list") {
            let faces = all_of(&**node, &collection).await;
            assert_eq!(faces.len() as u64, collection.face_count, "{}", collection.name);
        }
        node.close().await;
    }
    let mut connection = PgConnection::connect(&address).await.expect("connects");
    // Sessions report what they saw when they end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let deadlocks: i64 = sqlx::query_scalar("SELECT sum(deadlocks)::bigint FROM pg_stat_database")
        .fetch_one(&mut connection)
        .await
        .expect("statistics");
    assert_eq!(deadlocks, 0);
}

/// Batches that hold tokens which the other one waits for, and wait for tokens that it holds: the
/// database ends one of them, which is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_that_cross_are_each_taken_once() {
    const TOKENS: usize = 24;
    let address = server().schema().await;
    let nodes = [open(&address).await, open(&address).await];
    let red = nodes[0].create_collection(&ours(), new_collection("red")).await.expect("made");
    let black = nodes[0].create_collection(&ours(), new_collection("black")).await.expect("made");
    for round in 0..4 {
        let create = async |number: usize, node: usize, collection: &Collection| {
            let name = format!("{round} {number}");
            let token = Idempotency {
                tenant: ours(),
                token: name.clone(),
                request_hash: [u8::try_from(node).expect("one of two"); 32],
            };
            match nodes[node].create_user(collection, &name, Some(token)).await {
                Ok(()) => true,
                Err(StoreError::TokenMismatch(_)) => false,
                Err(error) => panic!("{error:?}"),
            }
        };
        let forth = join_all((0..TOKENS).map(|number| create(number, 0, &red)));
        let back = join_all((0..TOKENS).rev().map(|number| create(number, 1, &black)));
        let (forth, mut back) = tokio::join!(forth, back);
        back.reverse();
        for (number, taken) in forth.into_iter().zip(back).enumerate() {
            assert!(taken.0 != taken.1, "token {number} of round {round}: {taken:?}");
        }
    }
    let users = |collection: &Collection| nodes[1].list_users(collection.key, None, 1000);
    let (red, black) = (users(&red).await.expect("a list"), users(&black).await.expect("a list"));
    assert_eq!(red.len() + black.len(), 4 * TOKENS);
}
