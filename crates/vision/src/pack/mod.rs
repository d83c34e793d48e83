//! A pack: a folder with `pack.toml` and the ONNX files that it names by SHA-256.

mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use self::spec::Manifest;
use super::calibration::Calibration;
use super::quality::QualityScale;

pub use self::spec::{
    Alignment, AnalyzerSpec, ColorOrder, CropSpec, DetectorFamily, DetectorSpec, EmbedderSpec,
    ModelFile, Normalization, VerifierSpec,
};

/// Digits that name a vector space.
const SPACE_DIGITS: usize = 12;

/// Why a folder is not a usable pack.
#[derive(Debug, Error)]
pub enum PackError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not a valid pack: {source}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path}: {field} {problem}")]
    Invalid { path: PathBuf, field: String, problem: String },
    #[error("{path} has SHA-256 {found}, but the pack says {expected}: fetch the pack again")]
    Digest { path: PathBuf, expected: String, found: String },
}

/// A pack whose description is valid. The networks are read and checked by [`Pack::read`].
#[derive(Debug, Clone)]
pub struct Pack {
    folder: PathBuf,
    vector_space: String,
    pub name: String,
    pub version: String,
    pub license: String,
    pub description: String,
    pub detector: DetectorSpec,
    pub verifier: Option<VerifierSpec>,
    pub embedder: EmbedderSpec,
    pub analyzer: Option<AnalyzerSpec>,
    /// How far to trust a view of a face; `None` if the embedder does not rate its views.
    pub quality: Option<QualityScale>,
    pub calibration: Calibration,
    /// Measured figures, as the pack's author states them.
    pub accuracy: BTreeMap<String, toml::Value>,
}

impl Pack {
    /// Parses and validates `pack.toml` in `folder`.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, PackError> {
        let folder = folder.as_ref().to_path_buf();
        let path = folder.join("pack.toml");
        let text = fs::read_to_string(&path)
            .map_err(|source| PackError::Read { path: path.clone(), source })?;
        let manifest: Manifest = toml::from_str(&text)
            .map_err(|source| PackError::Parse { path: path.clone(), source: Box::new(source) })?;
        let invalid = |(field, problem): (&str, String)| PackError::Invalid {
            path: path.clone(),
            field: field.to_owned(),
            problem,
        };
        manifest.validate().map_err(invalid)?;
        let calibration = manifest.calibration().map_err(invalid)?;
        let quality = manifest.quality().map_err(invalid)?;
        let vector_space = vector_space(&manifest.embedder, quality.as_ref());
        Ok(Self {
            folder,
            vector_space,
            name: manifest.name,
            version: manifest.version,
            license: manifest.license,
            description: manifest.description,
            detector: manifest.detector,
            verifier: manifest.verifier,
            embedder: manifest.embedder,
            analyzer: manifest.analyzer,
            quality,
            calibration,
            accuracy: manifest.accuracy,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pack's files: detector and embedder, and verifier and analyzer if it has them.
    pub fn models(&self) -> impl Iterator<Item = &ModelFile> {
        [&self.detector.model, &self.embedder.crop.model]
            .into_iter()
            .chain(self.verifier.as_ref().map(|spec| &spec.crop.model))
            .chain(self.analyzer.as_ref().map(|spec| &spec.crop.model))
    }

    /// What tells apart the packs whose vectors cannot be compared, as twelve hexadecimal digits:
    /// the embedder's bytes, how it is shown a face, and the length that a rating earns a vector.
    /// Name, version, detector and analyzer do not count.
    pub fn vector_space(&self) -> &str {
        &self.vector_space
    }

    /// Whether vectors of the space can be compared with this pack's. Up to version 0.2.0 the first
    /// digits of the embedder's digest named a space.
    pub fn shares(&self, space: &str) -> bool {
        let digest = &self.embedder.crop.model.sha256;
        space == self.vector_space
            || (space.len() == SPACE_DIGITS
                && digest
                    .get(..SPACE_DIGITS)
                    .is_some_and(|start| start.to_ascii_lowercase() == space))
    }

    /// Reads one file, and hands it out only if its SHA-256 is the stated one.
    pub fn read(&self, model: &ModelFile) -> Result<Vec<u8>, PackError> {
        let path = self.folder.join(&model.file);
        let bytes =
            fs::read(&path).map_err(|source| PackError::Read { path: path.clone(), source })?;
        let found = hex(&Sha256::digest(&bytes));
        if !found.eq_ignore_ascii_case(&model.sha256) {
            return Err(PackError::Digest { path, expected: model.sha256.clone(), found });
        }
        Ok(bytes)
    }

    /// Checks every file against its SHA-256.
    pub fn verify(&self) -> Result<(), PackError> {
        self.models().try_for_each(|model| self.read(model).map(drop))
    }
}

/// [`Pack::vector_space`]. Collections keep it: the same pack has to have the same one for ever.
fn vector_space(embedder: &EmbedderSpec, quality: Option<&QualityScale>) -> String {
    let CropSpec { model, normalization, size, alignment: Alignment::Arcface5 } = &embedder.crop;
    let Normalization { color, mean, std } = normalization;
    let color = match color {
        ColorOrder::Rgb => "rgb",
        ColorOrder::Bgr => "bgr",
    };
    let digest = model.sha256.to_ascii_lowercase();
    let flip = embedder.flip;
    let weights = quality.map(QualityScale::weights).unwrap_or_default();
    let text = format!("{digest} {size} arcface-5 {color} {mean:?} {std:?} {flip}{weights}");
    let mut space = hex(&Sha256::digest(text));
    space.truncate(SPACE_DIGITS);
    space
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
