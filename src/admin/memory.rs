//! What this server holds of a collection in memory.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::{Json, Query};
use crate::gallery::{GallerySize, MemberKind};
use lookalike_store::Tenant;

/// Which collection.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemoryQuery {
    account: String,
    region: String,
    collection: String,
}

/// The vectors of a collection that this server holds; they are loaded by its first search.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionMemory {
    /// Null where no search of faces has loaded them.
    faces: Option<Held>,
    /// Null where no search of users has loaded them.
    users: Option<Held>,
}

/// Vectors in memory.
#[derive(Debug, Serialize, ToSchema)]
struct Held {
    /// Fewer than the collection has where other nodes hold the rest.
    vectors: usize,
    bytes: usize,
}

impl Held {
    fn of(size: GallerySize) -> Option<Self> {
        let GallerySize { collections, vectors, bytes } = size;
        (collections > 0).then_some(Self { vectors, bytes })
    }
}

/// What this server holds of a collection in memory.
#[utoipa::path(get, path = "/memory", tag = "system", params(MemoryQuery), responses(
    (status = OK, body = CollectionMemory),
    (status = "4XX", body = ErrorBody),
    (status = "5XX", body = ErrorBody),
))]
pub async fn memory(
    State(admin): State<Arc<Admin>>,
    Query(query): Query<MemoryQuery>,
) -> Result<Json<CollectionMemory>, AdminError> {
    let MemoryQuery { account, region, collection } = query;
    let app = admin.app();
    let found = app.store.collection(&Tenant { account, region }, &collection).await?;
    let held = |kind| Held::of(app.gallery.size_of(found.key, kind));
    Ok(Json(CollectionMemory { faces: held(MemberKind::Faces), users: held(MemberKind::Users) }))
}
