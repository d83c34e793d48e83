//! Where the search reads vectors from.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{Postgres, collections, load};
use crate::change::Since;
use crate::error::StoreResult;
use crate::rows::{Collection, CollectionKey, Revision, RowRange};
use crate::{FaceVisitor, UserVisitor, VectorSource};

#[async_trait]
impl VectorSource for Postgres {
    async fn collection_by_key(&self, key: CollectionKey) -> StoreResult<Option<Collection>> {
        self.engine.read(|lease| collections::look_up_by_key(lease, key)).await
    }

    async fn load_faces(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        load::faces(self.engine.loader().await?, collection, rows, visit).await
    }

    async fn load_users(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        visit: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        load::users(self.engine.loader().await?, collection, rows, visit).await
    }

    async fn faces_since(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        since: Revision,
    ) -> StoreResult<Option<Since<Vec<f32>>>> {
        self.engine.read(|lease| load::faces_since(lease, collection, rows, since)).await
    }

    async fn users_since(
        &self,
        collection: CollectionKey,
        rows: RowRange,
        since: Revision,
    ) -> StoreResult<Option<Since<Vec<Vec<f32>>>>> {
        self.engine.read(|lease| load::users_since(lease, collection, rows, since)).await
    }

    async fn revisions(
        &self,
        collections: &[CollectionKey],
    ) -> StoreResult<Option<HashMap<CollectionKey, Revision>>> {
        self.engine.read(|lease| load::revisions(lease, collections)).await.map(Some)
    }
}
