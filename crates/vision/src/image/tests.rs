//! Every kind of file that clients send, drawn here: four colored quarters, so that turning and
//! channel order show.

use ::png as png_crate;
use jpeg_encoder::{ColorType as JpegColor, Encoder, JpegColorType, SamplingFactor};
use png_crate::{BitDepth, ColorType};
use proptest::prelude::*;

use super::*;

const WIDTH: u16 = 120;
const HEIGHT: u16 = 96;
/// Upper left, upper right, lower left, lower right.
const QUARTERS: [[u8; 3]; 4] = [[210, 40, 30], [30, 190, 60], [40, 50, 220], [240, 220, 70]];

fn quarter(x: u32, y: u32, width: u32, height: u32) -> usize {
    usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)
}

/// One pixel after the other, `values` bytes each.
fn draw<const N: usize>(pixel: impl Fn(usize) -> [u8; N]) -> Vec<u8> {
    let (width, height) = (u32::from(WIDTH), u32::from(HEIGHT));
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| pixel(quarter(x, y, width, height))).collect()
}

fn jpeg_of(
    color: JpegColor,
    pixels: &[u8],
    configure: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    configure(&mut encoder);
    encoder.encode(pixels, WIDTH, HEIGHT, color).expect("encodes");
    bytes
}

fn rgb_jpeg(configure: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    jpeg_of(JpegColor::Rgb, &draw(|i| QUARTERS[i]), configure)
}

/// The colors in the middle of the four quarters must be `expected`, within `tolerance`.
fn assert_quarters(image: &DecodedImage, expected: [[u8; 3]; 4], tolerance: u8, what: &str) {
    let (width, height) = image.pixels.dimensions();
    for (index, wanted) in expected.into_iter().enumerate() {
        let (x, y) = (
            width / 4 + (index as u32 % 2) * width / 2,
            height / 4 + (index as u32 / 2) * height / 2,
        );
        let found = image.pixels.get_pixel(x, y).0;
        assert!(
            found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= tolerance),
            "{what}: quarter {index} is {found:?}, not {wanted:?}"
        );
    }
}

fn gray_of(color: [u8; 3]) -> u8 {
    (0.299 * f32::from(color[0]) + 0.587 * f32::from(color[1]) + 0.114 * f32::from(color[2])) as u8
}

#[test]
fn jpeg_samplings_and_scans() {
    for (sampling, progressive, restart) in [
        (SamplingFactor::R_4_4_4, false, 0),
        (SamplingFactor::R_4_2_0, false, 0),
        (SamplingFactor::R_4_2_2, false, 3),
        (SamplingFactor::R_4_4_0, false, 0),
        (SamplingFactor::R_4_1_1, false, 0),
        (SamplingFactor::R_4_2_0, true, 0),
        (SamplingFactor::R_4_4_4, true, 0),
    ] {
        let bytes = rgb_jpeg(|encoder| {
            encoder.set_sampling_factor(sampling);
            encoder.set_progressive(progressive);
            encoder.set_restart_interval(restart);
            encoder.set_optimized_huffman_tables(progressive);
        });
        let image = decode(&bytes).expect("decodes");
        assert_eq!(image.pixels.dimensions(), (120, 96));
        assert!(!image.had_orientation);
        assert_quarters(&image, QUARTERS, 8, &format!("{sampling:?} progressive {progressive}"));
    }
}

