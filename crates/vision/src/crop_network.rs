//! What the networks that look at aligned square crops of faces share.

use image::RgbImage;

use super::aligner::{Aligner, Crop, Template};
use super::detector::Detection;
use super::session::{Network, Outputs};
use super::{CropSpec, VisionError};

/// A network with crops of faces as its input.
pub(crate) struct CropNetwork {
    network: Network,
    spec: CropSpec,
    template: Template,
    input: Vec<f32>,
}

impl CropNetwork {
    /// `scale` as in [`Template::new`].
    pub fn load(
        name: &'static str,
        spec: &CropSpec,
        scale: f32,
        model: &[u8],
    ) -> Result<Self, VisionError> {
        let network = Network::load(name, model)?;
        let side = spec.size as usize;
        if network.fixed_size().is_some_and(|size| size != (side, side)) {
            return Err(network.unusable(format!(
                "its input is {:?}, but the pack says {side}",
                network.fixed_size()
            )));
        }
        let template = Template::new(spec.alignment, spec.size, scale);
        Ok(Self { network, spec: spec.clone(), template, input: Vec::new() })
    }

    pub fn has_output(&self, output: &str) -> bool {
        self.network.has_output(output)
    }

    /// Refuses a network that lacks an output.
    pub fn require(&self, output: &str) -> Result<(), VisionError> {
        if self.has_output(output) {
            Ok(())
        } else {
            Err(self.unusable(format!("it has no output {output}")))
        }
    }

    pub fn unusable(&self, problem: impl Into<String>) -> VisionError {
        self.network.unusable(problem)
    }

    /// A crop without anything, to warm the network with.
    pub fn black(&self) -> Crop {
        Crop::black(self.spec.size)
    }

    /// How many crops go into one run: `most`, unless the network's batch is fixed.
    pub fn batch(&self, most: usize) -> usize {
        self.network.batch(most).max(1)
    }

    pub fn crop(&self, aligner: &mut Aligner, image: &RgbImage, face: &Detection) -> Crop {
        aligner.crop(image, face, &self.template)
    }

    /// Runs on at most a batch of crops. The number is that of the outputs' rows, of which the first
    /// are those of the crops.
    pub fn run(&mut self, crops: &[Crop]) -> Result<(usize, Outputs<'_>), VisionError> {
        let side = self.spec.size as usize;
        self.input.clear();
        crops.iter().for_each(|crop| crop.append_tensor(&self.spec.normalization, &mut self.input));
        let rows = self.network.batch(crops.len()).max(crops.len());
        // A network with a fixed batch gets gray crops for the missing ones.
        self.input.resize(rows * 3 * side * side, 0.0);
        Ok((rows, self.network.run([rows, 3, side, side], &self.input)?))
    }
}
