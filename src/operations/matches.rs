//! Searching a collection and printing what was found.

use std::collections::HashMap;

use serde::Serialize;

use super::Context;
use super::context::store_error;
use super::stored_face::StoredFace;
use crate::api::members::{MaxFaces, MaxUserResults, Percent};
use crate::api::number::Number;
use crate::api::{ApiError, ApiResult};
use crate::search::{Hit, Kind};
use crate::store::{Collection, User};

const DEFAULT_THRESHOLD: f32 = 80.0;
const MOST_FACES: usize = 4096;
const MOST_USERS: usize = 500;

/// A face of the collection and how alike it is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FaceMatch {
    similarity: Number,
    face: StoredFace,
}

/// A user of the collection and how alike it is.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserMatch {
    similarity: Number,
    user: MatchedUser,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MatchedUser {
    user_id: String,
    user_status: &'static str,
}

/// How many matches are wanted and how alike they have to be.
pub struct MatchOptions {
    most: usize,
    /// A similarity from 0 to 100; what reaches it matches.
    threshold: f32,
    except: Option<i64>,
}

impl MatchOptions {
    pub fn faces(most: Option<MaxFaces>, threshold: Option<Percent>) -> Self {
        Self::new(most.map_or(MOST_FACES, MaxFaces::get), threshold)
    }

    pub fn users(most: Option<MaxUserResults>, threshold: Option<Percent>) -> Self {
        Self::new(most.map_or(MOST_USERS, MaxUserResults::get), threshold)
    }

    fn new(most: usize, threshold: Option<Percent>) -> Self {
        Self { most, threshold: threshold.map_or(DEFAULT_THRESHOLD, |Percent(threshold)| threshold), except: None }
    }

    /// Leaves out the row that is searched with.
    pub fn except(self, row: i64) -> Self {
        Self { except: Some(row), ..self }
    }

    /// One more than wanted where the searched row itself will be among the hits.
    fn search_for(&self) -> usize {
        self.most + usize::from(self.except.is_some())
    }

    fn pick(&self, hits: Vec<Hit>) -> Vec<Hit> {
        hits.into_iter().filter(|hit| Some(hit.id) != self.except).take(self.most).collect()
    }
}

/// The faces that match a probe, most alike first.
pub async fn faces(
    context: &Context,
    collection: &Collection,
    probe: &[f32],
    options: MatchOptions,
) -> ApiResult<Vec<FaceMatch>> {
    let (app, key) = (&context.app, collection.key);
    let calibration = &app.vision.pack().calibration;
    let floor = calibration.cosine_floor(options.threshold);
    let hits = app.gallery.search(key, Kind::Faces, probe, floor, options.search_for()).await.map_err(ApiError::internal)?;
    let hits = options.pick(hits);
    let rows: Vec<i64> = hits.iter().map(|hit| hit.id).collect();
    let found = app.store.faces_by_rows(key, &rows).await.map_err(|error| store_error(error, &collection.name, ""))?;
    // A face that was deleted since the search is no longer a match.
    let cosines: HashMap<i64, f32> = hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect();
    let matches = found
        .into_iter()
        .map(|face| FaceMatch { similarity: Number(calibration.similarity(cosines[&face.row])), face: face.into() });
    Ok(matches.collect())
}

/// The users that match a probe, most alike first.
pub async fn users(
    context: &Context,
    collection: &Collection,
    probe: &[f32],
    options: MatchOptions,
) -> ApiResult<Vec<UserMatch>> {
    let (app, key) = (&context.app, collection.key);
    let calibration = &app.vision.pack().calibration;
    let floor = calibration.cosine_floor(options.threshold);
    let hits = app.gallery.search(key, Kind::Users, probe, floor, options.search_for()).await.map_err(ApiError::internal)?;
    let hits = options.pick(hits);
    let rows: Vec<i64> = hits.iter().map(|hit| hit.id).collect();
    let found = app.store.users_by_rows(key, &rows).await.map_err(|error| store_error(error, &collection.name, ""))?;
    let cosines: HashMap<i64, f32> = hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect();
    let matches = found.into_iter().map(|user| UserMatch {
        similarity: Number(calibration.similarity(cosines[&user.row])),
        user: MatchedUser { user_status: status(&user), user_id: user.user_id },
    });
    Ok(matches.collect())
}

/// A user's status as lists and searches show it.
pub fn status(user: &User) -> &'static str {
    if user.is_active() { "ACTIVE" } else { "CREATED" }
}
