//! Detects the faces of an image and keeps them in a collection.

use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::face::{
    AttributeList, AttributeSelection, BoundingBox, FaceDetail,
};
use crate::operations::support::scene::{FilterName, ModelRules, Scene, Vector, filter_or};
use crate::operations::support::{Asked, Context, IMAGE_BODY_BYTES};
use crate::shapes::Image;
use crate::shapes::{CollectionId, ExternalImageId, MaxFacesToIndex};
use crate::telemetry::stage;
use aws_json::ApiResult;
use aws_json::Number;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::shapes::Choice;
use lookalike_store::{self, NewFace};
use lookalike_vision::{self, Networks, QualityFilter, Reason};
use tracing::Instrument as _;

/// The name space of image ids, which AWS derives from names too (UUID version 3).
const IMAGE_IDS: Uuid = uuid!("9f2c0b5e-6a0e-4c0d-9d53-8a7a5f1f6a11");

pub struct IndexFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    collection_id: Required<CollectionId>,
    image: Required<Image>,
    external_image_id: Option<ExternalImageId>,
    detection_attributes: Option<AttributeList>,
    max_faces: Option<MaxFacesToIndex>,
    quality_filter: Option<Choice<FilterName>>,
}

request!(Input[collection_id]: collection_id, image, external_image_id, detection_attributes, max_faces, quality_filter);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    face_records: Vec<FaceRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orientation_correction: Option<&'static str>,
    face_model_version: String,
    unindexed_faces: Vec<UnindexedFace>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FaceRecord {
    face: Face,
    face_detail: FaceDetail,
}

/// A face fresh from its image: not yet rounded, and without the members that only a list shows.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Face {
    face_id: Uuid,
    bounding_box: BoundingBox,
    image_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_image_id: Option<String>,
    confidence: Number,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnindexedFace {
    reasons: Vec<Reason>,
    face_detail: FaceDetail,
}

/// What was decided about the faces of one image, by index into the scene.
struct Selection {
    indexed: Vec<(usize, Vector)>,
    refused: Vec<(usize, Vec<Reason>)>,
}

impl Operation for IndexFaces {
    const NAME: &'static str = "IndexFaces";
    const MAX_BODY_BYTES: usize = IMAGE_BODY_BYTES;
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let location = input.image.into_inner().location()?;
        let searchable = context.searchable_collection(&input.collection_id).await?;
        let collection = &searchable.collection;
        let rules = ModelRules::of(&collection.model_version);
        let filter = if rules.filters_quality() {
            filter_or(input.quality_filter.as_ref(), QualityFilter::Auto)
        } else {
            QualityFilter::None
        };
        let max_faces = input.max_faces.map_or(usize::MAX, MaxFacesToIndex::get);
        let external_image_id = input.external_image_id.map(|id| id.as_str().to_owned());
        let asked = Asked {
            operation: Self::NAME,
            external_image_id: external_image_id.as_deref(),
            searchable: Some(&searchable),
        };
        let picture = context.picture(asked, location).await?;

        let thumbnails = &context.app.thumbnails;
        let keeps = thumbnails.are_kept(&context.tenant, &collection.name).await?;
        let viewer = context.viewer(rules, [&picture]).await?;
        let (image_sha256, seen, selection, pictures) = context
            .run(&searchable.vision, move |networks| {
                let image_sha256 = picture.digest();
                let mut scene = viewer.look(networks, picture)?;
                let selection = select(&mut scene, networks, filter, max_faces)?;
                let mut pictures = Vec::new();
                if keeps {
                    let indexed = selection.indexed.iter();
                    pictures.extend(indexed.map(|(index, _)| scene.thumbnail(networks, *index)));
                }
                Ok((image_sha256, scene.into_seen(), selection, pictures))
            })
            .await?;

