//! Faces as the API prints them.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use aws_json::Number;
use aws_json::shapes::{Choice, List, Named};
use lookalike_vision::{self, Emotion, FaceAttributes};

/// Left, top, width and height as shares of the upright image; they may reach past its edges.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BoundingBox {
    pub width: Number,
    pub height: Number,
    pub left: Number,
    pub top: Number,
}

impl From<lookalike_vision::BoundingBox> for BoundingBox {
    fn from(b: lookalike_vision::BoundingBox) -> Self {
        Self {
            width: Number(b.width),
            height: Number(b.height),
            left: Number(b.left),
            top: Number(b.top),
        }
    }
}

impl From<lookalike_store::BoundingBox> for BoundingBox {
    fn from(b: lookalike_store::BoundingBox) -> Self {
        Self {
            width: Number(b.width),
            height: Number(b.height),
            left: Number(b.left),
            top: Number(b.top),
        }
    }
}

impl BoundingBox {
    /// The box as a collection gives it back, with six significant digits.
    pub fn stored(b: lookalike_store::BoundingBox) -> Self {
        let [width, height, left, top] = [b.width, b.height, b.left, b.top].map(Number::stored);
        Self { width, height, left, top }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Landmark {
    r#type: &'static str,
    x: Number,
    y: Number,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pose {
    roll: Number,
    yaw: Number,
    pitch: Number,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageQuality {
    brightness: Number,
    sharpness: Number,
}

/// A yes or no with the confidence that it is so: from 50 to 100.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Flag {
    value: bool,
    confidence: Number,
}

impl Flag {
    fn from_probability(yes: f32) -> Self {
        let value = yes >= 0.5;
        Self { value, confidence: percent(if value { yes } else { 1.0 - yes }) }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gender {
    value: &'static str,
    confidence: Number,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AgeRange {
    low: u8,
    high: u8,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RatedEmotion {
    r#type: Emotion,
    confidence: Number,
}

/// Where the eyes look. AWS prints the angles as plain 32-bit floats here, unlike everywhere else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EyeDirection {
    yaw: f32,
    pitch: f32,
    confidence: Number,
}

/// Everything that was asked for of one face.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FaceDetail {
    pub bounding_box: BoundingBox,
    pub confidence: Number,
    pub landmarks: Vec<Landmark>,
    pub pose: Pose,
    pub quality: ImageQuality,
    #[serde(flatten)]
    extras: Extras,
}

/// The members beyond the default set, those that were asked for.
#[derive(Debug)]
struct Extras(Vec<Extra>);

#[derive(Debug)]
enum Extra {
    AgeRange(AgeRange),
    Emotions(Vec<RatedEmotion>),
    EyeDirection(EyeDirection),
    Gender(Gender),
    Flag(&'static str, Flag),
}

impl Serialize for Extras {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("FaceDetail", self.0.len())?;
        for extra in &self.0 {
            match extra {
                Extra::AgeRange(age_range) => members.serialize_field("AgeRange", age_range)?,
                Extra::Emotions(emotions) => members.serialize_field("Emotions", emotions)?,
                Extra::EyeDirection(direction) => {
                    members.serialize_field("EyeDirection", direction)?;
                }
                Extra::Gender(gender) => members.serialize_field("Gender", gender)?,
                Extra::Flag(name, flag) => members.serialize_field(name, flag)?,
            }
        }
        members.end()
    }
}

/// A value of `DetectionAttributes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Default,
    All,
    AgeRange,
    Beard,
    Emotions,
    EyeDirection,
    Eyeglasses,
    EyesOpen,
    Gender,
    MouthOpen,
    Mustache,
    FaceOccluded,
    Smile,
    Sunglasses,
}

impl Named for Attribute {
    const ALL: &'static [(&'static str, Self)] = &[
        ("DEFAULT", Self::Default),
        ("ALL", Self::All),
        ("AGE_RANGE", Self::AgeRange),
        ("BEARD", Self::Beard),
        ("EMOTIONS", Self::Emotions),
        ("EYE_DIRECTION", Self::EyeDirection),
        ("EYEGLASSES", Self::Eyeglasses),
        ("EYES_OPEN", Self::EyesOpen),
        ("GENDER", Self::Gender),
        ("MOUTH_OPEN", Self::MouthOpen),
        ("MUSTACHE", Self::Mustache),
        ("FACE_OCCLUDED", Self::FaceOccluded),
        ("SMILE", Self::Smile),
        ("SUNGLASSES", Self::Sunglasses),
    ];
}

/// The list of a request.
pub type AttributeList = List<Choice<Attribute>, 0, { usize::MAX }>;

/// What a request wants to know of each face.
#[derive(Debug, Clone, Default)]
pub struct AttributeSelection(Vec<Attribute>);

impl From<Option<AttributeList>> for AttributeSelection {
    fn from(list: Option<AttributeList>) -> Self {
        Self(list.iter().flat_map(List::iter).filter_map(Choice::get).collect())
    }
}

impl AttributeSelection {
    fn all(&self) -> bool {
        self.0.contains(&Attribute::All)
    }

    fn has(&self, attribute: Attribute) -> bool {
        self.all() || self.0.contains(&attribute)
    }
}

impl FaceDetail {
    /// The default members and those of `wanted`.
    pub fn new(face: &lookalike_vision::AnalyzedFace, wanted: &AttributeSelection) -> Self {
        let shown = if wanted.all() { &face.landmarks[..] } else { face.landmarks.basic() };
        Self {
            bounding_box: face.bounding_box.into(),
            confidence: Number(face.confidence),
            landmarks: shown.iter().map(Landmark::from).collect(),
            pose: Pose {
                roll: Number(face.pose.roll),
                yaw: Number(face.pose.yaw),
                pitch: Number(face.pose.pitch),
            },
            quality: ImageQuality {
                brightness: Number(face.quality.brightness),
                sharpness: Number(face.quality.sharpness),
            },
            extras: Extras(
                face.attributes
                    .as_ref()
                    .map_or_else(Vec::new, |attributes| extras(attributes, wanted)),
            ),
        }
    }
}

/// What CompareFaces tells of a face of the target image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ComparedFace {
    bounding_box: BoundingBox,
    confidence: Number,
    landmarks: Vec<Landmark>,
    pose: Pose,
    quality: ImageQuality,
}

impl From<&lookalike_vision::AnalyzedFace> for ComparedFace {
    fn from(face: &lookalike_vision::AnalyzedFace) -> Self {
        let FaceDetail { bounding_box, confidence, landmarks, pose, quality, .. } =
            FaceDetail::new(face, &AttributeSelection::default());
        Self { bounding_box, confidence, landmarks, pose, quality }
    }
}

impl From<&lookalike_vision::Landmark> for Landmark {
    fn from(landmark: &lookalike_vision::Landmark) -> Self {
        Self { r#type: landmark.kind, x: Number(landmark.x), y: Number(landmark.y) }
    }
}

fn extras(face: &FaceAttributes, wanted: &AttributeSelection) -> Vec<Extra> {
    let flag = |attribute, name, probability| {
        wanted.has(attribute).then(|| Extra::Flag(name, Flag::from_probability(probability)))
    };
    let (low, high) = face.age;
    [
        wanted.has(Attribute::AgeRange).then_some(Extra::AgeRange(AgeRange { low, high })),
        flag(Attribute::Smile, "Smile", face.smile),
        flag(Attribute::Eyeglasses, "Eyeglasses", face.eyeglasses),
        flag(Attribute::Sunglasses, "Sunglasses", face.sunglasses),
        wanted.has(Attribute::Gender).then(|| Extra::Gender(gender(face.male))),
        flag(Attribute::Beard, "Beard", face.beard),
        flag(Attribute::Mustache, "Mustache", face.mustache),
        flag(Attribute::EyesOpen, "EyesOpen", face.eyes_open),
        flag(Attribute::MouthOpen, "MouthOpen", face.mouth_open),
        wanted
            .has(Attribute::Emotions)
            .then(|| Extra::Emotions(face.emotions.iter().map(rated).collect())),
        flag(Attribute::FaceOccluded, "FaceOccluded", face.face_occluded),
        wanted.has(Attribute::EyeDirection).then(|| {
            let direction = &face.eye_direction;
            Extra::EyeDirection(EyeDirection {
                yaw: direction.yaw,
                pitch: direction.pitch,
                confidence: Number(direction.confidence),
            })
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rated(&(emotion, probability): &(Emotion, f32)) -> RatedEmotion {
    RatedEmotion { r#type: emotion, confidence: percent(probability) }
}

fn gender(male: f32) -> Gender {
    let flag = Flag::from_probability(male);
    Gender { value: if flag.value { "Male" } else { "Female" }, confidence: flag.confidence }
}

/// A probability as the API prints it.
fn percent(probability: f32) -> Number {
    Number((probability * 100.0).clamp(0.0, 100.0))
}
