//! A checksum beside each vector: a flipped bit would make a face unfindable, and nobody would see.

use crc_fast::{CrcAlgorithm, Digest};

use crate::error::{StoreError, StoreResult};

/// CRC-32C of a face's row and the bytes of its vector, so that neither can stand beside another.
pub(crate) fn checksum(face: i64, vector: &[u8]) -> i64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&face.to_le_bytes());
    digest.update(vector);
    digest.finalize().cast_signed()
}

/// Reads a stored vector into `values`, which it clears; fails when it is not as it was written.
pub(crate) fn decode_into(
    face: i64,
    vector: &[u8],
    stored: Option<i64>,
    values: &mut Vec<f32>,
) -> StoreResult<()> {
    let (chunks, rest) = vector.as_chunks::<4>();
    if stored != Some(checksum(face, vector)) || !rest.is_empty() {
        return Err(StoreError::DamagedVector(face));
    }
    values.clear();
    values.extend(chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    Ok(())
}

/// A stored vector; fails when it is not as it was written.
pub(crate) fn decode(face: i64, vector: &[u8], stored: Option<i64>) -> StoreResult<Vec<f32>> {
    let mut values = Vec::new();
    decode_into(face, vector, stored, &mut values)?;
    Ok(values)
}