        let image_id = image_id(&image_sha256, external_image_id.as_deref());
        let new_face = |(index, vector): &(usize, Vector)| {
            let mut face = new_face(&seen.faces[*index], *index, vector);
            context.app.face_ids.name(collection, image_id, &mut face);
            face
        };
        let new = lookalike_store::IndexFaces {
            collection: collection.clone(),
            image_sha256,
            image_id,
            external_image_id,
            model_version: collection.model_version.clone(),
            faces: selection.indexed.iter().map(new_face).collect(),
        };
        let stored = context.app.store.index_faces(new).instrument(stage::store()).await?;
        let rows = stored.iter().map(|face| (face.face_id, face.row));
        context.app.seen.note_faces(searchable.history, rows);
        if keeps {
            let rows = stored.iter().map(|face| face.row);
            let pictures = rows.zip(pictures).filter_map(|(row, picture)| Some((row, picture?)));
            thumbnails.keep(collection, pictures.collect()).await;
        }
        let refused = selection.refused.iter().filter_map(|(_, reasons)| reasons.first().copied());
        context.findings.indexed(stored.len(), refused);
        context.findings.changed(stored.iter().map(|face| face.face_id), None);

        let wanted = AttributeSelection::from(input.detection_attributes);
        let detail = |index: usize| FaceDetail::new(&seen.faces[index], &wanted);
        Ok(Output {
            face_records: stored
                .into_iter()
                .zip(&selection.indexed)
                .map(|(face, (index, _))| FaceRecord {
                    face: face.into(),
                    face_detail: detail(*index),
                })
                .collect(),
            orientation_correction: seen.orientation,
            face_model_version: collection.model_version.clone(),
            unindexed_faces: selection
                .refused
                .into_iter()
                .map(|(index, reasons)| UnindexedFace { reasons, face_detail: detail(index) })
                .collect(),
        })
    }
}

/// Which faces are indexed and why the others are not: those that the filter refuses, then, beyond
/// `max_faces`, those that the default filter would refuse, then the smallest. Both lists are
/// largest first.
fn select(
    scene: &mut Scene,
    networks: &mut Networks,
    filter: QualityFilter,
    max_faces: usize,
) -> ApiResult<Selection> {
    let mut candidates = scene.passing(filter);
    if candidates.len() > max_faces {
        let (good, poor): (Vec<usize>, Vec<usize>) = candidates
            .into_iter()
            .partition(|&index| scene.seen().reasons(index, QualityFilter::Auto).is_empty());
        candidates = [good, poor].concat();
    }
    // No more faces are embedded than are kept or turn out not to be recognizable.
    let mut indexed = Vec::new();
    let mut candidates = candidates.into_iter();
    while indexed.len() < max_faces {
        let next: Vec<usize> = candidates.by_ref().take(max_faces - indexed.len()).collect();
        if next.is_empty() {
            break;
        }
        indexed.extend(scene.recognize(networks, &next, filter)?);
    }
    indexed.sort_unstable_by_key(|(index, _)| *index);
    let others = (0..scene.seen().faces.len())
        .filter(|index| indexed.iter().all(|(chosen, _)| chosen != index));
    let refused = others.map(|index| match scene.seen().reasons(index, filter) {
        none if none.is_empty() => (index, vec![Reason::ExceedsMaxFaces]),
        reasons => (index, reasons),
    });
    let refused = refused.collect();
    Ok(Selection { indexed, refused })
}

fn new_face(face: &lookalike_vision::AnalyzedFace, index: usize, vector: &Vector) -> NewFace {
    let lookalike_vision::BoundingBox { left, top, width, height } = face.bounding_box;
    NewFace {
        face_id: Uuid::nil(),
        ordinal: u32::try_from(index).unwrap_or(u32::MAX),
        bounding_box: lookalike_store::BoundingBox { left, top, width, height },
        confidence: face.confidence,
        vector: vector.to_vec(),
    }
}

/// Equal for equal images with equal external ids.
fn image_id(image_sha256: &[u8; 32], external_image_id: Option<&str>) -> Uuid {
    let mut name = image_sha256.to_vec();
    name.extend_from_slice(external_image_id.unwrap_or_default().as_bytes());
    Uuid::new_v3(&IMAGE_IDS, &name)
}

impl From<lookalike_store::Face> for Face {
    fn from(face: lookalike_store::Face) -> Self {
        Self {
            face_id: face.face_id,
            bounding_box: face.bounding_box.into(),
            image_id: face.image_id,
            external_image_id: face.external_image_id,
            confidence: Number(face.confidence),
        }
    }
}
