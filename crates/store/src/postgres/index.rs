//! Storing faces: all images that wait for the same collection go in together.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, Row as _};

use super::faces::select_face;
use super::rows::FaceRow;
use super::transaction::{Effect, Locked, Transaction};
use super::writer::{Item, Pending};
use crate::MAX_FACES_PER_COLLECTION;
use crate::change::{Change, FaceVector};
use crate::checksums::checksum;
use crate::duplicates::renumber;
use crate::error::{Quota, StoreError, StoreResult};
use crate::rows::{CollectionKey, Face, IndexFaces, NewFace};

const OF_IMAGES: &str = select_face!(
    "CROSS JOIN unnest((SELECT $2::bytea[]), $3::text[]) wanted (sha256, external_id)
        CROSS JOIN LATERAL (SELECT * FROM faces WHERE collection = $1 AND image_sha256 = wanted.sha256
            AND external_image_id = wanted.external_id OFFSET 0) f",
    "c.id = $1",
    ", f.image_sha256"
);

const INSERT: &str = "WITH added AS (
        INSERT INTO faces (collection, id, face_id, image_id, image_sha256, external_image_id, ordinal,
            box_left, box_top, box_width, box_height, confidence, model_version)
        SELECT $1, * FROM unnest((SELECT $2::bigint[]), $3::uuid[], $4::uuid[], $5::bytea[], $6::text[], $7::integer[],
            $8::real[], $9::real[], $10::real[], $11::real[], $12::real[], $13::text[])
    )
    INSERT INTO vectors (collection, face, vector, checksum)
    SELECT $1, * FROM unnest((SELECT $2::bigint[]), $14::bytea[], $15::bigint[])";

/// What makes two images the same.
type ImageKey = (Vec<u8>, String);

/// The faces of images that are kept, by ordinal.
type Kept = HashMap<ImageKey, Vec<(u32, Face)>>;

/// A face that is added.
struct Added<'b> {
    call: &'b IndexFaces,
    ordinal: u32,
    face: Face,
    vector: &'b [f32],
}

fn key(call: &IndexFaces) -> ImageKey {
    (call.image_sha256.to_vec(), call.external_image_id.clone().unwrap_or_default())
}

/// Does those writes of the batch that store faces. Nobody else adds faces while the collection is
/// locked, so what is kept is read once, and what is new is inserted once.
pub(super) async fn together(
    transaction: &mut Transaction<'_>,
    batch: &mut [Item],
) -> StoreResult<()> {
    let calls: Vec<_> = batch
        .iter_mut()
        .filter_map(|item| match item {
            Item::Index(pending) => {
                let Pending { write, result, .. } = &mut **pending;
                Some((&*write, result))
            }
            Item::Other(_) => None,
        })
        .collect();
    let Some(mut locked) = transaction.collection.clone() else {
        for (call, result) in calls {
            *result = Some(transaction.locked(&call.collection.name).map(|_| Vec::new()));
        }
        return Ok(());
    };
    if calls.is_empty() {
        return Ok(());
    }
    let collection = CollectionKey(locked.id);
    let mut kept = of_images(transaction, calls.iter().map(|(call, _)| *call)).await?;
    let mut added: Vec<Added<'_>> = Vec::new();
    for (call, result) in calls {
        let before = added.len();
        *result = Some(place(call, &mut locked, &mut kept, &mut added));
        let faces = added[before..].iter();
        let faces: Vec<_> = faces
            .map(|added| FaceVector { row: added.face.row, vector: added.vector.to_vec() })
            .collect();
        if !faces.is_empty() {
            transaction.changes.push(Change::FacesAdded { collection, faces });
        }
    }
    if !added.is_empty() {
        insert(transaction, collection, &added).await?;
        transaction.collection = Some(locked);
        transaction.effect = Effect::Changed;
    }
    Ok(())
}