#[test]
fn jpeg_gray_and_four_channel_colors() {
    let gray = jpeg_of(JpegColor::Luma, &draw(|i| [gray_of(QUARTERS[i])]), |_| {});
    assert_quarters(
        &decode(&gray).expect("decodes"),
        QUARTERS.map(|color| [gray_of(color); 3]),
        4,
        "gray",
    );
    // A print-shop pixel: ink is what the color lacks, with a tenth of it as black.
    let inks = draw(|i| {
        let [red, green, blue] = QUARTERS[i];
        let black = 255 - red.max(green).max(blue);
        let ink =
            |value: u8| 255 - (u32::from(value) * 255 / (255 - u32::from(black))).min(255) as u8;
        [ink(red), ink(green), ink(blue), black]
    });
    for color in [JpegColor::Cmyk, JpegColor::CmykAsYcck] {
        for progressive in [false, true] {
            let bytes = jpeg_of(color, &inks, |encoder| encoder.set_progressive(progressive));
            let image = decode(&bytes)
                .unwrap_or_else(|error| panic!("{color:?} progressive {progressive}: {error}"));
            assert_quarters(&image, QUARTERS, 8, &format!("{color:?} progressive {progressive}"));
        }
    }
    assert_ne!(JpegColorType::Cmyk, JpegColorType::Ycck);
}

/// An EXIF block with nothing but an orientation.
fn exif(orientation: u8, big_endian: bool) -> Vec<u8> {
    if big_endian {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0]);
        block
    } else {
        let mut block = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        block.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        block
    }
}

#[test]
fn jpeg_orientation_is_undone() {
    // Which quarter of the file ends up at upper left, upper right, lower left, lower right.
    let upright = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for big_endian in [false, true] {
        for (orientation, order) in (1..).zip(upright) {
            let bytes = rgb_jpeg(|encoder| {
                encoder.add_exif_metadata(&exif(orientation, big_endian)).expect("small");
            });
            let image = decode(&bytes).expect("decodes");
            assert!(image.had_orientation);
            let size = if orientation < 5 { (120, 96) } else { (96, 120) };
            assert_eq!(image.pixels.dimensions(), size, "orientation {orientation}");
            assert_quarters(
                &image,
                order.map(|index| QUARTERS[index]),
                8,
                &format!("orientation {orientation}"),
            );
        }
    }
    for nonsense in
        [exif(0, false), exif(9, true), b"II\x2a\0\xff\xff\xff\xff".to_vec(), b"no exif".to_vec()]
    {
        let bytes = rgb_jpeg(|encoder| encoder.add_exif_metadata(&nonsense).expect("small"));
        let image = decode(&bytes).expect("decodes");
        assert!(!image.had_orientation);
        assert_quarters(&image, QUARTERS, 8, "nonsense orientation");
    }
}

/// Where the first scan's data begins.
fn scan_start(bytes: &[u8]) -> usize {
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).expect("a scan");
    scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]))
}

#[test]
fn a_cut_jpeg_gives_what_is_there() {
    for progressive in [false, true] {
        let bytes = rgb_jpeg(|encoder| encoder.set_progressive(progressive));
        let start = scan_start(&bytes);
        let cut = &bytes[..start + (bytes.len() - start) * 7 / 10];
        let image =
            decode(cut).unwrap_or_else(|error| panic!("progressive {progressive}: {error}"));
        assert_eq!(image.pixels.dimensions(), (120, 96));
        let found = image.pixels.get_pixel(30, 24).0;
        assert!(
            found.iter().zip(QUARTERS[0]).all(|(a, b)| a.abs_diff(b) <= 40),
            "progressive {progressive}: {found:?}"
        );
        // Without its end marker alone it is as good as whole.
        assert_quarters(
            &decode(&bytes[..bytes.len() - 2]).expect("decodes"),
            QUARTERS,
            8,
            "no end marker",
        );
    }
}

#[test]
fn a_jpeg_without_pixel_data_is_refused() {
    for progressive in [false, true] {
        let bytes = rgb_jpeg(|encoder| encoder.set_progressive(progressive));
        let start = scan_start(&bytes);
        for end in [3, 20, start / 2, start - 1, start] {
            assert!(
                matches!(decode(&bytes[..end]), Err(DecodeError::Broken(_))),
                "cut at {end} of {start}"
            );
        }
        let ended = [&bytes[..start], &[0xff, 0xd9]].concat();
        assert!(matches!(decode(&ended), Err(DecodeError::Broken(_))));
    }
}

