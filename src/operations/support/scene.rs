//! What the networks see in the image of a request.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::picture::{DeclaredPicture, Picture, Readable};
use crate::telemetry::{Findings, ImageOrigin, SeenImage};
use crate::thumbnails;
use aws_json::shapes::{Choice, Named};
use aws_json::{ApiError, ApiResult, ErrorCode};
use lookalike_vision::image::{DecodeError, DecodedImage, Format, MAX_SIDE, PixelMemory};
use lookalike_vision::{AnalyzedFace, Detection, Networks, QualityFilter, Reason, quality};

/// Most faces that one image answers.
pub const MAX_FACES: usize = 100;
/// The same for version 1.0 of AWS's face model.
const MAX_FACES_OF_MODEL_1: usize = 15;

/// Width and height in pixels that stand for those of an image that nobody decodes.
const DECLARED_SIZE: (u32, u32) = (1000, 1000);

/// How an AWS face model version looks at images.
#[derive(Debug, Clone, Copy)]
pub struct ModelRules {
    version: f32,
}

impl ModelRules {
    pub fn of(version: &str) -> Self {
        Self { version: version.parse().unwrap_or(f32::INFINITY) }
    }

    /// The most faces of one image, the largest ones.
    pub fn max_faces(self) -> usize {
        if self.version < 2.0 { MAX_FACES_OF_MODEL_1 } else { MAX_FACES }
    }

    /// Versions 1 and 2 index every face that they detect.
    pub fn filters_quality(self) -> bool {
        self.version >= 3.0
    }

    /// Versions up to 3 guess how an image without EXIF data is turned.
    pub fn estimates_orientation(self) -> bool {
        self.version <= 3.0
    }
}

/// The faces of one image, largest first.
pub struct SeenFaces {
    pub faces: Vec<AnalyzedFace>,
    /// How far the image is turned, clockwise degrees to set it upright: only where the model
    /// version estimates it.
    pub orientation: Option<&'static str>,
    /// The upright image's width and height in pixels.
    size: (u32, u32),
    /// The faces whose vectors the filter refused.
    unrecognizable: BTreeSet<usize>,
}

/// An image that was looked at. It holds the pixels, so it does not leave the inference thread.
pub struct Scene {
    seen: SeenFaces,
    views: Views,
}

/// Where the vectors of the faces come from, in the order of the faces.
enum Views {
    Seen { image: DecodedImage, detections: Vec<Detection> },
    Declared(Vec<Vector>),
}

/// How one request looks at its images, one after the other, and where it notes what it sees.
pub struct Viewer {
    pub rules: ModelRules,
    pub findings: Arc<Findings>,
    /// Enough for the largest of them.
    pub memory: PixelMemory,
}

impl Viewer {
    /// Decodes and looks, unless there is a declared answer. Runs on an inference thread.
    pub fn look(&self, networks: &mut Networks, picture: Picture) -> ApiResult<Scene> {
        let readable = match picture {
            Picture::Readable(readable) => readable,
            Picture::Declared(declared) => return Ok(self.declared(declared)),
        };
        let (origin, format) = (readable.bytes.origin(), Format::of(&readable.bytes));
        let mut seen = SeenImage { origin, format, contents: None };
        let scene = self.see(networks, readable);
        seen.contents = scene.as_ref().ok().map(|scene| (scene.seen.size, scene.seen.faces.len()));
        self.findings.image(seen);
        scene
    }

    fn declared(&self, DeclaredPicture { mut faces, .. }: DeclaredPicture) -> Scene {
        let area = |face: &AnalyzedFace| face.bounding_box.width * face.bounding_box.height;
        faces.sort_by(|(a, _), (b, _)| area(b).total_cmp(&area(a)));
        faces.truncate(self.rules.max_faces());
        let (faces, vectors): (Vec<AnalyzedFace>, _) = faces.into_iter().unzip();
        let contents = Some((DECLARED_SIZE, faces.len()));
        self.findings.image(SeenImage { origin: ImageOrigin::Declared, format: None, contents });
        let orientation = self.rules.estimates_orientation().then_some("ROTATE_0");
        Scene {
            seen: SeenFaces::new(faces, orientation, DECLARED_SIZE),
            views: Views::Declared(vectors),
        }
    }

    fn see(&self, networks: &mut Networks, readable: Readable) -> ApiResult<Scene> {
        let Readable { bytes, plan } = readable;
        let image = plan.and_then(|plan| plan.decode(&bytes)).map_err(decode_error)?;
        drop(bytes);
        let mut detections = networks.detect(&image).map_err(ApiError::internal)?;
        let estimates = self.rules.estimates_orientation() && !image.had_orientation;
        let orientation = estimates.then(|| orientation(&detections));
        detections.truncate(self.rules.max_faces());
        let faces = networks.analyze(&image, &detections).map_err(ApiError::internal)?;
        let seen = SeenFaces::new(faces, orientation, image.pixels.dimensions());
        Ok(Scene { seen, views: Views::Seen { image, detections } })
    }
}

impl SeenFaces {
    fn new(faces: Vec<AnalyzedFace>, orientation: Option<&'static str>, size: (u32, u32)) -> Self {
        Self { faces, orientation, size, unrecognizable: BTreeSet::new() }
    }

