//! Compares the largest face of one image with every face of another.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::face::{BoundingBox, ComparedFace};
use crate::operations::support::scene::{FilterName, filter_or};
use crate::operations::support::{Asked, Context, IMAGE_BODY_BYTES};
use crate::shapes::Image;
use crate::shapes::Percent;
use aws_json::ApiError;
use aws_json::Number;
use aws_json::Operation;
use aws_json::constraint::{Required, request};
use aws_json::shapes::Choice;
use lookalike_search::cosine;
use lookalike_vision::QualityFilter;

const DEFAULT_THRESHOLD: f32 = 80.0;

pub struct CompareFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    source_image: Required<Image>,
    target_image: Required<Image>,
    similarity_threshold: Option<Percent>,
    quality_filter: Option<Choice<FilterName>>,
}

request!(Input: source_image, target_image, similarity_threshold, quality_filter);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    source_image_face: SourceImageFace,
    face_matches: Vec<CompareFacesMatch>,
    unmatched_faces: Vec<ComparedFace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_image_orientation_correction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_image_orientation_correction: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SourceImageFace {
    bounding_box: BoundingBox,
    confidence: Number,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompareFacesMatch {
    similarity: Number,
    face: ComparedFace,
}

impl Operation for CompareFaces {
    const NAME: &'static str = "CompareFaces";
    const MAX_BODY_BYTES: usize = IMAGE_BODY_BYTES;
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let rules = context.newest_rules();
        let filter = filter_or(input.quality_filter.as_ref(), QualityFilter::None);
        let threshold =
            input.similarity_threshold.map_or(DEFAULT_THRESHOLD, |Percent(threshold)| threshold);
        let (source, target) = (
            input.source_image.into_inner().location()?,
            input.target_image.into_inner().location()?,
        );
        let source = context.picture(Asked::by(Self::NAME, None), source).await?;
        let target = context.picture(Asked::by(Self::NAME, None), target).await?;
        let viewer = context.viewer(rules, [&source, &target]).await?;
        let (source, largest, target, cosines) = context
            .with_networks(move |networks| {
                let mut source = viewer.look(networks, source)?;
                // AWS says no more than this when either image shows no usable face.
                let (largest, probe) =
                    source.largest(networks, filter)?.ok_or_else(ApiError::invalid_parameters)?;
                // Its pixels go before those of the other one come.
                let source = source.into_seen();
                let mut target = viewer.look(networks, target)?;
                let others = target.recognize(networks, &target.passing(filter), filter)?;
                if others.is_empty() {
                    return Err(ApiError::invalid_parameters());
                }
                let cosines: Vec<(usize, f32)> =
                    others.iter().map(|(index, other)| (*index, cosine(&probe, other))).collect();
                Ok((source, largest, target.into_seen(), cosines))
            })
            .await?;
        let calibration = &context.app.packs.served().pack().calibration;
        let mut face_matches = Vec::new();
        let mut unmatched_faces = Vec::new();
        for (index, cosine) in cosines {
            let similarity = calibration.similarity(cosine);
            let face = ComparedFace::from(&target.faces[index]);
            if similarity >= threshold {
                face_matches.push(CompareFacesMatch { similarity: Number(similarity), face });
            } else {
                unmatched_faces.push(face);
            }
        }
        face_matches.sort_by(|a, b| b.similarity.0.total_cmp(&a.similarity.0));
        let face = &source.faces[largest];
        Ok(Output {
            source_image_face: SourceImageFace {
                bounding_box: face.bounding_box.into(),
                confidence: Number(face.confidence),
            },
            face_matches,
            unmatched_faces,
            source_image_orientation_correction: source.orientation,
            target_image_orientation_correction: target.orientation,
        })
    }
}