/// A PNG of the given type; `data` is packed as the type wants it.
fn png_of(
    color: ColorType,
    depth: BitDepth,
    data: &[u8],
    palette: Option<Vec<u8>>,
    transparency: Option<Vec<u8>>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png_crate::Encoder::new(&mut bytes, u32::from(WIDTH), u32::from(HEIGHT));
    encoder.set_color(color);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    if let Some(transparency) = transparency {
        encoder.set_trns(transparency);
    }
    let mut writer = encoder.write_header().expect("header");
    writer.write_image_data(data).expect("data");
    writer.finish().expect("end");
    bytes
}

/// The quarters' numbers (0 to 3), `bits` each, packed.
fn packed(bits: u32, value: impl Fn(usize) -> u8) -> Vec<u8> {
    let samples = draw(|i| [value(i)]);
    samples
        .chunks(8 / bits as usize)
        .map(|group| group.iter().fold(0_u8, |byte, sample| byte.unbounded_shl(bits) | sample))
        .collect()
}

#[test]
fn png_types_and_depths() {
    let wide = |value: u8| [value, 77];
    let rgb16 = draw(|i| {
        let [[a, b], [c, d], [e, f]] = QUARTERS[i].map(wide);
        [a, b, c, d, e, f]
    });
    let images = [
        (
            "rgb 8",
            png_of(ColorType::Rgb, BitDepth::Eight, &draw(|i| QUARTERS[i]), None, None),
            QUARTERS,
        ),
        ("rgb 16", png_of(ColorType::Rgb, BitDepth::Sixteen, &rgb16, None, None), QUARTERS),
        (
            "gray 16",
            png_of(
                ColorType::Grayscale,
                BitDepth::Sixteen,
                &draw(|i| wide(QUARTERS[i][0])),
                None,
                None,
            ),
            QUARTERS.map(|color| [color[0]; 3]),
        ),
        (
            "gray 8",
            png_of(ColorType::Grayscale, BitDepth::Eight, &draw(|i| [QUARTERS[i][0]]), None, None),
            QUARTERS.map(|color| [color[0]; 3]),
        ),
        (
            "gray 4",
            png_of(ColorType::Grayscale, BitDepth::Four, &packed(4, |i| i as u8 * 5), None, None),
            [[0; 3], [85; 3], [170; 3], [255; 3]],
        ),
        (
            "gray 2",
            png_of(ColorType::Grayscale, BitDepth::Two, &packed(2, |i| i as u8), None, None),
            [[0; 3], [85; 3], [170; 3], [255; 3]],
        ),
        (
            "gray 1",
            png_of(ColorType::Grayscale, BitDepth::One, &packed(1, |i| i as u8 % 2), None, None),
            [[0; 3], [255; 3], [0; 3], [255; 3]],
        ),
    ];
    for (what, bytes, expected) in images {
        let image = decode(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(image.pixels.dimensions(), (120, 96), "{what}");
        assert_quarters(&image, expected, 0, what);
    }
    let palette: Vec<u8> = QUARTERS.concat();
    for (bits, depth) in [(2, BitDepth::Two), (4, BitDepth::Four), (8, BitDepth::Eight)] {
        let bytes = png_of(
            ColorType::Indexed,
            depth,
            &packed(bits, |i| i as u8),
            Some(palette.clone()),
            None,
        );
        assert_quarters(&decode(&bytes).expect("decodes"), QUARTERS, 0, "palette");
    }
}

#[test]
fn png_transparency_lies_over_white() {
    let alpha = [255, 0, 128, 51];
    let mix = |value: u8, alpha: u8| {
        ((f32::from(value) * f32::from(alpha) + 255.0 * (255.0 - f32::from(alpha))) / 255.0).round()
            as u8
    };
    let expected = [0, 1, 2, 3].map(|i| QUARTERS[i].map(|value| mix(value, alpha[i])));
    assert_eq!(expected[1], [255; 3]);
    let rgba = draw(|i| [QUARTERS[i][0], QUARTERS[i][1], QUARTERS[i][2], alpha[i]]);
    let rgba16: Vec<u8> = rgba.iter().flat_map(|value| [*value, 9]).collect();
    for (depth, data) in [(BitDepth::Eight, &rgba), (BitDepth::Sixteen, &rgba16)] {
        let image = decode(&png_of(ColorType::Rgba, depth, data, None, None)).expect("decodes");
        assert_quarters(&image, expected, 1, "rgba");
    }
    let gray = png_of(
        ColorType::GrayscaleAlpha,
        BitDepth::Eight,
        &draw(|i| [QUARTERS[i][0], alpha[i]]),
        None,
        None,
    );
    let gray_expected = [0, 1, 2, 3].map(|i| [mix(QUARTERS[i][0], alpha[i]); 3]);
    assert_quarters(&decode(&gray).expect("decodes"), gray_expected, 1, "gray and alpha");
    let indexed = png_of(
        ColorType::Indexed,
        BitDepth::Two,
        &packed(2, |i| i as u8),
        Some(QUARTERS.concat()),
        Some(alpha.to_vec()),
    );
    assert_quarters(&decode(&indexed).expect("decodes"), expected, 1, "palette with transparency");
    // One color declared transparent.
    let key = png_of(
        ColorType::Rgb,
        BitDepth::Eight,
        &draw(|i| QUARTERS[i]),
        None,
        Some(vec![0, 30, 0, 190, 0, 60]),
    );
    assert_quarters(
        &decode(&key).expect("decodes"),
        [QUARTERS[0], [255; 3], QUARTERS[2], QUARTERS[3]],
        0,
        "color key",
    );
}

/// A chunk with its length and CRC-32.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    [&(data.len() as u32).to_be_bytes(), body.as_slice(), &(!crc).to_be_bytes()].concat()
}

