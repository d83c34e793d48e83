//! Aligned crops to unit vectors.

use image::RgbImage;

use super::aligner::{Aligner, Crop};
use super::crop_network::CropNetwork;
use super::detector::Detection;
use super::quality::QualityScale;
use super::{EmbedderSpec, VisionError};

/// A face as a vector. Two faces are as alike as their inner product.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// The direction is the person; the length, 0..=1, is the weight of this view. As in MagFace
    /// (Meng et al. 2021) a poor view is short, so that it resembles nobody much.
    pub vector: Box<[f32]>,
    /// The cosine to expect between this view and a clear, upright one, 0..=1; 1 where the pack
    /// does not rate views.
    pub rating: f32,
}

/// The outputs of an embedder. A network with one output may name it as it likes.
const EMBEDDING: &str = "embedding";
const QUALITY: &str = "quality";

/// Crops per run. On one thread larger batches are no faster, they only take more memory.
const BATCH: usize = 4;

pub(crate) struct Embedder {
    network: CropNetwork,
    dimensions: usize,
    flip: bool,
    quality: Option<QualityScale>,
}

/// What the network gives for one crop: a vector of any length, and its rating.
type Raw = (Box<[f32]>, f32);

impl Embedder {
    pub fn load(
        spec: &EmbedderSpec,
        quality: Option<&QualityScale>,
        model: &[u8],
    ) -> Result<Self, VisionError> {
        let network = CropNetwork::load("embedder", &spec.crop, 1.0, model)?;
        if quality.is_some() && !(network.has_output(EMBEDDING) && network.has_output(QUALITY)) {
            return Err(network.unusable(format!(
                "the pack has a section [quality], but the network lacks the outputs {EMBEDDING} and {QUALITY}"
            )));
        }
        let EmbedderSpec { dimensions, flip, .. } = *spec;
        Ok(Self { network, dimensions, flip, quality: quality.cloned() })
    }

    /// One run on black, so that the first request pays for no lazy set-up and a wrong output shape
    /// is found at start.
    pub fn warm(&mut self) -> Result<(), VisionError> {
        self.embed_crops(&mut [self.network.black()]).map(drop)
    }

    pub fn embed(
        &mut self,
        aligner: &mut Aligner,
        image: &RgbImage,
        faces: &[&Detection],
    ) -> Result<Vec<Embedding>, VisionError> {
        let mut embeddings = Vec::with_capacity(faces.len());
        for chunk in faces.chunks(self.network.batch(BATCH)) {
            let mut crops: Vec<Crop> =
                chunk.iter().map(|face| self.network.crop(aligner, image, face)).collect();
            embeddings.extend(self.embed_crops(&mut crops)?);
        }
        Ok(embeddings)
    }

    fn embed_crops(&mut self, crops: &mut [Crop]) -> Result<Vec<Embedding>, VisionError> {
        let mut views = self.run(crops)?;
        if self.flip {
            crops.iter_mut().for_each(Crop::mirror);
            for ((vector, rating), (mut mirrored, other)) in views.iter_mut().zip(self.run(crops)?)
            {
                normalize(vector);
                normalize(&mut mirrored);
                vector.iter_mut().zip(mirrored.iter()).for_each(|(value, other)| *value += other);
                *rating = f32::midpoint(*rating, other);
            }
        }
        Ok(views.into_iter().map(|view| self.weigh(view)).collect())
    }

    /// Gives a view's vector the length that its rating earns.
    fn weigh(&self, (mut vector, rating): Raw) -> Embedding {
        normalize(&mut vector);
        if let Some(scale) = &self.quality {
            let weight = scale.weight(rating);
            vector.iter_mut().for_each(|value| *value *= weight);
        }
        Embedding { vector, rating }
    }

    /// The network's outputs for each crop.
    fn run(&mut self, crops: &[Crop]) -> Result<Vec<Raw>, VisionError> {
        let (rows, outputs) = self.network.run(crops)?;
        let len = rows * self.dimensions;
        let (vectors, ratings) = if self.quality.is_some() {
            (outputs.named(EMBEDDING, len)?, outputs.named(QUALITY, rows)?.to_vec())
        } else {
            (outputs.at(0, len)?, vec![1.0; rows])
        };
        let rated = vectors.chunks_exact(self.dimensions).zip(ratings).take(crops.len());
        Ok(rated.map(|(vector, rating)| (Box::from(vector), sound(rating))).collect())
    }
}

/// A rating that is no number is the worst.
fn sound(rating: f32) -> f32 {
    if rating.is_finite() { rating.clamp(0.0, 1.0) } else { 0.0 }
}

/// Scales to length one. A zero or non-finite vector becomes the first axis, so that no NaN ever
/// reaches a gallery.
fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length.is_finite() && length > 1e-12 {
        #[allow(clippy::cast_possible_truncation, reason = "a unit vector's components are f32")]
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    } else {
        vector.fill(0.0);
        if let Some(first) = vector.first_mut() {
            *first = 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_length_one_and_are_finite() {
        let mut vector = vec![3.0, 4.0];
        normalize(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        for broken in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            let mut vector = broken;
            normalize(&mut vector);
            assert_eq!(vector, [1.0, 0.0]);
        }
        let mut huge = vec![3.0e30, 4.0e30];
        normalize(&mut huge);
        assert!((huge[0] - 0.6).abs() < 1e-6 && (huge[1] - 0.8).abs() < 1e-6);
    }
}
