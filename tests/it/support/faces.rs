//! Faces of people who do not exist.
//!
//! `tests/fixtures/eigenfaces.png` holds an 8 by 8 sheet of 96-pixel tiles: the mean face in red,
//! green and blue, then sixty principal components of brightness, one gray level a step around 128,
//! each scaled by its standard deviation (Turk and Pentland, "Eigenfaces for Recognition", 1991). A
//! person is a random point in that space; pictures of one person lie close together.

use std::io::Cursor;
use std::sync::LazyLock;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

const SIDE: u32 = 96;
const SHEET: u32 = 8;
const COMPONENTS: usize = 60;

struct Eigenfaces {
    mean: RgbImage,
    components: Vec<Vec<f32>>,
}

static EIGENFACES: LazyLock<Eigenfaces> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/eigenfaces.png");
    let sheet =
        image::open(path).expect("the sheet of eigenfaces is in the repository").into_luma8();
    let tile = |index: u32| {
        imageops::crop_imm(&sheet, index % SHEET * SIDE, index / SHEET * SIDE, SIDE, SIDE)
            .to_image()
    };
    let [red, green, blue] = [tile(0), tile(1), tile(2)];
    let mean = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        Rgb([&red, &green, &blue].map(|tile| tile.get_pixel(x, y).0[0]))
    });
    let component =
        |index| tile(index).pixels().map(|pixel| f32::from(pixel.0[0]) - 128.0).collect();
    Eigenfaces { mean, components: (3..3 + COMPONENTS as u32).map(component).collect() }
});

/// Random numbers that are the same on every machine: SplitMix64, and the sum of twelve as a normal
/// variate.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// The face of a person in one of their pictures, 96 pixels square; pictures of a person differ a
/// little.
pub fn face(person: u64, picture: u64) -> RgbImage {
    let mut identity = Random(person.wrapping_mul(0x1000_0000_01B3));
    let mut moment = Random(person ^ picture.wrapping_mul(0xC2B2_AE3D_27D4_EB4F));
    let spread = if picture == 0 { 0.0 } else { 0.25 };
    let weights: Vec<f32> =
        (0..COMPONENTS).map(|_| 1.1 * (identity.normal() + spread * moment.normal())).collect();
    let mut pixels = EIGENFACES.mean.clone();
    for (index, pixel) in pixels.pixels_mut().enumerate() {
        let change: f32 = weights
            .iter()
            .zip(&EIGENFACES.components)
            .map(|(weight, component)| weight * component[index])
            .sum();
        pixel.0 = pixel.0.map(|value| (f32::from(value) + change).clamp(0.0, 255.0) as u8);
    }
    pixels
}

/// A photo with faces on a plain background, each at a place and with a side in pixels.
pub struct Photo(pub RgbImage);

impl Photo {
    pub fn empty(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, Rgb([120, 130, 140])))
    }

    /// One person, 300 pixels square in a 400-pixel photo.
    pub fn of(person: u64, picture: u64) -> Self {
        Self::empty(400, 400).with(person, picture, 50, 50, 300)
    }

    pub fn with(mut self, person: u64, picture: u64, left: i64, top: i64, side: u32) -> Self {
        let face = imageops::resize(&face(person, picture), side, side, FilterType::CatmullRom);
        imageops::replace(&mut self.0, &face, left, top);
        self
    }

    pub fn jpeg(&self) -> Vec<u8> {
        self.encode(ImageFormat::Jpeg)
    }

    pub fn png(&self) -> Vec<u8> {
        self.encode(ImageFormat::Png)
    }

    fn encode(&self, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(self.0.clone()).write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    }
}

/// A group photo of persons 0, 1, 2, ..., the first the largest.
pub fn group(sides: &[u32]) -> Photo {
    let width: u32 = sides.iter().map(|side| side + 20).sum();
    let height = sides.iter().max().map_or(200, |side| side + 40);
    let mut left = 10;
    let mut photo = Photo::empty(width.max(200), height.max(200));
    for (person, side) in sides.iter().enumerate() {
        photo = photo.with(person as u64, 0, left, 20, *side);
        left += i64::from(*side) + 20;
    }
    photo
}
