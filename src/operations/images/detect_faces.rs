//! Detects the faces of an image and keeps nothing.

use serde::{Deserialize, Serialize};

use crate::operations::error::{OperationError, OperationResult};
use crate::operations::support::face::{AttributeList, AttributeSelection, FaceDetail};
use crate::operations::support::{Asked, Context, IMAGE_BODY_BYTES};
use crate::shapes::Image;
use aws_json::Operation;
use aws_json::constraint::{Required, request};

pub struct DetectFaces;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Input {
    image: Required<Image>,
    attributes: Option<AttributeList>,
}

request!(Input: image, attributes);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    face_details: Vec<FaceDetail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orientation_correction: Option<&'static str>,
}

impl Operation for DetectFaces {
    const NAME: &'static str = "DetectFaces";
    const MAX_BODY_BYTES: usize = IMAGE_BODY_BYTES;
    type Context = Context;
    type Input = Input;
    type Output = Output;
    type Error = OperationError;

    async fn run(context: &Context, input: Input) -> OperationResult<Output> {
        let rules = context.newest_rules();
        let location = input.image.into_inner().location()?;
        let picture = context.picture(Asked::by(Self::NAME, None), location).await?;
        let viewer = context.viewer(rules, [&picture]).await?;
        let seen = context
            .with_networks(move |networks| Ok(viewer.look(networks, picture)?.into_seen()))
            .await?;
        let wanted = AttributeSelection::from(input.attributes);
        Ok(Output {
            face_details: seen.faces.iter().map(|face| FaceDetail::new(face, &wanted)).collect(),
            orientation_correction: seen.orientation,
        })
    }
}
