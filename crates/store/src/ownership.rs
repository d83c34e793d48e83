//! Which faces a user gains and loses: the rule is the same for every engine.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::MAX_FACES_PER_USER;
use crate::error::{Quota, StoreError, StoreResult};
use crate::rows::{
    AssociateFaces, Association, AssociationFailure, DisassociateFaces, Disassociation,
    DisassociationFailure, User,
};

/// A face that a request names.
pub(crate) struct Candidate {
    pub(crate) row: i64,
    /// Row and id of the user whose face it is.
    pub(crate) owner: Option<(i64, String)>,
    pub(crate) vector: Vec<f32>,
}

/// The ids without repetition, in the order of their first mention.
pub(crate) fn distinct(face_ids: &[Uuid]) -> Vec<Uuid> {
    let mut seen = HashSet::with_capacity(face_ids.len());
    face_ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

/// What a user whose faces have these vectors gains: the outcome, and the rows of the new faces.
pub(crate) fn associate(
    request: &AssociateFaces,
    user: &User,
    mut vectors: Vec<Vec<f32>>,
    mut candidates: HashMap<Uuid, Candidate>,
) -> StoreResult<(Association, Vec<i64>)> {
    let mut outcome =
        Association { associated: Vec::new(), unsuccessful: Vec::new(), is_active: false };
    let mut gained = Vec::new();
    for face_id in distinct(&request.face_ids) {
        let failure = match candidates.remove(&face_id) {
            None => AssociationFailure::FaceNotFound,
            Some(Candidate { owner: Some((owner, _)), .. }) if owner == user.row => continue,
            Some(Candidate { owner: Some((_, user_id)), .. }) => {
                AssociationFailure::AssociatedToADifferentUser(user_id)
            }
            Some(Candidate { row, owner: None, vector }) => {
                let similarity = if vectors.is_empty() {
                    None
                } else {
                    Some((request.similarity)(&vectors, &vector))
                };
                match similarity.filter(|similarity| *similarity < request.threshold) {
                    Some(low) => AssociationFailure::LowMatchConfidence(low),
                    None if vectors.len() >= MAX_FACES_PER_USER => {
                        return Err(StoreError::Quota(Quota::FacesPerUser));
                    }
                    None => {
                        vectors.push(vector);
                        gained.push(row);
                        outcome.associated.push(face_id);
                        continue;
                    }
                }
            }
        };
        outcome.unsuccessful.push((face_id, failure));
    }
    outcome.is_active = !vectors.is_empty();
    Ok((outcome, gained))
}

/// What a user loses: the outcome, and the rows of the faces.
pub(crate) fn disassociate(
    request: &DisassociateFaces,
    user: &User,
    mut candidates: HashMap<Uuid, Candidate>,
) -> (Disassociation, Vec<i64>) {
    let mut outcome =
        Disassociation { disassociated: Vec::new(), unsuccessful: Vec::new(), is_active: false };
    let mut lost = Vec::new();
    for face_id in distinct(&request.face_ids) {
        match candidates.remove(&face_id) {
            None => outcome.unsuccessful.push((face_id, DisassociationFailure::FaceNotFound)),
            Some(Candidate { owner: None, .. }) => {}
            Some(Candidate { row, owner: Some((owner, user_id)), .. }) => {
                if owner == user.row {
                    lost.push(row);
                    outcome.disassociated.push(face_id);
                } else {
                    outcome.unsuccessful.push((
                        face_id,
                        DisassociationFailure::AssociatedToADifferentUser(user_id),
                    ));
                }
            }
        }
    }
    outcome.is_active = user.face_count > lost.len() as u64;
    (outcome, lost)
}
