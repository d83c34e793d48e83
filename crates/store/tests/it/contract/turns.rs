//! A store whose calls go to several nodes, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use lookalike_store::{
    AssociateFaces, Association, ChangeSink, Collection, CollectionKey, DisassociateFaces,
    Disassociation, Export, Face, FaceDeletion, FaceFilter, FaceVector, FaceVisitor, Idempotency,
    Import, IndexFaces, NewCollection, NewImport, Revision, RowRange, Scope, Store, StoreResult,
    StoreSize, Tenant, TenantTotals, Transfer, TransferRows, User, UserVisitor, VectorSource,
};
use uuid::Uuid;

pub struct Turns {
    nodes: [Arc<dyn Store>; 2],
    turn: AtomicUsize,
}

impl Turns {
    pub fn new(nodes: [Arc<dyn Store>; 2]) -> Self {
        Self { nodes, turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> &dyn Store {
        &*self.nodes[self.turn.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl Store for Turns {
    fn subscribe(&self, sink: &Arc<dyn ChangeSink>) {
        self.nodes.iter().for_each(|node| node.subscribe(sink));
    }

    async fn check_ready(&self) -> StoreResult<()> {
        self.nodes[0].check_ready().await?;
        self.nodes[1].check_ready().await
    }

    async fn close(&self) {
        self.nodes[0].close().await;
        self.nodes[1].close().await;
    }

    async fn size(&self) -> StoreResult<StoreSize> {
        self.next().size().await
    }

    async fn tenants(&self) -> StoreResult<Vec<TenantTotals>> {
        self.next().tenants().await
    }

    async fn reset(&self, scope: &Scope) -> StoreResult<Vec<TenantTotals>> {
        self.next().reset(scope).await
    }

    async fn create_collection(
        &self,
        tenant: &Tenant,
        new: NewCollection,
    ) -> StoreResult<Collection> {
        self.next().create_collection(tenant, new).await
    }

    async fn collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        self.next().collection(tenant, name).await
    }

    async fn list_collections(
        &self,
        tenant: &Tenant,
        after: Option<CollectionKey>,
        limit: usize,
    ) -> StoreResult<Vec<Collection>> {
        self.next().list_collections(tenant, after, limit).await
    }

    async fn delete_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Collection> {
        self.next().delete_collection(tenant, name).await
    }

    async fn tags(&self, tenant: &Tenant, name: &str) -> StoreResult<BTreeMap<String, String>> {
        self.next().tags(tenant, name).await
    }

    async fn put_tags(
        &self,
        tenant: &Tenant,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> StoreResult<()> {
        self.next().put_tags(tenant, name, tags).await
    }

    async fn remove_tags(&self, tenant: &Tenant, name: &str, keys: Vec<String>) -> StoreResult<()> {
        self.next().remove_tags(tenant, name, keys).await
    }

    async fn index_faces(&self, request: IndexFaces) -> StoreResult<Vec<Face>> {
        self.next().index_faces(request).await
    }

    async fn list_faces(
        &self,
        collection: CollectionKey,
        after: Option<Uuid>,
        limit: usize,
        filter: FaceFilter,
    ) -> StoreResult<Vec<Face>> {
        self.next().list_faces(collection, after, limit, filter).await
    }

    async fn faces_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<Face>> {
        self.next().faces_by_rows(collection, rows).await
    }

    async fn faces_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Face>>> {
        self.next().faces_if_current(seen, rows).await
    }

    async fn face_vector(
        &self,
        collection: CollectionKey,
        face_id: Uuid,
    ) -> StoreResult<Option<FaceVector>> {
        self.next().face_vector(collection, face_id).await
    }

    async fn delete_faces(
        &self,
        collection: &Collection,
        face_ids: &[Uuid],
    ) -> StoreResult<Vec<(Uuid, FaceDeletion)>> {
        self.next().delete_faces(collection, face_ids).await
    }

    async fn create_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        self.next().create_user(collection, user_id, token).await
    }

    async fn delete_user(
        &self,
        collection: &Collection,
        user_id: &str,
        token: Option<Idempotency>,
    ) -> StoreResult<()> {
        self.next().delete_user(collection, user_id, token).await
    }

    async fn list_users(
        &self,
        collection: CollectionKey,
        after: Option<i64>,
        limit: usize,
    ) -> StoreResult<Vec<User>> {
        self.next().list_users(collection, after, limit).await
    }

    async fn user(&self, collection: CollectionKey, user_id: &str) -> StoreResult<Option<User>> {
        self.next().user(collection, user_id).await
    }

    async fn user_vectors(
        &self,
        collection: CollectionKey,
        user: i64,
    ) -> StoreResult<Vec<Vec<f32>>> {
        self.next().user_vectors(collection, user).await
    }

    async fn users_by_rows(
        &self,
        collection: CollectionKey,
        rows: &[i64],
    ) -> StoreResult<Vec<User>> {
        self.next().users_by_rows(collection, rows).await
    }

    async fn users_if_current(
        &self,
        seen: &Collection,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<User>>> {
        self.next().users_if_current(seen, rows).await
    }

    async fn associate_faces(
        &self,
        request: AssociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Association> {
        self.next().associate_faces(request, token).await
    }

    async fn disassociate_faces(
        &self,
        request: DisassociateFaces,
        token: Option<Idempotency>,
    ) -> StoreResult<Disassociation> {
        self.next().disassociate_faces(request, token).await
    }
}

#[async_trait]
impl VectorSource for Turns {
    async fn collection_by_key(&self, key: CollectionKey) -> StoreResult<Option<Collection>> {
        self.next().collection_by_key(key).await
    }

    async fn load_faces(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        self.next().load_faces(collection, rows, visit).await
    }

    async fn load_users(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        self.next().load_users(collection, rows, visit).await
    }
}

#[async_trait]
impl Transfer for Turns {
    async fn export_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Export> {
        self.next().export_collection(tenant, name).await
    }

    async fn begin_import(&self, tenant: &Tenant, new: NewImport) -> StoreResult<Import> {
        self.next().begin_import(tenant, new).await
    }

    async fn import_rows(&self, import: &Import, rows: TransferRows) -> StoreResult<()> {
        self.next().import_rows(import, rows).await
    }

    async fn finish_imports(
        &self,
        imports: &[Import],
        replace: bool,
    ) -> StoreResult<Vec<Collection>> {
        self.next().finish_imports(imports, replace).await
    }

    async fn abandon_imports(&self, imports: &[Import]) -> StoreResult<()> {
        self.next().abandon_imports(imports).await
    }
}
