//! The embedded engine: `SQLite`, in a directory (write-ahead log, flushed at every commit) or in
//! memory.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "SQLite's integers are i64; all that are cast here are counts, limits and times far inside of it"
)]

mod associations;
mod backup;
mod check;
mod checksums;
mod collections;
mod error;
mod export;
mod faces;
mod folder;
mod import;
mod load;
mod open;
mod purge;
mod rows;
mod tags;
mod tenants;
mod tokens;
mod users;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::Mutex;
use uuid::Uuid;

pub use backup::{Backup, BackupError, backup};
pub use check::check;
pub(crate) use error::classify;
pub use open::Location;

use super::change::{ChangeSink, FaceVector};
use super::error::StoreResult;
use super::rows::{
    AssociateFaces, Association, Collection, CollectionKey, DisassociateFaces, Disassociation,
    Face, FaceDeletion, FaceFilter, Idempotency, IndexFaces, NewCollection, StoreSize,
    TenantTotals, User,
};
use crate::clock::{self, Clock};
use crate::open_error::OpenError;
use crate::rows::{Revision, RowRange};
use crate::tenant::{Scope, Tenant};
use crate::transfer::{Export, Import, NewImport, Transfer, TransferRows};
use crate::{FaceVisitor, Store, UserVisitor, VectorSource};
use folder::Files;
use tokens::Once;
use writer::{Probe, Writer};

/// How long a finding about readiness stands: each costs a flush to disk.
const READINESS_LASTS: Duration = Duration::from_secs(1);

/// A store in a `SQLite` database.
pub struct Sqlite {
    readers: SqlitePool,
    writer_connection: SqlitePool,
    writer: Writer,
    clock: Clock,
    files: Option<Files>,
    /// What [`Store::check_ready`] last found, and when.
    readiness: Mutex<Option<(Instant, StoreResult<()>)>>,
}

impl Sqlite {
    /// Opens the database, makes or upgrades its schema, and keeps other servers out of it until
    /// the store is closed or dropped.
    pub async fn open(location: &Location) -> Result<Self, OpenError> {
        Self::open_with_clock(location, clock::system()).await
    }

    /// As [`Self::open`], with another source of time.
    pub async fn open_with_clock(location: &Location, clock: Clock) -> Result<Self, OpenError> {
        let database = open::open(location).await?;
        let files = database.files;
        let writer = Writer::start(database.writer.clone(), database.folder, files.clone());
        Ok(Self {
            readers: database.readers,
            writer_connection: database.writer,
            writer,
            clock,
            files,
            readiness: Mutex::default(),
        })
    }

    fn once<W>(&self, write: W, token: Option<Idempotency>) -> Once<W> {
        Once { write, token, now: (self.clock)() }
    }

    /// Whether a collection is there: one that rows were found of is.
    async fn is_there(&self, key: CollectionKey, found_none: bool) -> StoreResult<bool> {
        Ok(!found_none || collections::find_by_key(&self.readers, key).await?.is_some())
    }
}

#[async_trait]
impl Store for Sqlite {
    fn subscribe(&self, sink: &Arc<dyn ChangeSink>) {
        self.writer.subscribe(sink);
    }

    async fn check_ready(&self) -> StoreResult<()> {
        let mut last = self.readiness.lock().await;
        if let Some((when, result)) = &*last
            && when.elapsed() < READINESS_LASTS
        {
            return result.clone();
        }
        let result = match self.files.as_ref().map_or(Ok(()), Files::check_space) {
            Ok(()) => self.writer.write(Probe { value: (self.clock)() / 1000 }).await,
            full => full,
        };
        *last = Some((Instant::now(), result.clone()));
        result
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
        self.writer_connection.close().await;
    }

    async fn size(&self) -> StoreResult<StoreSize> {
        match &self.files {
            Some(files) => Ok(files.size()),
            None => tenants::size(&self.readers).await,
        }
    }

    async fn tenants(&self) -> StoreResult<Vec<TenantTotals>> {
        tenants::list(&self.readers).await
    }

    async fn reset(&self, scope: &Scope) -> StoreResult<Vec<TenantTotals>> {
        self.writer.write(tenants::Reset { scope: scope.clone() }).await
    }

    async fn create_collection(
        &self,
        tenant: &Tenant,
        new: NewCollection,
    ) -> StoreResult<Collection> {
        self.writer
            .write(collections::Create { tenant: tenant.clone(), new, now: (self.clock)() })
            .await
    }