fn header(width: u32, height: u32, interlaced: bool) -> Vec<u8> {
    let rest = [8, 2, 0, 0, u8::from(interlaced)];
    chunk(b"IHDR", &[width.to_be_bytes().as_slice(), &height.to_be_bytes(), &rest].concat())
}

/// Adam7, its deflate stream made of stored blocks.
fn interlaced_png() -> Vec<u8> {
    let (width, height) = (u32::from(WIDTH), u32::from(HEIGHT));
    let mut raw = Vec::new();
    for (x0, y0, dx, dy) in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ] {
        for y in (y0..height).step_by(dy) {
            raw.push(0);
            (x0..width)
                .step_by(dx)
                .for_each(|x| raw.extend(QUARTERS[quarter(x, y, width, height)]));
        }
    }
    let mut stream = vec![0x78, 0x01];
    let mut blocks = raw.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend((block.len() as u16).to_le_bytes());
        stream.extend((!(block.len() as u16)).to_le_bytes());
        stream.extend(block);
    }
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        ((a + u32::from(*byte)) % 65_521, (a + u32::from(*byte) + b) % 65_521)
    });
    stream.extend(((b << 16) | a).to_be_bytes());
    [
        png::MAGIC.as_slice(),
        &header(width, height, true),
        &chunk(b"IDAT", &stream),
        &chunk(b"IEND", &[]),
    ]
    .concat()
}

#[test]
fn png_interlaced_and_never_turned() {
    assert_quarters(&decode(&interlaced_png()).expect("decodes"), QUARTERS, 0, "interlaced");
    let plain = png_of(ColorType::Rgb, BitDepth::Eight, &draw(|i| QUARTERS[i]), None, None);
    let after_header = 8 + 25;
    let turned =
        [&plain[..after_header], &chunk(b"eXIf", &exif(6, true)), &plain[after_header..]].concat();
    let image = decode(&turned).expect("decodes");
    assert!(!image.had_orientation);
    assert_quarters(&image, QUARTERS, 0, "PNG with orientation");
}

#[test]
fn a_cut_or_damaged_png_is_refused() {
    for whole in [
        png_of(ColorType::Rgb, BitDepth::Eight, &draw(|i| QUARTERS[i]), None, None),
        interlaced_png(),
    ] {
        for end in [8, 20, 33, 45, whole.len() / 2] {
            assert!(matches!(decode(&whole[..end]), Err(DecodeError::Broken(_))), "cut at {end}");
        }
        let mut damaged = whole;
        damaged[60] ^= 0xff;
        assert!(matches!(decode(&damaged), Err(DecodeError::Broken(_))));
    }
}

