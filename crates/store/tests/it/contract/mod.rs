//! What every store must do, run against each engine.
//!
//! A test is a function of a [`World`]; [`contract_of_any!`] and [`contract_of_one!`] list them once
//! and make a module of tests per engine.

mod associations;
mod changes;
mod collections;
mod concurrency;
mod current;
mod deletions;
mod faces;
mod model;
mod resets;
mod tags;
mod tokens;
mod transfer;
mod turns;
mod users;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lookalike_store::{Address, Postgres, Tenant, testing};
use lookalike_store::{
    AssociateFaces, BoundingBox, Clock, Collection, CollectionKey, DisassociateFaces, Face,
    FaceFilter, Idempotency, IndexFaces, Location, NewCollection, NewFace, PackId, Sqlite, Store,
    StoreResult,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use turns::Turns;

/// An empty store of one engine, and what a test needs around it.
pub struct World {
    pub store: Arc<dyn Store>,
    pub tenant: Tenant,
    /// Milliseconds since 1970-01-01 UTC; moves only by hand.
    pub now: Arc<AtomicI64>,
    engine: Box<dyn Engine>,
}

/// A way to open stores over the same data.
#[async_trait::async_trait]
pub trait Engine: Send + Sync {
    /// Whether the data outlives the store.
    fn keeps(&self) -> bool;
    /// How many random sequences of calls a test may take.
    fn cases(&self) -> u32 {
        24
    }
    async fn open(&self, clock: Clock) -> Arc<dyn Store>;
}

struct Memory;

#[async_trait::async_trait]
impl Engine for Memory {
    fn keeps(&self) -> bool {
        false
    }

    async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        Arc::new(Sqlite::open_with_clock(&Location::Memory, clock).await.expect("opens in memory"))
    }
}

struct Directory(tempfile::TempDir);

#[async_trait::async_trait]
impl Engine for Directory {
    fn keeps(&self) -> bool {
        true
    }

    async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        let location = Location::Directory(self.0.path().to_owned());
        Arc::new(Sqlite::open_with_clock(&location, clock).await.expect("opens in a directory"))
    }
}

/// A schema of the shared server.
#[derive(Default)]
struct Database(OnceCell<Address>);

impl Database {
    async fn address(&self) -> &Address {
        let make = || async { testing::server().schema().await.parse().expect("an address") };
        self.0.get_or_init(make).await
    }
}

#[async_trait::async_trait]
impl Engine for Database {
    fn keeps(&self) -> bool {
        true
    }

    fn cases(&self) -> u32 {
        6
    }

    async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        Arc::new(Postgres::open_with_clock(self.address().await, clock).await.expect("opens"))
    }
}

/// Two nodes over one database that take turns: each call goes to the other one.
#[derive(Default)]
struct Nodes(Database);

#[async_trait::async_trait]
impl Engine for Nodes {
    fn keeps(&self) -> bool {
        true
    }

    fn cases(&self) -> u32 {
        6
    }

    async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        Arc::new(Turns::new([self.0.open(Arc::clone(&clock)).await, self.0.open(clock).await]))
    }
}

impl World {
    async fn new(engine: Box<dyn Engine>) -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let store = engine.open(clock(&now)).await;
        Self { store, tenant: tenant("111122223333", "eu-west-1"), now, engine }
    }

    /// Whether the data outlives the store.
    pub fn keeps(&self) -> bool {
        self.engine.keeps()
    }

    /// How many random sequences of calls a test may take.
    pub fn cases(&self) -> u32 {
        self.engine.cases()
    }

    /// Closes the store and opens it again, where the engine keeps its data.
    pub async fn reopen(&mut self) {
        if self.engine.keeps() {
            self.store.close().await;
            self.store = self.engine.open(clock(&self.now)).await;
        }
    }

    /// Makes a collection.
    pub async fn collection(&self, name: &str) -> Collection {
        self.store
            .create_collection(&self.tenant, new_collection(name))
            .await
            .expect("a new collection")
    }

    /// The collection as it is now.
    pub async fn look_up(&self, name: &str) -> Collection {
        self.store.collection(&self.tenant, name).await.expect("the collection")
    }

    /// The face of that id.
    pub async fn face(&self, collection: CollectionKey, face_id: Uuid) -> Option<Face> {
        let filter = FaceFilter { face_ids: Some(vec![face_id]), ..FaceFilter::default() };
        self.store.list_faces(collection, None, 1, filter).await.expect("a list").pop()
    }

    /// Indexes `count` faces of an image; images with equal bytes are equal.
    pub async fn index(&self, collection: &Collection, image: &str, count: u32) -> Vec<Face> {
        self.store.index_faces(image_of(collection, image, None, count)).await.expect("the faces")
    }

    /// A token as a client of this world's tenant sends it.
    pub fn token(&self, token: &str, request: u8) -> Idempotency {
        Idempotency {
            tenant: self.tenant.clone(),
            token: token.to_owned(),
            request_hash: [request; 32],
        }
    }
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || now.load(Ordering::SeqCst))
}

