//! What is known of one face, in the API's terms and units.

use std::ops::Deref;

use serde::Serialize;

use super::geometry::BoundingBox;

/// The API's landmark names, in the order of its answers. The first five are those of `DEFAULT`.
///
/// Left and right are those of the image, not of the person.
pub const LANDMARK_TYPES: [&str; 30] = [
    "eyeLeft",
    "eyeRight",
    "mouthLeft",
    "mouthRight",
    "nose",
    "leftEyeBrowLeft",
    "leftEyeBrowRight",
    "leftEyeBrowUp",
    "rightEyeBrowLeft",
    "rightEyeBrowRight",
    "rightEyeBrowUp",
    "leftEyeLeft",
    "leftEyeRight",
    "leftEyeUp",
    "leftEyeDown",
    "rightEyeLeft",
    "rightEyeRight",
    "rightEyeUp",
    "rightEyeDown",
    "noseLeft",
    "noseRight",
    "mouthUp",
    "mouthDown",
    "leftPupil",
    "rightPupil",
    "upperJawlineLeft",
    "midJawlineLeft",
    "chinBottom",
    "midJawlineRight",
    "upperJawlineRight",
];

/// A named place of a face, as ratios of the upright image's sides; it may lie outside of 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Landmark {
    pub kind: &'static str,
    pub x: f32,
    pub y: f32,
}

/// Landmarks in the order of [`LANDMARK_TYPES`]: five without an analyzer, thirty with one.
#[derive(Debug, Clone, PartialEq)]
pub struct Landmarks(Vec<Landmark>);

impl Landmarks {
    const BASIC: usize = 5;

    /// Landmarks at these points, the first that of the first name.
    pub fn new(points: impl IntoIterator<Item = (f32, f32)>) -> Self {
        Self(
            LANDMARK_TYPES
                .into_iter()
                .zip(points)
                .map(|(kind, (x, y))| Landmark { kind, x, y })
                .collect(),
        )
    }

    /// The five of `DEFAULT`: both eyes, both mouth corners, nose.
    pub fn basic(&self) -> &[Landmark] {
        &self.0[..Self::BASIC.min(self.0.len())]
    }
}

impl Deref for Landmarks {
    type Target = [Landmark];

    fn deref(&self) -> &[Landmark] {
        &self.0
    }
}

/// Where the head points, in degrees: roll is positive clockwise as seen by the viewer, yaw
/// positive towards the right of the image, pitch positive upwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    pub roll: f32,
    pub yaw: f32,
    pub pitch: f32,
}

/// How usable the picture of a face is, each 0..=100.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    pub brightness: f32,
    pub sharpness: f32,
}

/// An expression that the API knows, `UNKNOWN` excepted, which it does not answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Emotion {
    Happy,
    Sad,
    Angry,
    Confused,
    Disgusted,
    Surprised,
    Calm,
    Fear,
}

impl Emotion {
    /// In the order of the analyzer's output.
    pub const ALL: [Self; 8] = [
        Self::Happy,
        Self::Sad,
        Self::Angry,
        Self::Confused,
        Self::Disgusted,
        Self::Surprised,
        Self::Calm,
        Self::Fear,
    ];
}

/// Where the eyes look: degrees with the signs of [`Pose`], and a confidence of 0..=100.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EyeDirection {
    pub yaw: f32,
    pub pitch: f32,
    pub confidence: f32,
}

/// What only an analyzer can tell. The plain numbers are probabilities of `true`, 0..=1; of `male`
/// for gender.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAttributes {
    pub eyes_open: f32,
    pub mouth_open: f32,
    pub smile: f32,
    pub eyeglasses: f32,
    pub sunglasses: f32,
    pub beard: f32,
    pub mustache: f32,
    pub male: f32,
    pub face_occluded: f32,
    /// Years; low is below high.
    pub age: (u8, u8),
    /// Probabilities 0..=1, the most likely first.
    pub emotions: [(Emotion, f32); 8],
    pub eye_direction: EyeDirection,
}

/// One analyzed face.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyzedFace {
    /// What the detector gives: the face from forehead to chin, taller than wide when frontal, not
    /// clamped to the image.
    pub bounding_box: BoundingBox,
    /// 0..=100.
    pub confidence: f32,
    pub landmarks: Landmarks,
    pub pose: Pose,
    pub quality: Quality,
    /// `None` if the pack has no analyzer.
    pub attributes: Option<FaceAttributes>,
}
