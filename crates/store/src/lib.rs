//! Where collections, faces, users and tags are kept.
//!
//! [`Store`] is the contract: every call is one atomic unit, and a write that has answered is
//! durable and was handed to the [`ChangeSink`]s. [`Sqlite`] is the embedded engine; [`Postgres`] is
//! the one that several nodes share.

mod change;
mod checksums;
mod clock;
mod duplicates;
mod error;
mod membership;
mod open_error;
mod ownership;
mod postgres;
mod report;
mod rows;
mod sinks;
mod sqlite;
mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
mod transfer;

use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

pub use change::{Change, ChangeSink, FaceVector, Since, Step};
pub use clock::Clock;
pub use error::{Entity, Failure, Quota, StoreError, StoreResult};
pub use rows::{
    AssociateFaces, Association, AssociationFailure, BoundingBox, Collection, CollectionKey,
    DisassociateFaces, Disassociation, DisassociationFailure, Face, FaceDeletion, FaceFilter,
    Idempotency, IndexFaces, NewCollection, NewFace, PackId, Revision, RowRange, Similarity,
    StoreSize, TenantTotals, User,
};

pub use membership::{Beat, Membership};
pub use open_error::OpenError;
pub use postgres::{Address, Postgres, check as check_database};
pub use report::Report;
pub use sqlite::{Backup, BackupError, Location, Sqlite, backup, check};

/// Opens the store of that location: a folder, `:memory:` for one that keeps nothing, or the
/// address of a database that begins with `postgres://`.
pub async fn open(location: &str) -> Result<Arc<dyn Store>, OpenError> {
    open_with_clock(location, clock::system()).await
}

/// As [`open`], with another source of time.
pub async fn open_with_clock(location: &str, clock: Clock) -> Result<Arc<dyn Store>, OpenError> {
    if Address::is_one(location) {
        return Ok(Arc::new(Postgres::open_with_clock(&location.parse()?, clock).await?));
    }
    let location = match location {
        ":memory:" => Location::Memory,
        folder => Location::Directory(folder.into()),
    };
    Ok(Arc::new(Sqlite::open_with_clock(&location, clock).await?))
}

/// A location as anybody may read it: without the password of a database.
pub fn shown(location: &str) -> String {
    if !Address::is_one(location) {
        return location.to_owned();
    }
    location
        .parse()
        .map_or_else(|_| "postgres://".to_owned(), |address: Address| address.to_string())
}

pub use crate::tenant::{Scope, Tenant};
pub use crate::transfer::{Export, Import, NewImport, StoredFace, Transfer, TransferRows};

/// Most tags that one collection may carry.
pub const MAX_TAGS: usize = 200;
/// Most faces that one collection may hold.
pub const MAX_FACES_PER_COLLECTION: u64 = 20_000_000;
/// Most faces that one user may be associated with.
pub const MAX_FACES_PER_USER: usize = 100;

/// Is shown faces, as row and unit vector.
pub type FaceVisitor<'v> = dyn FnMut(i64, &[f32]) + Send + 'v;
/// Is shown users, as row and the vectors of their faces.
pub type UserVisitor<'v> = dyn FnMut(i64, &[Vec<f32>]) + Send + 'v;

/// What a copy of the vectors in memory is filled from.
#[async_trait]
pub trait VectorSource: Send + Sync {
    /// The collection of that key, with its counts; none when it was deleted.
    async fn collection_by_key(&self, key: CollectionKey) -> StoreResult<Option<Collection>>;

