//! Detection, alignment, embedding and analysis of faces with ONNX networks.
//!
//! A [`Pack`] says which networks to use and how. [`Vision`] loads them once per worker thread and
//! runs jobs on those threads; a job gets its worker's [`Networks`] and calls `detect`, `embed` and
//! `analyze` on a [`DecodedImage`](crate::image::DecodedImage).

use std::path::PathBuf;

use thiserror::Error;

mod aligner;
mod analyzer;
pub mod calibration;
mod crop_network;
pub mod detector;
mod embedder;
mod face;
mod geometry;
#[cfg(test)]
mod golden;
pub mod image;
mod networks;
mod pack;
mod piecewise;
mod pool;
mod pose;
pub mod quality;
pub mod runtime;
mod session;
mod spare;
pub mod stage;
#[cfg(test)]
pub(crate) mod testing;
mod verifier;

pub use calibration::Calibration;
pub use detector::Detection;
pub use embedder::Embedding;
pub use face::{
    AnalyzedFace, Emotion, EyeDirection, FaceAttributes, LANDMARK_TYPES, Landmark, Landmarks, Pose,
    Quality,
};
pub use geometry::{BoundingBox, Point, Rect, SimilarityTransform};
pub use networks::Networks;
pub use pack::{
    Alignment, AnalyzerSpec, ColorOrder, CropSpec, DetectorFamily, DetectorSpec, EmbedderSpec,
    ModelFile, Normalization, Pack, PackError, VerifierSpec,
};
pub use piecewise::{Piecewise, PiecewiseError};
pub use pool::{Load, RunError, Vision, VisionOptions};
pub use quality::{QualityFilter, QualityScale, Reason, reasons};

/// A failure of the inference side; never the client's fault.
#[derive(Debug, Error)]
pub enum VisionError {
    #[error("ONNX Runtime was not loaded before the networks")]
    RuntimeNotLoaded,
    #[error(
        "the ONNX Runtime library {library} cannot be used: {reason}; name one of version 1.23 or newer with --onnxruntime or ORT_DYLIB_PATH"
    )]
    RuntimeUnusable { library: PathBuf, reason: String },
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error("the pack's {network} cannot be used: {problem}")]
    Network { network: &'static str, problem: String },
    #[error("a worker thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("a worker thread panicked while it loaded the networks: {0}")]
    Panicked(String),
    #[error("inference failed: {0}")]
    Inference(#[from] ort::Error),
}
