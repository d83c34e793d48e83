//! Aligned crops to unit vectors.

use std::time::Duration;

use image::RgbImage;

use super::aligner::{Aligner, Crop, Template};
use super::detector::Detection;
use super::session::Network;
use super::{EmbedderSpec, VisionError};

/// A face as a unit vector; the cosine of two faces is their dot product.
pub type Embedding = Box<[f32]>;

/// Crops per run. On one thread larger batches are no faster, they only take more memory.
const BATCH: usize = 4;

pub(crate) struct Embedder {
    network: Network,
    spec: EmbedderSpec,
    template: Template,
    input: Vec<f32>,
}

impl Embedder {
    pub fn load(spec: &EmbedderSpec, model: &[u8]) -> Result<Self, VisionError> {
        let network = Network::load("embedder", model)?;
        let side = spec.size as usize;
        if network.fixed_size().is_some_and(|size| size != (side, side)) {
            return Err(network.unusable(format!(
                "its input is {:?}, but the pack says {side}",
                network.fixed_size()
            )));
        }
        Ok(Self {
            network,
            spec: spec.clone(),
            template: Template::new(spec.alignment, spec.size, 1.0),
            input: Vec::new(),
        })
    }

    /// One run on black, so that the first request pays for no lazy set-up and a wrong output shape
    /// is found at start.
    pub fn warm(&mut self) -> Result<(), VisionError> {
        let mut black = vec![Crop::black(self.spec.size)];
        self.embed_crops(&mut black).map(drop)
    }

    pub fn embed(
        &mut self,
        aligner: &mut Aligner,
        image: &RgbImage,
        faces: &[&Detection],
    ) -> Result<Vec<Embedding>, VisionError> {
        let mut embeddings = Vec::with_capacity(faces.len());
        for chunk in faces.chunks(BATCH) {
            let mut crops: Vec<Crop> =
                chunk.iter().map(|face| aligner.crop(image, face, &self.template)).collect();
            embeddings.extend(self.embed_crops(&mut crops)?);
        }
        Ok(embeddings)
    }

    fn embed_crops(&mut self, crops: &mut [Crop]) -> Result<Vec<Embedding>, VisionError> {
        let mut vectors = self.run(crops)?;
        if self.spec.flip {
            crops.iter_mut().for_each(Crop::mirror);
            for (vector, mirrored) in vectors.iter_mut().zip(self.run(crops)?) {
                normalise(vector);
                let mut mirrored = mirrored;
                normalise(&mut mirrored);
                vector.iter_mut().zip(mirrored.iter()).for_each(|(value, other)| *value += other);
            }
        }
        vectors.iter_mut().for_each(|vector| normalise(vector));
        Ok(vectors)
    }

    /// The network's raw output for each crop.
    fn run(&mut self, crops: &[Crop]) -> Result<Vec<Embedding>, VisionError> {
        let (side, dimensions) = (self.spec.size as usize, self.spec.dimensions);
        let batch = self.network.batch(crops.len()).max(1);
        let mut vectors = Vec::with_capacity(crops.len());
        for chunk in crops.chunks(batch) {
            self.input.clear();
            chunk
                .iter()
                .for_each(|crop| crop.append_tensor(&self.spec.normalisation, &mut self.input));
            // A network with a fixed batch gets black crops for the missing ones.
            self.input.resize(self.network.batch(chunk.len()) * 3 * side * side, 0.0);
            let rows = self.input.len() / (3 * side * side);
            let outputs = self.network.run([rows, 3, side, side], &self.input)?;
            let values = outputs.at(0, rows * dimensions)?;
            vectors.extend(values.chunks_exact(dimensions).take(chunk.len()).map(Box::from));
        }
        Ok(vectors)
    }

    pub fn take_time(&mut self) -> Duration {
        self.network.take_time()
    }
}

/// Scales to length one. A zero or non-finite vector becomes the first axis, so that no NaN ever
/// reaches a gallery.
fn normalise(vector: &mut [f32]) {
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
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        for broken in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            let mut vector = broken;
            normalise(&mut vector);
            assert_eq!(vector, [1.0, 0.0]);
        }
        let mut huge = vec![3.0e30, 4.0e30];
        normalise(&mut huge);
        assert!((huge[0] - 0.6).abs() < 1e-6 && (huge[1] - 0.8).abs() < 1e-6);
    }
}