    /// Why the filter refuses a face; empty when it does not. Whether a face can be recognized is
    /// known only after [`Scene::recognize`].
    pub fn reasons(&self, index: usize, filter: QualityFilter) -> Vec<Reason> {
        let mut reasons = quality::reasons(&self.faces[index], self.size, filter);
        if self.unrecognizable.contains(&index) && !reasons.contains(&Reason::LowFaceQuality) {
            reasons.push(Reason::LowFaceQuality);
        }
        reasons
    }
}

impl Scene {
    /// The faces, largest first.
    pub fn seen(&self) -> &SeenFaces {
        &self.seen
    }

    /// What is left once the pixels are not needed any more.
    pub fn into_seen(self) -> SeenFaces {
        self.seen
    }

    /// The indexes of the faces that the filter lets pass, largest first.
    pub fn passing(&self, filter: QualityFilter) -> Vec<usize> {
        (0..self.seen.faces.len())
            .filter(|&index| self.seen.reasons(index, filter).is_empty())
            .collect()
    }

    /// The largest face that the filter lets pass and that can be recognized, with its vector.
    pub fn largest(
        &mut self,
        networks: &mut Networks,
        filter: QualityFilter,
    ) -> ApiResult<Option<(usize, Vector)>> {
        for index in self.passing(filter) {
            let recognized = self.recognize(networks, &[index], filter)?;
            if let Some(found) = recognized.into_iter().next() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A small upright picture of a face; none where nobody has seen it.
    pub fn thumbnail(&self, networks: &mut Networks, index: usize) -> Option<Vec<u8>> {
        match &self.views {
            Views::Seen { image, detections } => {
                thumbnails::encode(&networks.crop(image, &detections[index]))
            }
            Views::Declared(_) => None,
        }
    }

    /// The vectors of those of the faces that can be recognized as well as the filter demands;
    /// [`SeenFaces::reasons`] then states why the others are refused.
    pub fn recognize(
        &mut self,
        networks: &mut Networks,
        indexes: &[usize],
        filter: QualityFilter,
    ) -> ApiResult<Vec<(usize, Vector)>> {
        let (image, detections) = match &self.views {
            Views::Seen { image, detections } => (image, detections),
            Views::Declared(vectors) => {
                return Ok(indexes.iter().map(|&index| (index, vectors[index].clone())).collect());
            }
        };
        let chosen: Vec<&Detection> = indexes.iter().map(|&index| &detections[index]).collect();
        let embeddings = networks.embed(image, &chosen).map_err(ApiError::internal)?;
        let mut recognized = Vec::with_capacity(indexes.len());
        for (&index, embedding) in indexes.iter().zip(embeddings) {
            if networks.passes(&embedding, filter) {
                recognized.push((index, embedding.vector));
            } else {
                self.seen.unrecognizable.insert(index);
            }
        }
        Ok(recognized)
    }
}

/// A face as the search compares it.
pub type Vector = Box<[f32]>;

/// What the client reads of an image that cannot be used.
pub fn decode_error(error: DecodeError) -> ApiError {
    let refusal = match error {
        DecodeError::UnknownFormat | DecodeError::Broken(_) => ApiError::new(
            ErrorCode::InvalidImageFormatException,
            "Request has invalid image format",
        ),
        DecodeError::TooLarge { width, height } => ApiError::new(
            ErrorCode::ImageTooLargeException,
            format!(
                "Input image dimensions {width} x {height} exceed maximum dimension size of {MAX_SIDE} pixels"
            ),
        ),
        DecodeError::NoRoom { width, height } => ApiError::new(
            ErrorCode::ImageTooLargeException,
            format!(
                "Input image dimensions {width} x {height} need more memory than this server has"
            ),
        ),
        DecodeError::Busy => ApiError::throttled(),
        DecodeError::TooSmall { .. } => ApiError::invalid_parameters(),
    };
    refusal.because(error)
}

/// How far an image has to be turned, clockwise, to set its faces upright: the mean roll of their
/// eye lines, in which a face counts by its area, to the nearest quarter.
fn orientation(faces: &[Detection]) -> &'static str {
    let (x, y) = faces.iter().fold((0.0, 0.0), |(x, y), face| {
        let [left_eye, right_eye, ..] = face.landmarks;
        let (dx, dy) = (right_eye.x - left_eye.x, right_eye.y - left_eye.y);
        let weight = face.bounding_box.area() / dx.hypot(dy).max(f32::EPSILON);
        (x + weight * dx, y + weight * dy)
    });
    match y.atan2(x).to_degrees() {
        roll if roll.abs() <= 45.0 => "ROTATE_0",
        roll if roll.abs() >= 135.0 => "ROTATE_180",
        roll if roll < 0.0 => "ROTATE_90",
        _ => "ROTATE_270",
    }
}

/// A quality filter as the model names it.
#[derive(Debug, Clone, Copy)]
pub struct FilterName(QualityFilter);

impl Named for FilterName {
    const ALL: &'static [(&'static str, Self)] = &[
        ("NONE", Self(QualityFilter::None)),
        ("AUTO", Self(QualityFilter::Auto)),
        ("LOW", Self(QualityFilter::Low)),
        ("MEDIUM", Self(QualityFilter::Medium)),
        ("HIGH", Self(QualityFilter::High)),
    ];
}

/// The filter of a request, or the operation's default.
pub fn filter_or(choice: Option<&Choice<FilterName>>, default: QualityFilter) -> QualityFilter {
    choice.and_then(Choice::get).map_or(default, |FilterName(filter)| filter)
}
