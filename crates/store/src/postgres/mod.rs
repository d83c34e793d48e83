//! The engine that several nodes share: PostgreSQL.
//!
//! Every transaction that writes to a collection holds the lock of the collection's row, raises its
//! version and draws a nonce. So commits to a collection have one order, which every node can
//! follow from the rows that they leave in `changes`, and a commit whose answer was lost is known
//! again by its nonce. Nothing else is asked of the server: no extension, trigger or notification.
//!
//! PostgreSQL plans a statement anew at each call for as long as knowing its parameters promises a
//! cheaper plan, and planning takes longer than what most statements do. A short list promises that
//! each time. So statements on the path of a call take lists as `(SELECT $2::bigint[])`, into which
//! the planner does not look, and their joins are written such that there is one way to do them,
//! however few rows there are when the plan is made.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "PostgreSQL's integers are i64; all that are cast here are counts, limits and times far inside of it"
)]

mod address;
mod associations;
mod batch;
mod check;
mod collections;
mod engine;
mod error;
mod export;
mod faces;
mod import;
mod import_rows;
mod index;
mod load;
mod nodes;
mod open;
mod purge;
mod rows;
mod source;
mod tags;
mod tenants;
mod tokens;
mod transaction;
mod transfer;
mod users;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

pub use address::Address;
pub use check::check;
pub(crate) use error::classify;

use crate::Store;
use crate::change::{ChangeSink, FaceVector};
use crate::clock::{self, Clock};
use crate::error::StoreResult;
use crate::membership::{Beat, Membership};
use crate::open_error::OpenError;
use crate::rows::{
    AssociateFaces, Association, Collection, CollectionKey, DisassociateFaces, Disassociation,
    Face, FaceDeletion, FaceFilter, Idempotency, IndexFaces, NewCollection, StoreSize,
    TenantTotals, User,
};
use crate::tenant::{Scope, Tenant};
use crate::transfer::Import;
use engine::Engine;
use tokens::Once;
use writer::Writer;

/// How long a finding about readiness stands: each costs a flush to disk.
const READINESS_LASTS: Duration = Duration::from_secs(1);

/// How long a write may take for a node to be ready.
const READINESS_WAITS: Duration = Duration::from_secs(2);

const PROBE: &str = "INSERT INTO readiness (id, checked_at) VALUES (1, $1)
    ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at";

/// A store in a `PostgreSQL` database.
pub struct Postgres {
    engine: Arc<Engine>,
    writer: Writer,
    clock: Clock,
    tidying: JoinHandle<()>,
    /// What this node is importing.
    imports: std::sync::Mutex<HashSet<CollectionKey>>,
    /// What [`Store::check_ready`] last found, and when.
    readiness: Mutex<Option<(Instant, StoreResult<()>)>>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.tidying.abort();
    }
}

impl Postgres {
    /// Connects to the primary, and makes or upgrades the schema.
    pub async fn open(address: &Address) -> Result<Self, OpenError> {
        Self::open_with_clock(address, clock::system()).await
    }

    /// As [`Self::open`], with another source of time.
    pub async fn open_with_clock(address: &Address, clock: Clock) -> Result<Self, OpenError> {
        let engine = open::open(address).await?;
        let writer = Writer::new(Arc::clone(&engine));
        let tidying = open::tidy(Arc::clone(&engine), writer.clone(), Arc::clone(&clock));
        Ok(Self {
            engine,
            writer,
            clock,
            tidying,
            imports: std::sync::Mutex::default(),
            readiness: Mutex::default(),
        })
    }

    fn once<W>(&self, write: W, token: Option<Idempotency>) -> Once<W> {
        Once { write, token, now: (self.clock)() }
    }

    fn ended(&self, imports: &[Import]) {
        let mut importing = self.importing();
        importing.retain(|key| !imports.iter().any(|import| import.key == *key));
    }

    fn importing(&self) -> std::sync::MutexGuard<'_, HashSet<CollectionKey>> {
        self.imports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn probe(&self) -> StoreResult<()> {
        self.writer.check_intact()?;
        let mut lease = self.engine.writer().await?;
        let probe = sqlx::query(PROBE).bind((self.clock)());
        let result = timeout(READINESS_WAITS, probe.execute(&mut lease.connection))
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())));
        result.map(drop).map_err(|error| {
            let error = error.into();
            self.engine.lost(lease.generation(), &error);
            error
        })
    }
}

#[async_trait]
impl Store for Postgres {
    fn subscribe(&self, sink: &Arc<dyn ChangeSink>) {
        self.writer.sinks().subscribe(sink);
    }

    fn membership(&self) -> Option<&dyn Membership> {
        Some(self)
    }

    async fn check_ready(&self) -> StoreResult<()> {
        let mut last = self.readiness.lock().await;
        if let Some((when, result)) = &*last
            && when.elapsed() < READINESS_LASTS
        {
            return result.clone();
        }
        let result = self.probe().await;
        *last = Some((Instant::now(), result.clone()));
        result
    }

    async fn close(&self) {
        let imports: Vec<CollectionKey> = self.importing().drain().collect();
        if !imports.is_empty() {
            // Where it fails, any node clears them away some time later.
            let _ = self.writer.write(import::Abandon { imports }).await;
        }
        self.writer.close().await;
        self.tidying.abort();
        self.engine.close();
    }

