//! What `pack.toml` states of each network.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Deserialize;

use crate::calibration::Calibration;
use crate::piecewise::Piecewise;
use crate::quality::QualityScale;

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
pub struct Normalization {
    pub color: ColorOrder,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DetectorSpec {
    #[serde(flatten)]
    pub model: ModelFile,
    #[serde(flatten)]
    pub normalization: Normalization,
    pub family: DetectorFamily,
    /// Boxes below this score, 0..=1, are not faces.
    pub score_threshold: f32,
    /// Of two boxes whose intersection over union exceeds this, the weaker one goes.
    pub nms_iou: f32,
    /// Longest side of the network's input, for networks that take any size.
    #[serde(default = "DetectorSpec::default_max_side")]
    pub max_side: u32,
    /// Smaller images are enlarged to this longest side: the landmarks of faces of few pixels are
    /// coarse, and alignment rests on them.
    #[serde(default = "DetectorSpec::default_min_side")]
    pub min_side: u32,
}

impl DetectorSpec {
    /// The smallest face that the API promises to find, 40 pixels in 1920, is 16 pixels wide at
    /// this size.
    const fn default_max_side() -> u32 {
        768
    }

    const fn default_min_side() -> u32 {
        256
    }
}

/// A network whose input is an aligned crop of a face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CropSpec {
    #[serde(flatten)]
    pub model: ModelFile,
    #[serde(flatten)]
    pub normalization: Normalization,
    /// Side of the square input in pixels.
    pub size: u32,
    pub alignment: Alignment,
}

