//! Labels and their values.

use std::fmt::Debug;
use std::hash::Hash;

use lookalike_vision::Reason;
use lookalike_vision::image::Format;
use prometheus_client::encoding::EncodeLabelSet;

use crate::telemetry::findings::{ImageOrigin, SeenImage};

/// What all sets of labels can do.
pub trait LabelSet: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static {}

impl<L: EncodeLabelSet + Clone + Debug + Hash + Eq + Send + Sync + 'static> LabelSet for L {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HttpLabels {
    pub http_request_method: &'static str,
    pub http_response_status_code: u16,
    pub http_route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    pub operation: &'static str,
    pub code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    pub operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    pub stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    pub code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FileLabel {
    pub file: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    pub outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ImageLabels {
    pub source: &'static str,
    pub format: &'static str,
    pub result: &'static str,
}

impl From<&SeenImage> for ImageLabels {
    fn from(image: &SeenImage) -> Self {
        Self {
            source: match image.origin {
                ImageOrigin::Bytes => "bytes",
                ImageOrigin::S3 => "s3",
                ImageOrigin::Declared => "declared",
            },
            format: match image.format {
                Some(Format::Jpeg) => "jpeg",
                Some(Format::Png) => "png",
                None => "other",
            },
            result: match image.contents {
                None => "invalid",
                Some((_, 0)) => "no_face",
                Some(_) => "faces",
            },
        }
    }
}

/// The reason in AWS's words.
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ExceedsMaxFaces => "EXCEEDS_MAX_FACES",
        Reason::ExtremePose => "EXTREME_POSE",
        Reason::LowBrightness => "LOW_BRIGHTNESS",
        Reason::LowSharpness => "LOW_SHARPNESS",
        Reason::LowConfidence => "LOW_CONFIDENCE",
        Reason::SmallBoundingBox => "SMALL_BOUNDING_BOX",
        Reason::LowFaceQuality => "LOW_FACE_QUALITY",
    }
}