pub fn tenant(account: &str, region: &str) -> Tenant {
    Tenant { account: account.to_owned(), region: region.to_owned() }
}

pub fn new_collection(name: &str) -> NewCollection {
    NewCollection {
        name: name.to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        tags: BTreeMap::new(),
    }
}

/// An image's faces, all different from each other, from those of other images, and but for their
/// ids the same at every call.
pub fn image_of(
    collection: &Collection,
    image: &str,
    external_image_id: Option<&str>,
    count: u32,
) -> IndexFaces {
    let mut image_sha256 = [0; 32];
    image_sha256[..image.len()].copy_from_slice(image.as_bytes());
    let seed = image.bytes().fold(7.0_f32, |seed, byte| (seed * 31.0 + f32::from(byte)) % 1009.0);
    IndexFaces {
        collection: collection.clone(),
        image_sha256,
        external_image_id: external_image_id.map(str::to_owned),
        image_id: Uuid::new_v3(&Uuid::NAMESPACE_OID, image.as_bytes()),
        model_version: "7.0".to_owned(),
        faces: (0..count).map(|ordinal| new_face(ordinal, seed)).collect(),
    }
}

/// A request to give faces to a user, to whom all of them look alike.
pub fn association(collection: &Collection, user_id: &str, face_ids: &[Uuid]) -> AssociateFaces {
    AssociateFaces {
        collection: collection.clone(),
        user_id: user_id.to_owned(),
        face_ids: face_ids.to_vec(),
        threshold: 75.0,
        similarity: Arc::new(|_, _| 100.0),
    }
}

/// A request to take faces from a user.
pub fn disassociation(
    collection: &Collection,
    user_id: &str,
    face_ids: &[Uuid],
) -> DisassociateFaces {
    DisassociateFaces {
        collection: collection.clone(),
        user_id: user_id.to_owned(),
        face_ids: face_ids.to_vec(),
    }
}

fn new_face(ordinal: u32, seed: f32) -> NewFace {
    let step = f32::from(u16::try_from(ordinal).expect("a small ordinal"));
    let angle = seed + step * 0.1;
    NewFace {
        face_id: Uuid::new_v4(),
        ordinal,
        // Numbers that f32 does not hold exactly, one of them outside the image.
        bounding_box: BoundingBox {
            left: -0.1 + 1.001 * step,
            top: 0.2,
            width: 0.3 / seed,
            height: 0.4,
        },
        confidence: 99.123_45 - step,
        vector: vec![angle.cos(), angle.sin(), 0.0, -0.0],
    }
}

/// Runs `test` in a runtime of its own, on several threads as the server does.
fn run<F: Future<Output = ()>>(engine: Box<dyn Engine>, test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { test(World::new(engine).await).await });
}

