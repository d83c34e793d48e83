//! Faces to their users.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::Options;
use super::images::{FacesOfUsers, Photo};
use super::kept::KeptFace;
use super::report::{Refusal, Report};
use crate::api::{Api, CallError, call};

/// The most that one request may name.
const AT_A_TIME: usize = 100;

/// Makes the users that are missing, in the order of their names, and gives them their faces.
pub(super) async fn all(
    api: &dyn Api,
    faces: FacesOfUsers,
    options: &Options,
    report: &mut Report,
) -> Result<(), CallError> {
    for (user, _) in faces.iter().filter(|(_, faces)| faces.iter().any(|(_, face)| face.is_free()))
    {
        let input = json!({ "CollectionId": options.collection, "UserId": user });
        match call(api, "CreateUser", input).await {
            Err(error) if error.code() != Some("ConflictException") => return Err(error),
            _ => {}
        }
    }
    let outcomes: Vec<_> = stream::iter(faces)
        .map(async |(user, faces)| of_user(api, &user, faces, options).await)
        .buffered(options.in_flight.max(1))
        .try_collect()
        .await?;
    for User { refused, associated } in outcomes {
        report.totals.users += 1;
        report.totals.associated += associated;
        for (photo, refusal) in refused {
            report.refuse(&photo.path, refusal);
        }
    }
    Ok(())
}

struct User {
    refused: Vec<(Photo, Refusal)>,
    associated: u64,
}

async fn of_user(
    api: &dyn Api,
    user: &str,
    faces: Vec<(Photo, KeptFace)>,
    options: &Options,
) -> Result<User, CallError> {
    let mut outcome = User { refused: Vec::new(), associated: 0 };
    let mut missing = Vec::new();
    for (photo, face) in faces {
        match &face.user {
            Some(owner) if owner == user => {}
            Some(owner) => {
                let refusal = Refusal::new("ASSOCIATED_TO_A_DIFFERENT_USER", owner);
                outcome.refused.push((photo, refusal));
            }
            None => missing.push((photo, face)),
        }
    }
    let collection = &options.collection;
    for faces in missing.chunks(AT_A_TIME) {
        let ids: Vec<&str> = faces.iter().map(|(_, face)| face.face_id.as_str()).collect();
        let input = json!({
            "CollectionId": collection,
            "UserId": user,
            "FaceIds": ids,
            "UserMatchThreshold": options.threshold,
        });
        match call(api, "AssociateFaces", input).await {
            Ok(answer) => take(&answer, faces, &mut outcome),
            Err(error) if error.code() == Some("ServiceQuotaExceededException") => {
                let refusal = Refusal::new("TOO_MANY_FACES", "");
                outcome
                    .refused
                    .extend(faces.iter().map(|(photo, _)| (photo.clone(), refusal.clone())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

fn take(answer: &Value, faces: &[(Photo, KeptFace)], outcome: &mut User) {
    let list = |name: &str| answer[name].as_array().into_iter().flatten();
    outcome.associated += list("AssociatedFaces").count() as u64;
    for failure in list("UnsuccessfulFaceAssociations") {
        let photo = faces.iter().find(|(_, face)| failure["FaceId"] == *face.face_id);
        let reason = failure["Reasons"][0].as_str().unwrap_or("NOT_ASSOCIATED");
        let detail = match (failure["UserId"].as_str(), failure["Confidence"].as_f64()) {
            (Some(user), _) => user.to_owned(),
            (None, Some(confidence)) => format!("similarity {confidence:.1}"),
            (None, None) => String::new(),
        };
        if let Some((photo, _)) = photo {
            outcome.refused.push((photo.clone(), Refusal::new(reason, &detail)));
        }
    }
}
