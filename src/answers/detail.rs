//! A face as AWS's FaceDetail describes it, every member optional.

use lookalike_vision::{
    AnalyzedFace, BoundingBox, Emotion, EyeDirection, FaceAttributes, LANDMARK_TYPES, Landmarks,
    Pose, Quality,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What AWS calls a FaceDetail.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    bounding_box: Option<DeclaredBox>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    landmarks: Option<Vec<DeclaredLandmark>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pose: Option<DeclaredPose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<DeclaredQuality>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_range: Option<DeclaredAge>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smile: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eyeglasses: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sunglasses: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gender: Option<DeclaredGender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beard: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mustache: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eyes_open: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mouth_open: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emotions: Option<Vec<DeclaredEmotion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    face_occluded: Option<DeclaredFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eye_direction: Option<DeclaredEyeDirection>,
}

/// A box in ratios of the image's sides.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredBox {
    width: f32,
    height: f32,
    left: f32,
    top: f32,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredLandmark {
    r#type: String,
    x: f32,
    y: f32,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredPose {
    roll: f32,
    yaw: f32,
    pitch: f32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredQuality {
    brightness: f32,
    sharpness: f32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredAge {
    low: u8,
    high: u8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredFlag {
    value: bool,
    #[serde(default = "sure")]
    confidence: f32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredGender {
    value: GenderName,
    #[serde(default = "sure")]
    confidence: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
enum GenderName {
    Male,
    Female,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredEmotion {
    r#type: EmotionName,
    confidence: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum EmotionName {
    Happy,
    Sad,
    Angry,
    Confused,
    Disgusted,
    Surprised,
    Calm,
    Fear,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DeclaredEyeDirection {
    yaw: f32,
    pitch: f32,
    #[serde(default = "sure")]
    confidence: f32,
}

fn sure() -> f32 {
    99.0
}

/// The API's landmarks of an upright face, in the order of [`LANDMARK_TYPES`], as ratios of its
/// box.
const UPRIGHT: [(f32, f32); 30] = [
    (0.32, 0.38),
    (0.68, 0.38),
    (0.36, 0.75),
    (0.64, 0.75),
    (0.50, 0.57),
    (0.21, 0.30),
    (0.42, 0.29),
    (0.31, 0.26),
    (0.58, 0.29),
    (0.79, 0.30),
    (0.69, 0.26),
    (0.25, 0.39),
    (0.39, 0.39),
    (0.32, 0.37),
    (0.32, 0.40),
    (0.61, 0.39),
    (0.75, 0.39),
    (0.68, 0.37),
    (0.68, 0.40),
    (0.42, 0.60),
    (0.58, 0.60),
    (0.50, 0.71),
    (0.50, 0.81),
    (0.32, 0.38),
    (0.68, 0.38),
    (0.08, 0.38),
    (0.17, 0.72),
    (0.50, 0.97),
    (0.83, 0.72),
    (0.92, 0.38),
];

impl Detail {
    /// What is wrong with the detail itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let percent = |name: &str, value: f32| {
            let is_percent = (0.0..=100.0).contains(&value);
            if is_percent { Ok(()) } else { Err(format!("{name} is not within 0 and 100")) }
        };
        percent("Confidence", self.confidence.unwrap_or_default())?;
        if let Some(quality) = self.quality {
            percent("Brightness", quality.brightness)?;
            percent("Sharpness", quality.sharpness)?;
        }
        if let Some(DeclaredBox { width, height, left, top }) = self.bounding_box {
            let is_box = width > 0.0 && height > 0.0;
            if !is_box
                || [width, height, left, top].iter().any(|side| !(-10.0..=10.0).contains(side))
            {
                return Err("BoundingBox is no box in ratios of the image's sides".to_owned());
            }
        }
        let flags = [
            self.smile,
            self.eyeglasses,
            self.sunglasses,
            self.beard,
            self.mustache,
            self.eyes_open,
            self.mouth_open,
            self.face_occluded,
        ];
        let flags = flags.iter().flatten().map(|flag| flag.confidence);
        for confidence in flags.chain(self.gender.map(|gender| gender.confidence)) {
            if !(50.0..=100.0).contains(&confidence) {
                return Err("the Confidence of a Value is not within 50 and 100".to_owned());
            }
        }
        for emotion in self.emotions.iter().flatten() {
            percent("the Confidence of an emotion", emotion.confidence)?;
        }
        if self.age_range.is_some_and(|age| age.low >= age.high) {
            return Err("Low of AgeRange is not below High".to_owned());
        }
        let unknown = self
            .landmarks
            .iter()
            .flatten()
            .find(|landmark| !LANDMARK_TYPES.contains(&landmark.r#type.as_str()));
        match unknown {
            Some(landmark) => Err(format!("there is no landmark {:?}", landmark.r#type)),
            None => Ok(()),
        }
    }

    /// The face, at a place of its own among `count` faces unless the detail has a box.
    pub(super) fn face(&self, index: usize, count: usize) -> AnalyzedFace {
        let DeclaredBox { width, height, left, top } =
            self.bounding_box.unwrap_or_else(|| DeclaredBox::of_grid(index, count));
        let quality = self.quality.unwrap_or(DeclaredQuality { brightness: 85.0, sharpness: 92.0 });
        let pose = self.pose.unwrap_or_default();
        let points = LANDMARK_TYPES.iter().zip(UPRIGHT).map(|(name, (x, y))| {
            let given = self.landmarks.iter().flatten().find(|given| given.r#type == *name);
            given.map_or((left + x * width, top + y * height), |given| (given.x, given.y))
        });
        AnalyzedFace {
            bounding_box: BoundingBox { width, height, left, top },
            confidence: self.confidence.unwrap_or(99.99),
            landmarks: Landmarks::new(points),
            pose: Pose { roll: pose.roll, yaw: pose.yaw, pitch: pose.pitch },
            quality: Quality { brightness: quality.brightness, sharpness: quality.sharpness },
            attributes: Some(self.attributes()),
        }
    }

    fn attributes(&self) -> FaceAttributes {
        let likely = |flag: Option<DeclaredFlag>, otherwise| {
            flag.map_or(otherwise, |DeclaredFlag { value, confidence }| {
                probability(value, confidence)
            })
        };
        let gender = self.gender.map(|DeclaredGender { value, confidence }| DeclaredFlag {
            value: value == GenderName::Male,
            confidence,
        });
        let age = self.age_range.unwrap_or(DeclaredAge { low: 28, high: 38 });
        let eyes = self.eye_direction.unwrap_or(DeclaredEyeDirection {
            yaw: 0.0,
            pitch: 0.0,
            confidence: sure(),
        });
        FaceAttributes {
            eyes_open: likely(self.eyes_open, 0.98),
            mouth_open: likely(self.mouth_open, 0.03),
            smile: likely(self.smile, 0.04),
            eyeglasses: likely(self.eyeglasses, 0.01),
            sunglasses: likely(self.sunglasses, 0.01),
            beard: likely(self.beard, 0.02),
            mustache: likely(self.mustache, 0.02),
            male: likely(gender, 0.02),
            face_occluded: likely(self.face_occluded, 0.01),
            age: (age.low, age.high),
            emotions: self.ranked_emotions(),
            eye_direction: EyeDirection {
                yaw: eyes.yaw,
                pitch: eyes.pitch,
                confidence: eyes.confidence,
            },
        }
    }

    /// All emotions, the most likely first; without a list, calm.
    fn ranked_emotions(&self) -> [(Emotion, f32); 8] {
        let calm = [DeclaredEmotion { r#type: EmotionName::Calm, confidence: 97.0 }];
        let given = self.emotions.as_deref().unwrap_or(&calm);
        let mut ranked = Emotion::ALL.map(|emotion| {
            let found = given.iter().find(|given| given.r#type.emotion() == emotion);
            (emotion, found.map_or(0.0, |found| found.confidence / 100.0))
        });
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

impl DeclaredBox {
    /// Cells of a square grid, each box a little smaller than the one before.
    fn of_grid(index: usize, count: usize) -> Self {
        let columns = (count.max(1) as f32).sqrt().ceil();
        let cell = 1.0 / columns;
        let (column, row) = (index as f32 % columns, (index as f32 / columns).floor());
        let height = cell * (0.75 - 0.001 * index as f32);
        let width = 0.75 * height;
        Self {
            width,
            height,
            left: column * cell + (cell - width) / 2.0,
            top: row * cell + (cell - height) / 2.0,
        }
    }
}

impl EmotionName {
    fn emotion(self) -> Emotion {
        match self {
            Self::Happy => Emotion::Happy,
            Self::Sad => Emotion::Sad,
            Self::Angry => Emotion::Angry,
            Self::Confused => Emotion::Confused,
            Self::Disgusted => Emotion::Disgusted,
            Self::Surprised => Emotion::Surprised,
            Self::Calm => Emotion::Calm,
            Self::Fear => Emotion::Fear,
        }
    }
}

/// The probability of yes, of an answer and its confidence in percent.
fn probability(value: bool, confidence: f32) -> f32 {
    let sure = confidence / 100.0;
    if value { sure } else { 1.0 - sure }
}
