//! What a file may hold: what a request could have made.

use super::format::CollectionLine;
use crate::shapes::{CollectionId, ExternalImageId, TagKey, TagValue};
use lookalike_search::codes::check;
use lookalike_store::StoredFace;

/// Whether a collection can be one of this server's.
pub(super) fn check_collection(line: &CollectionLine) -> Result<(), String> {
    if CollectionId::parse(&line.name).is_none() {
        return Err(format!("{:?} is no collection id", line.name));
    }
    check_tenant(&line.account, &line.region)?;
    check_version(&line.face_model_version)?;
    for (key, value) in &line.tags {
        if TagKey::parse(key).is_none() || TagValue::parse(value).is_none() {
            return Err(format!("{key:?}: {value:?} is no tag"));
        }
    }
    Ok(())
}

fn check_version(version: &str) -> Result<(), String> {
    let is_one = version.len() <= 8
        && version.starts_with(|first: char| first.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_one { Ok(()) } else { Err(format!("{version:?} is no version of a face model")) }
}

/// Whether an account and a region can be those of a request.
pub fn check_tenant(account: &str, region: &str) -> Result<(), String> {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{account:?} is no account: it has twelve digits"));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.is_empty() || region.len() > 64 || !region.bytes().all(fits) {
        return Err(format!("{region:?} is no region, such as eu-west-1"));
    }
    Ok(())
}

/// Whether a face can be kept, and found.
pub(super) fn check_face(face: &StoredFace, dimensions: usize) -> Result<(), String> {
    let is_wrong = |problem: &str| Err(format!("the face {} {problem}", face.face_id));
    if face.vector.is_empty() {
        return is_wrong("has no vector");
    }
    check(&face.vector, dimensions)
        .map_err(|error| format!("the face {}: {error}", face.face_id))?;
    let external = face.external_image_id.as_deref();
    if external.is_some_and(|id| ExternalImageId::parse(id).is_none()) {
        return is_wrong("has an external_image_id that is none");
    }
    check_version(&face.model_version)?;
    let numbers = face.bounding_box;
    let numbers = [numbers.left, numbers.top, numbers.width, numbers.height, face.confidence];
    if !numbers.iter().all(|number| number.is_finite()) {
        return is_wrong("has a box or a confidence that is no number");
    }
    Ok(())
}