    /// Shows the faces of these rows of a collection to `visit`, as row and unit vector, in
    /// ascending order of row, and returns the state that was shown. Where every write passes this
    /// store, a change that is committed meanwhile may be shown or not, each face by itself; sinks
    /// get it.
    async fn load_faces(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision>;

    /// The same of users with faces, as the user's row and the vectors of its faces in the
    /// order of their rows.
    async fn load_users(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision>;

    /// The faces of these rows that changed since a state, as they are now: the vector, or none for
    /// one that is gone. None when that is not known, or so many that loading the collection is as
    /// quick.
    async fn faces_since(
        &self,
        _collection: CollectionKey,
        _rows: RowRange,
        _since: Revision,
    ) -> StoreResult<Option<Since<Vec<f32>>>> {
        Ok(None)
    }

    /// The same of users, with the vectors of their faces.
    async fn users_since(
        &self,
        _collection: CollectionKey,
        _rows: RowRange,
        _since: Revision,
    ) -> StoreResult<Option<Since<Vec<Vec<f32>>>>> {
        Ok(None)
    }

    /// The states of those of these collections that are there; none where every write passes this
    /// store, so that sinks get all.
    async fn revisions(
        &self,
        _collections: &[CollectionKey],
    ) -> StoreResult<Option<HashMap<CollectionKey, Revision>>> {
        Ok(None)
    }
}

/// A place for collections, faces, users and tags.
///
/// Collections are found by tenant and name. All below a collection is reached with what the look-up
/// gave, its [`CollectionKey`] to read and the [`Collection`] to write, so a collection that was
/// deleted and made again in between is never mistaken for the old one: writes then fail with
/// [`StoreError::NotFound`], reads find nothing.
///
/// A caller that stops waiting (drops the future) leaves either the whole effect of its call or
/// none of it.
#[async_trait]
pub trait Store: VectorSource + Transfer {
    /// Sends the changes of all later commits to `sink`, which the store holds weakly: it is
    /// forgotten when its owner drops it.
    fn subscribe(&self, sink: &Arc<dyn ChangeSink>);

    /// The nodes that share the database; none where one process has it for itself.
    fn membership(&self) -> Option<&dyn Membership> {
        None
    }

    /// Fails unless a write would succeed. What is found stands for a second.
    async fn check_ready(&self) -> StoreResult<()>;

    /// Finishes the pending writes and releases the engine; later calls fail with
    /// [`StoreError::Closed`].
    async fn close(&self);

    /// What the data takes on disk, or in memory where nothing is kept.
    async fn size(&self) -> StoreResult<StoreSize>;

    /// Every tenant that has collections, in ascending order of account and region, with what they
    /// hold.
    async fn tenants(&self) -> StoreResult<Vec<TenantTotals>>;

    /// Deletes every collection of the tenants in `scope`, in one step that is taken as a whole, and
    /// returns what they held. Takes the same time for collections of any size.
    async fn reset(&self, scope: &Scope) -> StoreResult<Vec<TenantTotals>>;

    /// Makes an empty collection. Fails with [`StoreError::AlreadyExists`] or [`Quota::Tags`].
    async fn create_collection(
        &self,
        tenant: &Tenant,
        new: NewCollection,
    ) -> StoreResult<Collection>;

    /// The collection of that name, with its counts. Fails with [`StoreError::NotFound`].
    async fn collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection>;

    /// Up to `limit` collections made after `after`, in the order of their creation.
    async fn list_collections(
        &self,
        tenant: &Tenant,
        after: Option<CollectionKey>,
        limit: usize,
    ) -> StoreResult<Vec<Collection>>;

    /// Deletes a collection with its faces, users and tags, and returns it as it last was. Takes
    /// the same time for any size.
    async fn delete_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection>;

    /// The tags of a collection.
    async fn tags(&self, tenant: &Tenant, name: &str) -> StoreResult<BTreeMap<String, String>>;

    /// Adds tags, and replaces those whose keys exist. Fails with [`Quota::Tags`] when more than
    /// [`MAX_TAGS`] would result.
    async fn put_tags(
        &self,
        tenant: &Tenant,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> StoreResult<()>;

    /// Removes tags; absent keys are ignored.
    async fn remove_tags(&self, tenant: &Tenant, name: &str, keys: Vec<String>) -> StoreResult<()>;

    /// Stores the faces of one image and returns them in the order given. A face that is there
    /// already (same collection, image bytes and external image id, and about the same box) is
    /// returned as it was stored first, and nothing is added for it. Fails as a whole with
    /// [`Quota::FacesPerCollection`] when more than [`MAX_FACES_PER_COLLECTION`] would result.
    async fn index_faces(&self, request: IndexFaces) -> StoreResult<Vec<Face>>;

    /// Up to `limit` faces that pass the filter and whose face ids come after `after`, in ascending
    /// order of face id.
    async fn list_faces(
        &self,
        collection: CollectionKey,
        after: Option<Uuid>,
        limit: usize,
        filter: FaceFilter,
    ) -> StoreResult<Vec<Face>>;

    /// The faces of these rows, in the order given; rows that are gone are left out. For the hits
    /// of a search.
    async fn faces_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<Face>>;

    /// The same, from one look at the store, if the collection is still in the state in which it was
    /// seen; none where it is in another one, or gone. For hits that were found before anybody
    /// asked.
    async fn faces_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Face>>>;

    /// The unit vector of a face.
    async fn face_vector(
        &self,
        collection: CollectionKey,
        face_id: Uuid,
    ) -> StoreResult<Option<FaceVector>>;

    /// Deletes faces that belong to no user. One result for each distinct id, in the order of its
    /// first mention.
    async fn delete_faces(
        &self,
        collection: &Collection,
        face_ids: &[Uuid],
    ) -> StoreResult<Vec<(Uuid, FaceDeletion)>>;

    /// Makes a user without faces. Fails with [`StoreError::AlreadyExists`],
    /// [`StoreError::NotFound`] or [`StoreError::TokenMismatch`].
    async fn create_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()>;

    /// Deletes a user; its faces stay, without a user. Fails with [`StoreError::NotFound`] or
    /// [`StoreError::TokenMismatch`].
    async fn delete_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()>;

    /// Up to `limit` users with rows above `after`, in the order of their creation; pass the last
    /// [`User::row`] to go on.
    async fn list_users(
        &self,
        collection: CollectionKey,
        after: Option<i64>,
        limit: usize,
    ) -> StoreResult<Vec<User>>;

    /// The user of that id.
    async fn user(&self, collection: CollectionKey, user_id: &str) -> StoreResult<Option<User>>;

    /// The vectors of a user's faces, in the order of their rows; none where the user is gone.
    async fn user_vectors(
        &self,
        collection: CollectionKey,
        user: i64,
    ) -> StoreResult<Vec<Vec<f32>>>;

    /// The users of these rows, in the order given; rows that are gone are left out.
    async fn users_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<User>>;

    /// The same as [`Store::faces_if_current`], of users.
    async fn users_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<User>>>;

    /// Gives faces to a user: each face is judged against the faces that the user has at that
    /// moment, those just associated included. Fails as a whole with
    /// [`StoreError::NotFound`], [`Quota::FacesPerUser`] or [`StoreError::TokenMismatch`].
    async fn associate_faces(
        &self,
        request: AssociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Association>;

    /// Takes faces from a user. Fails as a whole with [`StoreError::NotFound`] or
    /// [`StoreError::TokenMismatch`].
    async fn disassociate_faces(
        &self,
        request: DisassociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Disassociation>;
}