    async fn collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        collections::find(&self.readers, tenant, name).await
    }

    async fn list_collections(
        &self,
        tenant: &Tenant,
        after: Option<CollectionKey>,
        limit: usize,
    ) -> StoreResult<Vec<Collection>> {
        collections::list(&self.readers, tenant, after, limit).await
    }

    async fn delete_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        self.writer
            .write(collections::Delete { tenant: tenant.clone(), name: name.to_owned() })
            .await
    }

    async fn tags(&self, tenant: &Tenant, name: &str) -> StoreResult<BTreeMap<String, String>> {
        tags::list(&self.readers, tenant, name).await
    }

    async fn put_tags(
        &self,
        tenant: &Tenant,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> StoreResult<()> {
        self.writer.write(tags::Put { tenant: tenant.clone(), name: name.to_owned(), tags }).await
    }

    async fn remove_tags(&self, tenant: &Tenant, name: &str, keys: Vec<String>) -> StoreResult<()> {
        self.writer
            .write(tags::Remove { tenant: tenant.clone(), name: name.to_owned(), keys })
            .await
    }

    async fn index_faces(&self, request: IndexFaces) -> StoreResult<Vec<Face>> {
        self.writer.write(request).await
    }

    async fn list_faces(
        &self,
        collection: CollectionKey,
        after: Option<Uuid>,
        limit: usize,
        filter: FaceFilter,
    ) -> StoreResult<Vec<Face>> {
        faces::list(&self.readers, collection, after, limit, filter).await
    }

    async fn faces_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<Face>> {
        faces::by_rows(&self.readers, collection, rows).await
    }

    async fn faces_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Face>>> {
        let found = faces::by_rows(&self.readers, seen.key, rows).await?;
        Ok(self.is_there(seen.key, found.is_empty()).await?.then_some(found))
    }

    async fn face_vector(
        &self,
        collection: CollectionKey,
        face_id: Uuid,
    ) -> StoreResult<Option<FaceVector>> {
        load::face_vector(&self.readers, collection, face_id).await
    }

    async fn delete_faces(
        &self,
        collection: &Collection,
        face_ids: &[Uuid],
    ) -> StoreResult<Vec<(Uuid, FaceDeletion)>> {
        self.writer
            .write(faces::Delete { collection: collection.clone(), face_ids: face_ids.to_vec() })
            .await
    }

    async fn create_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        self.writer
            .write(self.once(
                users::Create { collection: collection.clone(), user_id: user_id.to_owned() },
                token,
            ))
            .await
    }

    async fn delete_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        self.writer
            .write(self.once(
                users::Delete { collection: collection.clone(), user_id: user_id.to_owned() },
                token,
            ))
            .await
    }

    async fn list_users(
        &self,
        collection: CollectionKey,
        after: Option<i64>,
        limit: usize,
    ) -> StoreResult<Vec<User>> {
        users::list(&self.readers, collection, after, limit).await
    }

    async fn user(&self, collection: CollectionKey, user_id: &str) -> StoreResult<Option<User>> {
        users::find(&self.readers, collection, user_id).await
    }

    async fn user_vectors(
        &self,
        collection: CollectionKey,
        user: i64,
    ) -> StoreResult<Vec<Vec<f32>>> {
        load::user_vectors(&self.readers, collection, user).await
    }

    async fn users_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<User>> {
        users::by_rows(&self.readers, collection, rows).await
    }

    async fn users_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<User>>> {
        let found = users::by_rows(&self.readers, seen.key, rows).await?;
        Ok(self.is_there(seen.key, found.is_empty()).await?.then_some(found))
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
impl VectorSource for Sqlite {
    async fn collection_by_key(&self, key: CollectionKey) -> StoreResult<Option<Collection>> {
        collections::find_by_key(&self.readers, key).await
    }

    async fn load_faces(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        load::faces(&self.readers, collection, rows, visit).await?;
        Ok(Revision::default())
    }

    async fn load_users(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        load::users(&self.readers, collection, rows, visit).await?;
        Ok(Revision::default())
    }
}

#[async_trait]
impl Transfer for Sqlite {
    async fn export_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Export> {
        if self.files.is_some() {
            return export::export(&self.readers, tenant, name).await;
        }
        export::export(&export::copy(&self.readers).await?, tenant, name).await
    }

    async fn begin_import(&self, tenant: &Tenant, new: NewImport) -> StoreResult<Import> {
        self.writer.write(import::Begin { tenant: tenant.clone(), new }).await
    }

    async fn import_rows(&self, import: &Import, rows: TransferRows) -> StoreResult<()> {
        self.writer.write(import::Rows { import: import.clone(), rows }).await
    }

    async fn finish_imports(
        &self,
        imports: &[Import],
        replace: bool,
    ) -> StoreResult<Vec<Collection>> {
        self.writer.write(import::Finish { imports: imports.to_vec(), replace }).await
    }

    async fn abandon_imports(&self, imports: &[Import]) -> StoreResult<()> {
        self.writer.write(import::Abandon { imports: imports.to_vec() }).await
    }
}
