//! Memory for fetched images: one budget for all of them.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{MAX_S3_IMAGE, ObjectError};
use crate::telemetry::ImageOrigin;

/// Fetched images that are held at one time, until an inference thread has read them: sixteen of
/// the largest, or a thousand photos.
pub const HELD_BYTES: usize = 16 * MAX_S3_IMAGE;
const UNIT_BYTES: usize = 1 << 10;

/// The budget, in units.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HELD_BYTES / UNIT_BYTES)))
    }
}

impl Room {
    /// A room of so many KiB, which others may draw on too.
    pub fn of(units: Arc<Semaphore>) -> Self {
        Self(units)
    }

    /// Begins an image.
    pub fn arriving(&self) -> Arriving {
        Arriving { room: self.clone(), bytes: BytesMut::new(), held: None, limit: MAX_S3_IMAGE }
    }
}

/// An image on its way. It is charged for what has arrived, so that a slow one holds up nobody.
pub struct Arriving {
    room: Room,
    bytes: BytesMut,
    held: Option<OwnedSemaphorePermit>,
    limit: usize,
}

impl Arriving {
    /// Sets the size that was announced; fails when it is too large.
    pub fn expect(&mut self, size: u64) -> Result<(), ObjectError> {
        self.limit = usize::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_S3_IMAGE)
            .ok_or(ObjectError::TooLarge)?;
        Ok(())
    }

    /// Takes the next bytes; fails when there are too many, or no room for them.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), ObjectError> {
        let size = self.bytes.len() + chunk.len();
        if size > self.limit {
            return Err(ObjectError::TooLarge);
        }
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = size.div_ceil(UNIT_BYTES) - held;
        let missing = u32::try_from(missing).map_err(|_| ObjectError::TooLarge)?;
        let more = Arc::clone(&self.room.0)
            .try_acquire_many_owned(missing)
            .map_err(|_| ObjectError::NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The image, which keeps its room.
    pub fn finish(self) -> ImageBytes {
        ImageBytes { bytes: self.bytes.freeze(), origin: ImageOrigin::S3, _room: self.held }
    }
}

impl ImageBytes {
    /// Where they came from.
    pub fn origin(&self) -> ImageOrigin {
        self.origin
    }
}

/// The bytes of an image. Fetched ones keep their room until this is dropped, so give it to whoever
/// reads them.
pub struct ImageBytes {
    bytes: Bytes,
    origin: ImageOrigin,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<Bytes> for ImageBytes {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, origin: ImageOrigin::Bytes, _room: None }
    }
}

impl std::ops::Deref for ImageBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
