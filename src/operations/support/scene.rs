//! What the networks see in the image of a request.

use std::time::Instant;

use image::{RgbImage, imageops};
use tracing::debug;

use aws_json::shapes::{Choice, Named};
use aws_json::{ApiError, ApiResult, ErrorCode};
use lookalike_vision::image::{self as pixels, DecodeError, Image, MAX_SIDE};
use lookalike_vision::{
    Detection, Embedding, Face, Networks, Point, QualityFilter, Reason, Rect, quality,
};

/// Most faces that one image answers.
pub const MAX_FACES: usize = 100;
/// The same for version 1.0 of AWS's face model.
const MAX_FACES_OF_MODEL_1: usize = 15;

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

/// The faces of one image, largest first; `faces[i]` is what `detections[i]` looks like.
pub struct Scene {
    pub detections: Vec<Detection>,
    pub faces: Vec<Face>,
    /// How far the image is turned, clockwise degrees to set it upright: only where the model
    /// version estimates it.
    pub orientation: Option<&'static str>,
    image: Image,
}

impl Scene {
    /// Decodes and looks. Runs on an inference thread.
    pub fn look(networks: &mut Networks, bytes: &[u8], rules: ModelRules) -> ApiResult<Self> {
        let started = Instant::now();
        let image = pixels::decode(bytes).map_err(decode_error)?;
        networks.decoded(started.elapsed());
        let mut detections = networks.detect(&image).map_err(ApiError::internal)?;
        let mut orientation = None;
        if rules.estimates_orientation() && !image.had_orientation {
            let (name, turned) = estimate_orientation(networks, &image, detections)?;
            (orientation, detections) = (Some(name), turned);
        }
        detections.truncate(rules.max_faces());
        let faces = networks.analyze(&image, &detections).map_err(ApiError::internal)?;
        Ok(Self { detections, faces, orientation, image })
    }

    /// The upright image's width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.image.pixels.dimensions()
    }

    /// Why the filter refuses a face; empty when it does not.
    pub fn reasons(&self, index: usize, filter: QualityFilter) -> Vec<Reason> {
        quality::reasons(&self.faces[index], self.size(), filter)
    }

    /// The indexes of the faces that the filter lets pass, largest first.
    pub fn passing(&self, filter: QualityFilter) -> Vec<usize> {
        (0..self.faces.len()).filter(|&index| self.reasons(index, filter).is_empty()).collect()
    }

    /// The vectors of some of the faces.
    pub fn embed(&self, networks: &mut Networks, indexes: &[usize]) -> ApiResult<Vec<Embedding>> {
        let chosen: Vec<&Detection> =
            indexes.iter().map(|&index| &self.detections[index]).collect();
        let embeddings = networks.embed(&self.image, &chosen).map_err(ApiError::internal);
        log_stages(networks);
        embeddings
    }
}

/// What the client reads of an image that cannot be used.
fn decode_error(error: DecodeError) -> ApiError {
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
        DecodeError::TooSmall { .. } => ApiError::invalid_parameters(),
    };
    refusal.because(error)
}

/// Takes a point of a turned image back into the image as it is, whose width and height come first.
type Back = fn(f32, f32, Point) -> Point;

/// Looks at an image as AWS's early models did: the turn with the surest faces counts. The faces
/// come back in the coordinates of the image as it is.
fn estimate_orientation(
    networks: &mut Networks,
    image: &Image,
    upright: Vec<Detection>,
) -> ApiResult<(&'static str, Vec<Detection>)> {
    let mut best = ("ROTATE_0", upright);
    let (width, height) = image.pixels.dimensions();
    #[expect(clippy::cast_precision_loss, reason = "image sides are far below 2^24")]
    let (width, height) = (width as f32, height as f32);
    let sureness = |faces: &[Detection]| faces.iter().map(|face| face.score).sum::<f32>();
    let turns: [(&str, RgbImage, Back); 3] = [
        ("ROTATE_90", imageops::rotate90(&image.pixels), |_, height, p| Point {
            x: p.y,
            y: height - p.x,
        }),
        ("ROTATE_180", imageops::rotate180(&image.pixels), |width, height, p| Point {
            x: width - p.x,
            y: height - p.y,
        }),
        ("ROTATE_270", imageops::rotate270(&image.pixels), |width, _, p| Point {
            x: width - p.y,
            y: p.x,
        }),
    ];
    for (name, turned, back) in turns {
        let found = networks
            .detect(&Image { pixels: turned, had_orientation: false })
            .map_err(ApiError::internal)?;
        if sureness(&found) > sureness(&best.1) {
            best = (
                name,
                found
                    .into_iter()
                    .map(|face| turn_back(face, |point| back(width, height, point)))
                    .collect(),
            );
        }
    }
    Ok(best)
}

fn turn_back(face: Detection, back: impl Fn(Point) -> Point) -> Detection {
    let Rect { left, top, width, height } = face.bounding_box;
    let (a, b) =
        (back(Point { x: left, y: top }), back(Point { x: left + width, y: top + height }));
    let bounding_box = Rect {
        left: a.x.min(b.x),
        top: a.y.min(b.y),
        width: (a.x - b.x).abs(),
        height: (a.y - b.y).abs(),
    };
    Detection { bounding_box, landmarks: face.landmarks.map(back), score: face.score }
}

/// Tells where the time of an image went, for the benchmarks and for the curious.
pub fn log_stages(networks: &mut Networks) {
    let times = networks.times();
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    debug!(
        target: "lookalike::stages",
        decode = milliseconds(times.decode),
        detect = milliseconds(times.detect.wall),
        detect_inference = milliseconds(times.detect.inference),
        analyze = milliseconds(times.analyze.wall),
        analyze_inference = milliseconds(times.analyze.inference),
        embed = milliseconds(times.embed.wall),
        embed_inference = milliseconds(times.embed.inference),
        "image seen"
    );
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
