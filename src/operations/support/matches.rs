//! Searching a collection and printing what was found.

use std::collections::HashMap;

use serde::Serialize;
use tracing::Instrument as _;

use super::Context;
use super::context::Searchable;
use super::stored_face::StoredFace;
use crate::cluster::Cluster;
use crate::gallery::{Found, MemberKind, SearchError};
use crate::operations::error::{OperationError, OperationResult};
use crate::shapes::{MaxFaces, MaxUserResults, Percent};
use crate::telemetry::{SearchFound, stage};
use aws_json::Number;
use aws_json::{ApiError, ErrorCode};
use lookalike_store::{Collection, Face, Store, StoreResult, User};

const DEFAULT_THRESHOLD: f32 = 80.0;
const MOST_FACES: usize = 4096;
const MOST_USERS: usize = 500;

/// Scans for one answer: each but the first follows deletions of what the one before had found.
const MOST_SCANS: usize = 8;

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
#[derive(Clone, Copy)]
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
        Self {
            most,
            threshold: threshold.map_or(DEFAULT_THRESHOLD, |Percent(threshold)| threshold),
            except: None,
        }
    }

    /// Leaves out the row that is searched with.
    pub fn except(self, row: i64) -> Self {
        Self { except: Some(row), ..self }
    }
}

/// What is searched for: faces or users.
trait Searched: Sized {
    const KIND: MemberKind;

    /// Those of these rows that are there to be matched, in the order given; none where the
    /// collection is assumed to be in another state than it is.
    async fn by_rows(
        store: &dyn Store,
        collection: &Collection,
        is_assumed: bool,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Self>>>;

    fn row(&self) -> i64;
}

impl Searched for Face {
    const KIND: MemberKind = MemberKind::Faces;

    async fn by_rows(
        store: &dyn Store,
        collection: &Collection,
        is_assumed: bool,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Self>>> {
        if is_assumed {
            return store.faces_if_current(collection, rows).await;
        }
        store.faces_by_rows(collection.key, rows).await.map(Some)
    }

    fn row(&self) -> i64 {
        self.row
    }
}

impl Searched for User {
    const KIND: MemberKind = MemberKind::Users;

    async fn by_rows(
        store: &dyn Store,
        collection: &Collection,
        is_assumed: bool,
        rows: &[i64],
    ) -> StoreResult<Option<Vec<Self>>> {
        let mut users = if is_assumed {
            store.users_if_current(collection, rows).await?
        } else {
            Some(store.users_by_rows(collection.key, rows).await?)
        };
        users.iter_mut().for_each(|users| users.retain(Self::is_active));
        Ok(users)
    }

    fn row(&self) -> i64 {
        self.row
    }
}

/// The faces that match a probe, most alike first.
pub async fn faces(
    context: &Context,
    searchable: &Searchable,
    probe: &[f32],
    options: MatchOptions,
) -> OperationResult<Vec<FaceMatch>> {
    let calibration = &searchable.vision.pack().calibration;
    let best = noted::<Face>(context, searchable, probe, &options).await?;
    let matches = best.into_iter().map(|(cosine, face)| FaceMatch {
        similarity: Number(calibration.similarity(cosine)),
        face: face.into(),
    });
    Ok(matches.collect())
}

/// The users that match a probe, most alike first.
pub async fn users(
    context: &Context,
    searchable: &Searchable,
    probe: &[f32],
    options: MatchOptions,
) -> OperationResult<Vec<UserMatch>> {
    let calibration = &searchable.vision.pack().calibration;
    let best = noted::<User>(context, searchable, probe, &options).await?;
    let matches = best.into_iter().map(|(cosine, user)| UserMatch {
        similarity: Number(calibration.similarity(cosine)),
        user: MatchedUser { user_status: status(&user), user_id: user.user_id },
    });
    Ok(matches.collect())
}

/// The best matches and their cosines, noted among the findings of the request.
async fn noted<T: Searched>(
    context: &Context,
    searchable: &Searchable,
    probe: &[f32],
    options: &MatchOptions,
) -> OperationResult<Vec<(f32, T)>> {
    let calibration = &searchable.vision.pack().calibration;
    let floor = calibration.cosine_floor(options.threshold);
    let (cluster, store) = (&context.app.cluster, &*context.app.store);
    let Searchable { collection, is_assumed, .. } = searchable;
    let search = best::<T>(cluster, store, (collection, *is_assumed), probe, floor, options);
    let (best, candidates) = search.await?;
    context.findings.search(SearchFound {
        candidates,
        top_similarity: best.first().map(|(cosine, _)| calibration.similarity(*cosine)),
    });
    Ok(best)
}

/// The best matches and their cosines, and how many vectors were compared. What goes between the
/// scan and the look-up is no match, and what it kept out of the answer is scanned for again. Fails
/// where the collection is assumed to be in another state than it is.
async fn best<T: Searched>(
    cluster: &Cluster,
    store: &dyn Store,
    (collection, is_assumed): (&Collection, bool),
    probe: &[f32],
    floor: f32,
    options: &MatchOptions,
) -> OperationResult<(Vec<(f32, T)>, usize)> {
    let mut best = Vec::new();
    let (mut gone, mut candidates) = (0, 0);
    for _ in 0..MOST_SCANS {
        // One more where the searched row itself will be among the hits.
        let asked = options.most + usize::from(options.except.is_some()) + gone;
        let search = cluster.search(collection, T::KIND, probe, floor, asked);
        let Found { hits, compared } = match search.instrument(stage::search()).await {
            // No copy can be brought to a state that is of a lost history.
            Err(SearchError::Abandoned(_)) if is_assumed => return Err(OperationError::Outdated),
            found => found?,
        };
        candidates = compared;
        let found_all = hits.len() < asked;
        let rows: Vec<i64> =
            hits.iter().map(|hit| hit.id).filter(|row| Some(*row) != options.except).collect();
        let found = T::by_rows(store, collection, is_assumed, &rows);
        let found = found.instrument(stage::store()).await?.ok_or(OperationError::Outdated)?;
        gone = rows.len() - found.len();
        let cosines: HashMap<i64, f32> = hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect();
        best = found.into_iter().map(|found| (cosines[&found.row()], found)).collect();
        if found_all || best.len() >= options.most {
            break;
        }
    }
    best.truncate(options.most);
    Ok((best, candidates))
}

/// A user's status as lists and searches show it.
pub fn status(user: &User) -> &'static str {
    status_after(false, user.is_active())
}

/// A user's status in the answer to a change of its faces: the official examples say `UPDATING`,
/// and the next look says the rest.
pub fn status_after(changed: bool, is_active: bool) -> &'static str {
    match (changed, is_active) {
        (true, _) => "UPDATING",
        (false, true) => "ACTIVE",
        (false, false) => "CREATED",
    }
}

/// AWS does not answer `ResourceNotFoundException` here.
pub fn face_not_found() -> ApiError {
    ApiError::new(ErrorCode::InvalidParameterException, "faceId was not found in the collection.")
}

#[cfg(test)]
#[path = "matches_tests.rs"]
mod tests;