#[test]
fn only_jpeg_and_png_by_their_first_bytes() {
    let others: [&[u8]; 7] = [
        b"",
        b"\xff\xd8",
        b"GIF89a\x01\0\x01\0",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"BM\x3a\0\0\0",
        b"data:image/jpeg;base64,/9j/",
        b"/9j/4AAQ",
    ];
    for bytes in others {
        let error = decode(bytes).expect_err("no image");
        assert!(matches!(error, DecodeError::UnknownFormat), "{error}");
    }
}

#[test]
fn dimensions_are_checked_on_the_header_alone() {
    let png = |width, height| [png::MAGIC.as_slice(), &header(width, height, false)].concat();
    let jpeg = |width: u16, height: u16| {
        let mut bytes = rgb_jpeg(|_| {});
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
        bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        bytes
    };
    for bytes in [png(10_001, 300), jpeg(10_001, 300)] {
        let error = decode(&bytes).expect_err("too large");
        assert!(matches!(error, DecodeError::TooLarge { width: 10_001, height: 300 }), "{error}");
    }
    for bytes in [png(79, 300), png(300, 79), jpeg(79, 300), jpeg(300, 1)] {
        let error = decode(&bytes).expect_err("too small");
        assert!(matches!(error, DecodeError::TooSmall { .. }), "{error}");
    }
    assert!(matches!(
        decode(&png(u32::MAX, u32::MAX)),
        Err(DecodeError::TooLarge { .. } | DecodeError::Broken(_))
    ));
}

#[test]
fn very_large_images_are_made_smaller() {
    let large = RgbImage::from_fn(8192, 160, |x, y| image::Rgb(QUARTERS[quarter(x, y, 8192, 160)]));
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 80).encode(&large, 8192, 160, JpegColor::Rgb).expect("encodes");
    let image = decode(&bytes).expect("decodes");
    assert_eq!(image.pixels.dimensions(), (4096, 80));
    assert_quarters(&image, QUARTERS, 10, "shrunk");
}

/// Changes, cuts and repeats bytes of a sound file.
fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12);
    (prop::sample::select(seeds), edits, any::<prop::sample::Index>(), 0..4_u8).prop_map(
        |(mut bytes, edits, cut, kind)| {
            for (place, value) in edits {
                let at = place.index(bytes.len());
                bytes[at] = value;
            }
            let at = cut.index(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.extend_from_within(at..),
                _ => {}
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the bytes: an image within the limits or an error, and no panic.
    #[test]
    fn hostile_jpegs(bytes in mutated(vec![
        rgb_jpeg(|_| {}),
        rgb_jpeg(|encoder| encoder.set_progressive(true)),
        rgb_jpeg(|encoder| { encoder.set_sampling_factor(SamplingFactor::R_4_1_1); encoder.set_restart_interval(2) }),
        rgb_jpeg(|encoder| encoder.add_exif_metadata(&exif(5, true)).expect("small")),
        jpeg_of(JpegColor::CmykAsYcck, &draw(|i| [QUARTERS[i][0], 3, 200, 40]), |_| {}),
    ])) {
        if let Ok(image) = decode(&bytes) {
            prop_assert!(image.pixels.width().max(image.pixels.height()) <= 4096);
        }
    }

    #[test]
    fn hostile_pngs(bytes in mutated(vec![
        interlaced_png(),
        png_of(ColorType::Indexed, BitDepth::Two, &packed(2, |i| i as u8), Some(QUARTERS.concat()), Some(vec![9, 8])),
        png_of(ColorType::Rgba, BitDepth::Sixteen, &draw(|i| [QUARTERS[i][0]; 8]), None, None),
    ])) {
        if let Ok(image) = decode(&bytes) {
            prop_assert!(image.pixels.width().max(image.pixels.height()) <= 4096);
        }
    }
}