macro_rules! contract {
    ($module:ident, $engine:expr; $($topic:ident: $($test:ident),+;)+) => {
        mod $module {
            $(mod $topic {
                use super::super::*;
                $(#[test] fn $test() { run(Box::new($engine), crate::contract::$topic::$test); })+
            })+
        }
    };
}

/// What holds for one store and for several over one database.
macro_rules! contract_of_any {
    ($module:ident, $engine:expr) => {
        contract! { $module, $engine;
            collections: a_new_collection_is_empty, names_are_unique_within_a_tenant, pages_follow_the_order_of_creation,
                nothing_crosses_tenants, a_deleted_collection_is_gone_and_its_name_free;
            tags: tags_merge_and_go, at_most_200_tags;
            faces: faces_come_back_as_they_went_in, the_same_image_is_kept_once, a_mixed_call_returns_old_and_new, a_dropped_collection_takes_no_faces,
                pages_follow_the_face_ids, filters_are_joined_by_and, rows_keep_their_order, pages_stay_whole_while_others_write;
            current: hits_come_while_the_collection_is_as_it_was_seen, no_hits_come_of_another_state_of_the_collection,
                no_hits_come_of_a_collection_that_is_gone;
            deletions: deleting_reports_each_distinct_face, deleting_reopens_the_key, faces_of_a_user_stay, a_large_collection_goes_at_once;
            resets: tenants_are_totaled, the_size_is_that_of_the_data, a_reset_takes_what_is_in_scope, a_reset_is_told_to_the_sinks;
            users: users_live_and_die, users_are_listed_in_order_of_creation, deleting_a_user_frees_its_faces;
            associations: the_first_face_needs_no_likeness, later_faces_are_judged_against_all_so_far, faces_have_one_user,
                a_user_has_at_most_so_many_faces, disassociation_reports_each_face, failures_change_nothing;
            tokens: the_same_request_is_done_once, another_request_is_refused, operations_and_tenants_have_their_own, tokens_expire,
                failures_are_not_remembered, tokens_go_with_their_collection;
            changes: sinks_hear_what_was_committed, a_failed_write_is_not_heard, loading_shows_what_is_there, loading_goes_page_by_page;
            concurrency: writers_do_not_lose_each_others_faces, one_of_many_equal_writes_wins, a_panicking_write_harms_no_other,
                associations_at_once_keep_the_limit, a_closed_store_says_so, an_open_store_is_ready;
            transfer: an_import_of_an_export_is_the_same_collection, an_export_is_of_one_moment, nobody_finds_an_unfinished_import,
                an_import_given_up_leaves_nothing, a_finished_import_cannot_be_given_up, imports_become_visible_together,
                rows_that_do_not_fit_together_are_refused, too_many_tags_are_refused;
            model: random_calls_do_as_the_model_does;
        }
    };
}

/// What holds for one store, which sees all writes and does them in order.
macro_rules! contract_of_one {
    ($module:ident, $engine:expr) => {
        contract! { $module, $engine;
            changes: a_panicking_sink_stops_the_writes, replayed_changes_equal_the_store;
            concurrency: a_caller_who_leaves_leaves_whole_writes;
        }
    };
}

/// What holds for one database file.
macro_rules! contract_of_file {
    ($module:ident, $engine:expr) => {
        contract! { $module, $engine; changes: loading_takes_turns_with_others; }
    };
}

contract_of_file!(with_one_connection, Memory);
contract_of_file!(with_one_file, Directory(tempfile::tempdir().expect("a directory")));
contract_of_any!(in_memory, Memory);
contract_of_one!(alone_in_memory, Memory);
contract_of_any!(in_directory, Directory(tempfile::tempdir().expect("a directory")));
contract_of_one!(alone_in_directory, Directory(tempfile::tempdir().expect("a directory")));
contract_of_any!(in_postgres, Database::default());
contract_of_one!(alone_in_postgres, Database::default());
contract_of_any!(in_turns, Nodes::default());

/// Asserts the error of a call, by pattern.
macro_rules! assert_fails {
    ($call:expr, $pattern:pat) => {
        let result = $call;
        assert!(
            matches!(result, Err($pattern)),
            "expected {}, got {result:?}",
            stringify!($pattern)
        );
    };
}
pub(crate) use assert_fails;

/// The ids of faces, in their order.
pub fn ids(faces: &[Face]) -> Vec<Uuid> {
    faces.iter().map(|face| face.face_id).collect()
}

/// All faces of a collection.
pub async fn all_faces(world: &World, collection: &Collection) -> StoreResult<Vec<Face>> {
    world.store.list_faces(collection.key, None, 4096, FaceFilter::default()).await
}
