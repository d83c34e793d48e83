//! One photo in the forms in which clients send it, beyond those that the `image` crate writes.

use image::{RgbImage, imageops};
use jpeg_encoder::{ColorType, Encoder};
use png::{BitDepth, Info};

/// The starting points and steps of an interlaced PNG (Adam7).
const PASSES: [(u32, u32, usize, usize); 7] = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
];

/// The photo in each form, with the form's name.
pub fn forms(photo: &RgbImage) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("progressive JPEG", jpeg(photo, ColorType::Rgb, |encoder| encoder.set_progressive(true))),
        ("CMYK JPEG", jpeg(photo, ColorType::Cmyk, |_| {})),
        (
            "progressive YCCK JPEG",
            jpeg(photo, ColorType::CmykAsYcck, |encoder| encoder.set_progressive(true)),
        ),
        ("JPEG of a turned camera", turned_jpeg(photo)),
        ("palette PNG", palette_png(photo)),
        ("interlaced PNG", interlaced_png(photo)),
    ]
}

fn jpeg(
    photo: &RgbImage,
    color: ColorType,
    configure: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let inks = || {
        photo
            .pixels()
            .flat_map(|pixel| [255 - pixel[0], 255 - pixel[1], 255 - pixel[2], 0])
            .collect()
    };
    let samples = if color == ColorType::Rgb { photo.as_raw().clone() } else { inks() };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    configure(&mut encoder);
    encoder.encode(&samples, photo.width() as u16, photo.height() as u16, color).expect("encodes");
    bytes
}

/// EXIF orientation 6: the file has to be turned by 90 degrees clockwise to be seen upright.
fn turned_jpeg(photo: &RgbImage) -> Vec<u8> {
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    jpeg(&imageops::rotate270(photo), ColorType::Rgb, |encoder| {
        encoder.add_exif_metadata(exif).expect("small");
    })
}

/// 256 colors: three bits of red and green, two of blue.
fn palette_png(photo: &RgbImage) -> Vec<u8> {
    let level = |value: u32, levels: u32| (value * 255 / (levels - 1)) as u8;
    let palette: Vec<u8> = (0..256)
        .flat_map(|index| [level(index >> 5, 8), level(index >> 2 & 7, 8), level(index & 3, 4)])
        .collect();
    let indexes: Vec<u8> = photo
        .pixels()
        .map(|pixel| pixel[0] & 0xe0 | pixel[1] >> 3 & 0x1c | pixel[2] >> 6)
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, photo.width(), photo.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&indexes))
        .expect("encodes");
    bytes
}

fn interlaced_png(photo: &RgbImage) -> Vec<u8> {
    let (width, height) = photo.dimensions();
    let mut rows = Vec::new();
    for (left, top, across, down) in PASSES {
        for y in (top..height).step_by(down) {
            rows.push(0);
            (left..width).step_by(across).for_each(|x| rows.extend(photo.get_pixel(x, y).0));
        }
    }
    let mut info = Info::with_size(width, height);
    (info.color_type, info.bit_depth, info.interlaced) =
        (png::ColorType::Rgb, BitDepth::Eight, true);
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info)
        .and_then(png::Encoder::write_header)
        .expect("a header");
    writer.write_chunk(png::chunk::IDAT, &stored(&rows)).expect("encodes");
    writer.write_chunk(png::chunk::IEND, &[]).expect("encodes");
    drop(writer);
    bytes
}

/// A zlib stream that compresses nothing.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        stream.extend(block);
    }
    let sums = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    });
    stream.extend((sums.1 << 16 | sums.0).to_be_bytes());
    stream
}
