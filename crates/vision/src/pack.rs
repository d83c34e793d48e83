//! A pack: a folder with `pack.toml` and the ONNX files that it names by SHA-256.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::calibration::{Calibration, CalibrationError};

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

/// How a detector's outputs become boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetectorFamily {
    /// Anchor-free, one prediction per cell: `cls_s`, `obj_s`, `bbox_s`, `kps_s` for the strides 8,
    /// 16 and 32.
    Yunet,
    /// InsightFace's SCRFD: two anchors per cell, box sides as distances from the anchor.
    Scrfd,
}

/// The channel order that a network expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    Rgb,
    Bgr,
}

/// The five-point template that crops are aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Alignment {
    /// The 112x112 template of `ArcFace`.
    #[serde(rename = "arcface-5")]
    Arcface5,
}

/// One ONNX file of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelFile {
    pub file: PathBuf,
    pub sha256: String,
}

/// `tensor = (pixel 0..=255 - mean) / std`, channels in `color` order.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Normalisation {
    pub color: ColorOrder,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DetectorSpec {
    #[serde(flatten)]
    pub model: ModelFile,
    #[serde(flatten)]
    pub normalisation: Normalisation,
    pub family: DetectorFamily,
    /// Boxes below this score, 0..=1, are not faces.
    pub score_threshold: f32,
    /// Of two boxes whose intersection over union exceeds this, the weaker one goes.
    pub nms_iou: f32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EmbedderSpec {
    #[serde(flatten)]
    pub model: ModelFile,
    #[serde(flatten)]
    pub normalisation: Normalisation,
    /// Side of the square input in pixels.
    pub size: u32,
    pub alignment: Alignment,
    pub dimensions: usize,
    /// Embeds the mirrored crop as well and averages the two: slightly better, twice the time.
    #[serde(default)]
    pub flip: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AnalyzerSpec {
    #[serde(flatten)]
    pub model: ModelFile,
    #[serde(flatten)]
    pub normalisation: Normalisation,
    /// Side of the square input in pixels.
    pub size: u32,
    pub alignment: Alignment,
    /// The template shrinks around the crop's centre by this factor, so that the crop shows more
    /// than the face.
    pub scale: f32,
}

#[derive(Debug, Deserialize)]
struct CalibrationSpec {
    cosine: Vec<f32>,
    similarity: Vec<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    version: String,
    licence: String,
    #[serde(default)]
    description: String,
    detector: DetectorSpec,
    embedder: EmbedderSpec,
    analyzer: Option<AnalyzerSpec>,
    calibration: CalibrationSpec,
    #[serde(default)]
    accuracy: BTreeMap<String, toml::Value>,
}

/// A pack whose description is valid. The networks are read and checked by [`Pack::read`].
#[derive(Debug, Clone)]
pub struct Pack {
    folder: PathBuf,
    pub name: String,
    pub version: String,
    pub licence: String,
    pub description: String,
    pub detector: DetectorSpec,
    pub embedder: EmbedderSpec,
    pub analyzer: Option<AnalyzerSpec>,
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
        let calibration = validate(&manifest).map_err(|(field, problem)| PackError::Invalid {
            path,
            field: field.to_owned(),
            problem,
        })?;
        Ok(Self {
            folder,
            name: manifest.name,
            version: manifest.version,
            licence: manifest.licence,
            description: manifest.description,
            detector: manifest.detector,
            embedder: manifest.embedder,
            analyzer: manifest.analyzer,
            calibration,
            accuracy: manifest.accuracy,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pack's files: detector, embedder and, if it has one, analyzer.
    pub fn models(&self) -> impl Iterator<Item = &ModelFile> {
        [&self.detector.model, &self.embedder.model]
            .into_iter()
            .chain(self.analyzer.as_ref().map(|spec| &spec.model))
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What the types do not already ensure; the error is a field and what is wrong with it.
fn validate(manifest: &Manifest) -> Result<Calibration, (&'static str, String)> {
    let ensure =
        |ok: bool, field, problem: &str| if ok { Ok(()) } else { Err((field, problem.to_owned())) };
    ensure(!manifest.name.is_empty(), "name", "must not be empty")?;
    let unit = 0.0..=1.0;
    ensure(
        unit.contains(&manifest.detector.score_threshold),
        "detector.score_threshold",
        "must be within 0..=1",
    )?;
    ensure(unit.contains(&manifest.detector.nms_iou), "detector.nms_iou", "must be within 0..=1")?;
    ensure(
        (16..=1024).contains(&manifest.embedder.size),
        "embedder.size",
        "must be within 16..=1024",
    )?;
    ensure(
        (1..=4096).contains(&manifest.embedder.dimensions),
        "embedder.dimensions",
        "must be within 1..=4096",
    )?;
    for (field, model, normalisation) in [
        ("detector", &manifest.detector.model, Some(&manifest.detector.normalisation)),
        ("embedder", &manifest.embedder.model, Some(&manifest.embedder.normalisation)),
        (
            "analyzer",
            manifest.analyzer.as_ref().map_or(&manifest.embedder.model, |spec| &spec.model),
            manifest.analyzer.as_ref().map(|spec| &spec.normalisation),
        ),
    ] {
        let plain = model.file.components().count() == 1 && model.file.file_name().is_some();
        ensure(plain, field, "file must be a plain name inside the pack's folder")?;
        let digits =
            model.sha256.len() == 64 && model.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        ensure(digits, field, "sha256 must be 64 hexadecimal digits")?;
        if let Some(Normalisation { mean, std, .. }) = normalisation {
            let usable = mean.iter().all(|value| value.is_finite())
                && std.iter().all(|value| value.is_finite() && *value > 0.0);
            ensure(usable, field, "mean must be finite, std finite and positive")?;
        }
    }
    if let Some(analyzer) = &manifest.analyzer {
        ensure((16..=1024).contains(&analyzer.size), "analyzer.size", "must be within 16..=1024")?;
        ensure((0.1..=1.0).contains(&analyzer.scale), "analyzer.scale", "must be within 0.1..=1")?;
    }
    Calibration::new(manifest.calibration.cosine.clone(), manifest.calibration.similarity.clone())
        .map_err(|problem: CalibrationError| ("calibration", problem.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> String {
        let section = |name: &str, rest: &str| {
            format!(
                "[{name}]\nfile = \"{name}.onnx\"\nsha256 = \"{}\"\ncolor = \"rgb\"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n{rest}\n",
                hex(&Sha256::digest(name.as_bytes()))
            )
        };
        let mut text = String::from("name = \"test\"\nversion = \"1\"\nlicence = \"none\"\n");
        text += &section("detector", "family = \"yunet\"\nscore_threshold = 0.6\nnms_iou = 0.45");
        text += &section("embedder", "size = 112\nalignment = \"arcface-5\"\ndimensions = 128");
        text += &section("analyzer", "size = 96\nalignment = \"arcface-5\"\nscale = 0.7");
        text += "[calibration]\ncosine = [-1.0, 1.0]\nsimilarity = [0.0, 100.0]\n[accuracy]\nlfw = 0.99\n";
        text
    }

    fn folder_with(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("pack.toml"), manifest).expect("write");
        for name in ["detector", "embedder", "analyzer"] {
            fs::write(folder.path().join(format!("{name}.onnx")), name).expect("write");
        }
        folder
    }

    #[test]
    fn opens_and_verifies() {
        let folder = folder_with(&manifest());
        let pack = Pack::open(folder.path()).expect("valid");
        pack.verify().expect("all digests match");
        assert_eq!(
            (pack.name.as_str(), pack.models().count(), pack.embedder.flip),
            ("test", 3, false)
        );
        assert_eq!(pack.accuracy["lfw"].as_float(), Some(0.99));
    }

    #[test]
    fn a_changed_file_is_not_handed_out() {
        let folder = folder_with(&manifest());
        fs::write(folder.path().join("embedder.onnx"), "tampered").expect("write");
        let pack = Pack::open(folder.path()).expect("valid");
        assert!(pack.read(&pack.detector.model).is_ok());
        let error = pack.verify().expect_err("digest differs");
        assert!(
            matches!(&error, PackError::Digest { path, .. } if path.ends_with("embedder.onnx")),
            "{error}"
        );
    }

    #[test]
    fn says_which_field_is_wrong() {
        for (from, to, field) in [
            ("score_threshold = 0.6", "score_threshold = 60", "detector.score_threshold"),
            ("scale = 0.7", "scale = 7", "analyzer.scale"),
            ("detector.onnx", "../detector.onnx", "detector"),
            ("cosine = [-1.0, 1.0]", "cosine = [1.0, -1.0]", "calibration"),
            ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", "detector"),
        ] {
            let error =
                Pack::open(folder_with(&manifest().replacen(from, to, 1)).path()).expect_err(to);
            assert!(
                matches!(&error, PackError::Invalid { field: found, .. } if found == field),
                "{error}"
            );
        }
        let error = Pack::open(folder_with(&manifest().replacen("yunet", "retina", 1)).path())
            .expect_err("unknown family");
        assert!(error.to_string().contains("retina"), "{error}");
        assert!(matches!(Pack::open("/no/such/folder"), Err(PackError::Read { .. })));
    }
}