/// The faces that are kept of images.
async fn of_images(
    transaction: &mut Transaction<'_>,
    calls: impl Iterator<Item = &IndexFaces>,
) -> StoreResult<Kept> {
    let mut kept: Kept = calls.map(|call| (key(call), Vec::new())).collect();
    let (sha256, external): (Vec<&[u8]>, Vec<&str>) =
        kept.keys().map(|(sha256, external)| (&sha256[..], &external[..])).unzip();
    let collection = transaction.collection.as_ref().map(|locked| locked.id);
    let rows: Vec<PgRow> = sqlx::query(OF_IMAGES)
        .bind(collection)
        .bind(sha256)
        .bind(external)
        .fetch_all(&mut *transaction.connection)
        .await?;
    for row in rows {
        let (image, face) = (row.try_get("image_sha256")?, FaceRow::from_row(&row)?);
        let ordinal = face.ordinal();
        let face = Face::from(face);
        let external = face.external_image_id.clone().unwrap_or_default();
        kept.entry((image, external)).or_default().push((ordinal, face));
    }
    Ok(kept)
}

/// Gives each face of a call the kept face that it shows again, or a row of its own.
fn place<'b>(
    call: &'b IndexFaces,
    locked: &mut Locked,
    kept: &mut Kept,
    added: &mut Vec<Added<'b>>,
) -> StoreResult<Vec<Face>> {
    let kept = kept.entry(key(call)).or_default();
    let mut ordinals: Vec<u32> = call.faces.iter().map(|new| new.ordinal).collect();
    if !kept.is_empty() {
        let boxes: Vec<_> =
            kept.iter().map(|(ordinal, face)| (*ordinal, face.bounding_box)).collect();
        let mut faces = call.faces.clone();
        renumber(&boxes, &mut faces);
        ordinals = faces.iter().map(|face| face.ordinal).collect();
    }
    let known: HashSet<u32> = kept.iter().map(|(ordinal, _)| *ordinal).collect();
    let mut fresh = HashSet::new();
    let new: Vec<(u32, &NewFace)> = ordinals
        .iter()
        .copied()
        .zip(&call.faces)
        .filter(|(ordinal, _)| !known.contains(ordinal) && fresh.insert(*ordinal))
        .collect();
    if locked.face_count as u64 + new.len() as u64 > MAX_FACES_PER_COLLECTION && !new.is_empty() {
        return Err(StoreError::Quota(Quota::FacesPerCollection));
    }
    for (ordinal, new) in new {
        let face = Face {
            row: locked.next_row,
            face_id: new.face_id,
            image_id: call.image_id,
            external_image_id: call.external_image_id.clone(),
            bounding_box: new.bounding_box,
            confidence: new.confidence,
            model_version: call.model_version.clone(),
            user_id: None,
        };
        locked.next_row += 1;
        locked.face_count += 1;
        kept.push((ordinal, face.clone()));
        added.push(Added { call, ordinal, face, vector: &new.vector });
    }
    let by_ordinal: HashMap<u32, &Face> =
        kept.iter().map(|(ordinal, face)| (*ordinal, face)).collect();
    Ok(ordinals.iter().map(|ordinal| by_ordinal[ordinal].clone()).collect())
}

async fn insert(
    transaction: &mut Transaction<'_>,
    collection: CollectionKey,
    added: &[Added<'_>],
) -> StoreResult<()> {
    fn column<'a, T>(added: &'a [Added<'a>], value: impl Fn(&'a Added<'a>) -> T) -> Vec<T> {
        added.iter().map(value).collect()
    }
    let vectors = column(added, |added| {
        added.vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
    });
    let checksums: Vec<i64> = added
        .iter()
        .zip(&vectors)
        .map(|(added, vector)| checksum(added.face.row, vector))
        .collect();
    sqlx::query(INSERT)
        .bind(collection.0)
        .bind(column(added, |added| added.face.row))
        .bind(column(added, |added| added.face.face_id))
        .bind(column(added, |added| added.face.image_id))
        .bind(column(added, |added| &added.call.image_sha256[..]))
        .bind(column(added, |added| added.call.external_image_id.as_deref().unwrap_or_default()))
        .bind(column(added, |added| added.ordinal as i32))
        .bind(column(added, |added| added.face.bounding_box.left))
        .bind(column(added, |added| added.face.bounding_box.top))
        .bind(column(added, |added| added.face.bounding_box.width))
        .bind(column(added, |added| added.face.bounding_box.height))
        .bind(column(added, |added| added.face.confidence))
        .bind(column(added, |added| &added.face.model_version[..]))
        .bind(vectors)
        .bind(checksums)
        .execute(&mut *transaction.connection)
        .await?;
    Ok(())
}
