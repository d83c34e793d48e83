//! What the searches by image begin with.

use super::scene::{FilterName, SeenFaces, Vector, filter_or};
use super::{Asked, Context, Searchable};
use crate::operations::error::OperationResult;
use crate::shapes::{CollectionId, Image};
use aws_json::constraint::Required;
use aws_json::shapes::Choice;
use lookalike_vision::QualityFilter;

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