/// A second look at what the detector found: a network that answers face or no face on the aligned
/// crop.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct VerifierSpec {
    #[serde(flatten)]
    pub crop: CropSpec,
    /// As [`AnalyzerSpec::scale`].
    pub scale: f32,
    /// `[bias, detector, verifier]`: the probability that a box is a face is the logistic of `bias
    /// + detector * logit(score) + verifier * logit`, with the verifier's output as the last.
    pub calibration: [f32; 3],
    /// Takes the five landmarks from the network's output `landmarks`, in sides of the crop, in
    /// place of the detector's.
    #[serde(default)]
    pub refine_landmarks: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct EmbedderSpec {
    #[serde(flatten)]
    pub crop: CropSpec,
    pub dimensions: usize,
    /// Embeds the mirrored crop as well and averages the two: slightly better, twice the time.
    #[serde(default)]
    pub flip: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AnalyzerSpec {
    #[serde(flatten)]
    pub crop: CropSpec,
    /// The template shrinks around the crop's center by this factor, so that the crop shows more
    /// than the face.
    pub scale: f32,
    /// The quantiles of the age distribution that bound the age range.
    #[serde(default = "AnalyzerSpec::default_age_quantiles")]
    pub age_quantiles: [f32; 2],
}

impl AnalyzerSpec {
    const fn default_age_quantiles() -> [f32; 2] {
        [0.15, 0.85]
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QualitySpec {
    cosine: Vec<f32>,
    weight: Vec<f32>,
    low: f32,
    auto: f32,
    medium: f32,
    high: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalibrationSpec {
    cosine: Vec<f32>,
    similarity: Vec<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub name: String,
    pub version: String,
    #[serde(alias = "licence")]
    pub license: String,
    #[serde(default)]
    pub description: String,
    pub detector: DetectorSpec,
    pub verifier: Option<VerifierSpec>,
    pub embedder: EmbedderSpec,
    pub analyzer: Option<AnalyzerSpec>,
    quality: Option<QualitySpec>,
    calibration: CalibrationSpec,
    #[serde(default)]
    pub accuracy: BTreeMap<String, toml::Value>,
}

/// How far a template may shrink in its crop.
const SCALES: RangeInclusive<f32> = 0.1..=1.0;
const SCALES_PROBLEM: &str = "must be within 0.1..=1";

/// A field and what is wrong with it.
pub(super) type Fault = (&'static str, String);

impl Manifest {
    /// Checks what the types do not already ensure.
    pub fn validate(&self) -> Result<(), Fault> {
        let Self { name, detector, verifier, embedder, analyzer, .. } = self;
        ensure(!name.is_empty(), "name", "must not be empty")?;
        let unit = 0.0..=1.0;
        let in_unit = "must be within 0..=1";
        ensure(unit.contains(&detector.score_threshold), "detector.score_threshold", in_unit)?;
        ensure(unit.contains(&detector.nms_iou), "detector.nms_iou", in_unit)?;
        let sides = 32..=4096;
        ensure(
            sides.contains(&detector.max_side),
            "detector.max_side",
            "must be within 32..=4096",
        )?;
        ensure(
            (32..=detector.max_side).contains(&detector.min_side),
            "detector.min_side",
            "must be at least 32 and at most max_side",
        )?;
        ensure(
            (1..=4096).contains(&embedder.dimensions),
            "embedder.dimensions",
            "must be within 1..=4096",
        )?;
        network("detector", &detector.model, &detector.normalization)?;
        crop("embedder", "embedder.size", &embedder.crop)?;
        if let Some(verifier) = verifier {
            crop("verifier", "verifier.size", &verifier.crop)?;
            ensure(SCALES.contains(&verifier.scale), "verifier.scale", SCALES_PROBLEM)?;
            let [bias, of_detector, of_verifier] = verifier.calibration;
            ensure(
                bias.is_finite() && of_detector >= 0.0 && of_verifier > 0.0,
                "verifier.calibration",
                "must be [bias, detector, verifier] with a finite bias and positive factors",
            )?;
        }
        if let Some(analyzer) = analyzer {
            crop("analyzer", "analyzer.size", &analyzer.crop)?;
            ensure(SCALES.contains(&analyzer.scale), "analyzer.scale", SCALES_PROBLEM)?;
            let [low, high] = analyzer.age_quantiles;
            ensure(
                0.0 < low && low < high && high < 1.0,
                "analyzer.age_quantiles",
                "must rise and lie between 0 and 1",
            )?;
        }
        Ok(())
    }

    pub fn calibration(&self) -> Result<Calibration, Fault> {
        let CalibrationSpec { cosine, similarity } = &self.calibration;
        Calibration::new(cosine.clone(), similarity.clone())
            .map_err(|problem| ("calibration", problem.to_string()))
    }

    pub fn quality(&self) -> Result<Option<QualityScale>, Fault> {
        let Some(QualitySpec { cosine, weight, low, auto, medium, high }) = &self.quality else {
            return Ok(None);
        };
        let weight = Piecewise::new(cosine.clone(), weight.clone(), 0.0..=1.0)
            .map_err(|problem| ("quality", problem.to_string()))?;
        let bars = [*low, *auto, *medium, *high];
        ensure(
            bars.is_sorted() && bars.iter().all(|bar| (0.0..=1.0).contains(bar)),
            "quality",
            "low, auto, medium and high must rise and lie within 0..=1",
        )?;
        Ok(Some(QualityScale::new(weight, bars)))
    }
}

fn ensure(holds: bool, field: &'static str, problem: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err((field, problem.to_owned())) }
}

fn network(
    field: &'static str,
    model: &ModelFile,
    normalization: &Normalization,
) -> Result<(), Fault> {
    let plain = model.file.components().count() == 1 && model.file.file_name().is_some();
    ensure(plain, field, "file must be a plain name inside the pack's folder")?;
    let digits =
        model.sha256.len() == 64 && model.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure(digits, field, "sha256 must be 64 hexadecimal digits")?;
    let Normalization { mean, std, .. } = normalization;
    let usable = mean.iter().all(|value| value.is_finite())
        && std.iter().all(|value| value.is_finite() && *value > 0.0);
    ensure(usable, field, "mean must be finite, std finite and positive")
}

fn crop(field: &'static str, size_field: &'static str, spec: &CropSpec) -> Result<(), Fault> {
    network(field, &spec.model, &spec.normalization)?;
    ensure((16..=1024).contains(&spec.size), size_field, "must be within 16..=1024")
}
