//! What searches begin with.

use super::matches::face_not_found;
use super::scene::{FilterName, SeenFaces, Vector, filter_or};
use super::{Asked, Context, Searchable};
use crate::gallery::MemberKind;
use crate::operations::error::OperationResult;
use crate::shapes::{CollectionId, Image};
use crate::telemetry::stage;
use aws_json::constraint::Required;
use aws_json::shapes::Choice;
use lookalike_store::FaceVector;
use lookalike_vision::QualityFilter;
use tracing::Instrument as _;
use uuid::Uuid;

/// A face of a collection, to search with.
pub async fn face_of(
    context: &Context,
    searchable: &Searchable,
    face_id: Uuid,
) -> OperationResult<FaceVector> {
    let Searchable { collection, history, is_assumed, .. } = searchable;
    let app = &context.app;
    if *is_assumed
        && let Some(row) = app.seen.row(*history, face_id)
        && let Some(vector) = app.cluster.vector(collection, MemberKind::Faces, row)
    {
        return Ok(FaceVector { row, vector });
    }
    let found = app.store.face_vector(collection.key, face_id).instrument(stage::store()).await?;
    let face = found.ok_or_else(|| searchable.lacks(face_not_found()))?;
    app.seen.note_faces(*history, [(face_id, face.row)].into_iter());
    Ok(face)
}

/// A collection, an image, and the face to search the one for in the other.
pub struct Probe {
    pub searchable: Searchable,
    pub seen: SeenFaces,
    /// The index into the faces and the vector of the largest face that passes the filter.
    pub face: Option<(usize, Vector)>,
    pub filter: QualityFilter,
}

impl Probe {
    pub async fn take(
        context: &Context,
        operation: &'static str,
        collection_id: &CollectionId,
        image: Required<Image>,
        filter: Option<&Choice<FilterName>>,
    ) -> OperationResult<Self> {
        let location = image.into_inner().location()?;
        let searchable = context.searchable_collection(collection_id).await?;
        let rules = context.newest_rules();
        let filter = filter_or(filter, QualityFilter::None);
        let asked = Asked::by(operation, Some(&searchable));
        let picture = context.picture(asked, location).await?;
        let viewer = context.viewer(rules, [&picture]).await?;
        let (seen, face) = context
            .run(&searchable.vision, move |networks| {
                let mut scene = viewer.look(networks, picture)?;
                let face = scene.largest(networks, filter)?;
                Ok((scene.into_seen(), face))
            })
            .await?;
        Ok(Self { searchable, seen, face, filter })
    }
}
