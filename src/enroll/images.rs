//! Photographs into faces: read, indexed, several at the same time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::kept::{Kept, KeptFace};
use super::report::{Outcome, Refusal, Report};
use super::{OnImage, Options};
use crate::api::{Api, CallError, call};

/// The largest image that a request may carry.
const MAX_IMAGE_BYTES: u64 = 5 << 20;

/// A photograph, and who is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    pub path: PathBuf,
    pub external_image_id: String,
    /// None for an image whose faces belong to no user; all of them are indexed then.
    pub user: Option<String>,
}

/// The faces of each user, in the order of the photographs.
pub(super) type FacesOfUsers = BTreeMap<String, Vec<(Photo, KeptFace)>>;

/// Indexes the photographs that the collection does not hold yet. Fails at the first error that
/// concerns all of them.
pub(super) async fn index(
    api: &dyn Api,
    photos: Vec<Photo>,
    kept: Kept,
    options: &Options,
    report: &mut Report,
    on_image: &OnImage<'_>,
) -> Result<FacesOfUsers, CallError> {
    let kept = &kept;
    let mut done = stream::iter(photos)
        .map(async |photo| {
            let outcome = match kept.get(&photo.external_image_id) {
                Some(faces) => Ok(Outcome::Known(faces.clone())),
                None if options.dry_run => look_at(api, &photo).await,
                None => index_one(api, &photo, &options.collection).await,
            };
            on_image();
            outcome.map(|outcome| (photo, outcome))
        })
        // In order, so that two runs do the same.
        .buffered(options.in_flight.max(1));
    let mut faces = FacesOfUsers::new();
    while let Some(outcome) = done.next().await {
        let (photo, outcome) = outcome?;
        if let (Some(user), Some(face)) = (&photo.user, outcome.face()) {
            faces.entry(user.clone()).or_default().push((photo.clone(), face.clone()));
        }
        report.add(&photo.path, outcome);
    }
    Ok(faces)
}

async fn read(path: &Path) -> Result<String, Refusal> {
    let unreadable = |error: std::io::Error| Refusal::new("UNREADABLE", &error.to_string());
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > MAX_IMAGE_BYTES {
        return Err(Refusal::new("TOO_MANY_BYTES", &format!("the file has {size} bytes")));
    }
    Ok(STANDARD.encode(tokio::fs::read(path).await.map_err(unreadable)?))
}

async fn index_one(api: &dyn Api, photo: &Photo, collection: &str) -> Result<Outcome, CallError> {
    let bytes = match read(&photo.path).await {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let mut input = json!({
        "CollectionId": collection,
        "ExternalImageId": photo.external_image_id,
        "Image": { "Bytes": bytes },
    });
    if photo.user.is_some() {
        input["MaxFaces"] = 1.into();
    }
    let answer = match call(api, "IndexFaces", input).await {
        Ok(answer) => answer,
        Err(error) => return refused(error),
    };
    let records = answer["FaceRecords"].as_array().map_or(&[][..], Vec::as_slice);
    let others = answer["UnindexedFaces"].as_array().map_or(&[][..], Vec::as_slice);
    let face_id = |record: &Value| record["Face"]["FaceId"].as_str().unwrap_or_default().to_owned();
    let faces: Vec<KeptFace> =
        records.iter().map(|record| KeptFace { face_id: face_id(record), user: None }).collect();
    Ok(match (faces.is_empty(), others) {
        (false, others) => Outcome::Indexed { faces, others: others.len() },
        (true, []) => Outcome::Refused(Refusal::new("NO_FACE", "")),
        (true, others) => {
            let reasons = others.iter().filter_map(|face| face["Reasons"].as_array()).flatten();
            let mut reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
            reasons.sort_unstable();
            reasons.dedup();
            Outcome::Refused(Refusal::new(
                reasons.first().unwrap_or(&"LOW_QUALITY"),
                &reasons.join(", "),
            ))
        }
    })
}

/// What a dry run can know: whether there is a face.
async fn look_at(api: &dyn Api, photo: &Photo) -> Result<Outcome, CallError> {
    let bytes = match read(&photo.path).await {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    match call(api, "DetectFaces", json!({ "Image": { "Bytes": bytes } })).await {
        Ok(answer) => Ok(match answer["FaceDetails"].as_array().map_or(0, Vec::len) {
            0 => Outcome::Refused(Refusal::new("NO_FACE", "")),
            faces => Outcome::Detected { faces },
        }),
        Err(error) => refused(error),
    }
}

/// A wrong image concerns itself; any other error concerns all of them.
fn refused(error: CallError) -> Result<Outcome, CallError> {
    match &error {
        CallError::Refused { code, message, .. }
            if matches!(
                code.as_str(),
                "InvalidImageFormatException"
                    | "ImageTooLargeException"
                    | "InvalidParameterException"
            ) =>
        {
            Ok(Outcome::Refused(Refusal::new(code, message)))
        }
        _ => Err(error),
    }
}