    async fn size(&self) -> StoreResult<StoreSize> {
        self.engine.read(tenants::size).await
    }

    async fn tenants(&self) -> StoreResult<Vec<TenantTotals>> {
        self.engine.read(tenants::list).await
    }

    async fn reset(&self, scope: &Scope) -> StoreResult<Vec<TenantTotals>> {
        self.writer.write(tenants::Reset { scope: scope.clone() }).await
    }

    async fn create_collection(
        &self,
        tenant: &Tenant,
        new: NewCollection,
    ) -> StoreResult<Collection> {
        let now = (self.clock)();
        self.writer.write(collections::Create::new(tenant.clone(), new, now)).await
    }

    async fn collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        self.engine.read(|lease| collections::look_up(lease, tenant, name)).await
    }

    async fn list_collections(
        &self,
        tenant: &Tenant,
        after: Option<CollectionKey>,
        limit: usize,
    ) -> StoreResult<Vec<Collection>> {
        self.engine.read(|lease| collections::list(lease, tenant, after, limit)).await
    }

    async fn delete_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.writer.write(collections::Delete { tenant, name }).await
    }

    async fn tags(&self, tenant: &Tenant, name: &str) -> StoreResult<BTreeMap<String, String>> {
        self.engine.read(|lease| tags::list(lease, tenant, name)).await
    }

    async fn put_tags(
        &self,
        tenant: &Tenant,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> StoreResult<()> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.writer.write(tags::Put { tenant, name, tags }).await
    }

    async fn remove_tags(&self, tenant: &Tenant, name: &str, keys: Vec<String>) -> StoreResult<()> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.writer.write(tags::Remove { tenant, name, keys }).await
    }

    async fn index_faces(&self, request: IndexFaces) -> StoreResult<Vec<Face>> {
        self.writer.index(request).await
    }

    async fn list_faces(
        &self,
        collection: CollectionKey,
        after: Option<Uuid>,
        limit: usize,
        filter: FaceFilter,
    ) -> StoreResult<Vec<Face>> {
        self.engine.read(|lease| faces::list(lease, collection, after, limit, &filter)).await
    }

    async fn faces_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<Face>> {
        let faces = self.engine.read(|lease| faces::by_rows(lease, collection, None, rows)).await?;
        Ok(faces.unwrap_or_default())
    }

    async fn faces_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Face>>> {
        let state = Some(seen.revision);
        self.engine.read(|lease| faces::by_rows(lease, seen.key, state, rows)).await
    }

    async fn face_vector(
        &self,
        collection: CollectionKey,
        face_id: Uuid,
    ) -> StoreResult<Option<FaceVector>> {
        self.engine.read(|lease| load::face_vector(lease, collection, face_id)).await
    }

    async fn delete_faces(
        &self,
        collection: &Collection,
        face_ids: &[Uuid],
    ) -> StoreResult<Vec<(Uuid, FaceDeletion)>> {
        let (collection, face_ids) = (collection.clone(), face_ids.to_vec());
        self.writer.write(faces::Delete { collection, face_ids }).await
    }

    async fn create_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        let (collection, user_id) = (collection.clone(), user_id.to_owned());
        self.writer.write(self.once(users::Create { collection, user_id }, token)).await
    }

    async fn delete_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        let (collection, user_id) = (collection.clone(), user_id.to_owned());
        self.writer.write(self.once(users::Delete { collection, user_id }, token)).await
    }

    async fn list_users(
        &self,
        collection: CollectionKey,
        after: Option<i64>,
        limit: usize,
    ) -> StoreResult<Vec<User>> {
        self.engine.read(|lease| users::list(lease, collection, after, limit)).await
    }

    async fn user(&self, collection: CollectionKey, user_id: &str) -> StoreResult<Option<User>> {
        self.engine.read(|lease| users::look_up(lease, collection, user_id)).await
    }

    async fn user_vectors(
        &self,
        collection: CollectionKey,
        user: i64,
    ) -> StoreResult<Vec<Vec<f32>>> {
        self.engine.read(|lease| load::user_vectors(lease, collection, user)).await
    }

    async fn users_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<User>> {
        let users = self.engine.read(|lease| users::by_rows(lease, collection, None, rows)).await?;
        Ok(users.unwrap_or_default())
    }

    async fn users_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<User>>> {
        let state = Some(seen.revision);
        self.engine.read(|lease| users::by_rows(lease, seen.key, state, rows)).await
    }

    async fn associate_faces(
        &self,
        request: AssociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Association> {
        self.writer.write(self.once(request, token)).await
    }

    async fn disassociate_faces(
        &self,
        request: DisassociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Disassociation> {
        self.writer.write(self.once(request, token)).await
    }
}

#[async_trait]
impl Membership for Postgres {
    async fn beat(&self, address: &str, lifetime: Duration) -> StoreResult<Beat> {
        nodes::beat(self.engine.beater().await?, address, lifetime).await
    }

    async fn leave(&self, address: &str) -> StoreResult<()> {
        nodes::leave(self.engine.beater().await?, address).await
    }
}
