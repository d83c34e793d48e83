"""Writes the encodings of one scene, and what Pillow sees in each, beside this file.

    pip install pillow numpy
    python generate.py

`cases.tsv` lists each file with what is right: the name of a picture in `expected/`, or `refuse`.
"""

import io
import struct
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
from jpeg import Scan, encode, lossless, picture, segment
from PIL import Image, ImageFile, ImageFilter, ImageOps
from pngs import chunk, image_data, png

HERE = Path(__file__).parent
FACE = HERE / "../../../../examples/faces/ana-1.jpg"
WIDTH, HEIGHT = 85, 81

files = {}


def scene():
    face = ImageOps.fit(Image.open(FACE).convert("RGB"), (WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return np.asarray(face.filter(ImageFilter.GaussianBlur(1)))


RGB = scene()
YCC = [np.asarray(plane).astype(float) for plane in Image.fromarray(RGB).convert("YCbCr").split()]
# Fewer colors, for smaller files.
FEW = RGB & 0xE0
ALL = [RGB[:, :, index].astype(float) for index in range(3)]
GRAY = np.asarray(Image.fromarray(RGB).convert("L"))

JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform):
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def pillow(data, lenient=False):
    ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def add(name, data, expected=None, lenient=False):
    """`expected`: pixels; None for what Pillow sees, False for a refusal."""
    assert name not in files, name
    if expected is None:
        expected = pillow(data, lenient)
    files[name] = (data, expected)


def name_of(sampling):
    return "-".join(f"{h}x{v}" for h, v in sampling)


def samplings():
    """Sampling factors of Y, Cb, Cr whose ratios are whole numbers, as all decoders want them."""
    luma = [(h, v) for h in range(1, 5) for v in range(1, 5)]
    for size in luma:
        yield (size, (1, 1), (1, 1))
    yield ((2, 1), (2, 1), (2, 1))
    yield ((1, 2), (1, 2), (1, 2))
    yield ((2, 2), (2, 2), (2, 2))
    yield ((2, 2), (2, 1), (2, 1))
    yield ((2, 2), (1, 2), (1, 2))
    yield ((2, 2), (2, 1), (1, 2))
    yield ((4, 1), (2, 1), (2, 1))
    yield ((4, 1), (2, 1), (1, 1))
    yield ((4, 2), (2, 1), (2, 1))
    yield ((2, 4), (1, 2), (1, 2))
    # Chroma finer than luma.
    yield ((1, 1), (2, 1), (2, 1))
    yield ((1, 1), (1, 2), (1, 2))
    yield ((1, 1), (2, 2), (2, 2))
    yield ((1, 1), (2, 2), (1, 1))
    yield ((1, 1), (1, 1), (2, 2))
    yield ((2, 1), (1, 2), (1, 2))
    yield ((1, 2), (2, 1), (2, 1))
    yield ((2, 1), (2, 2), (1, 1))
    yield ((1, 1), (3, 1), (1, 1))
    yield ((1, 1), (4, 1), (2, 1))
    yield ((1, 2), (2, 2), (2, 2))


def progression(count=3):
    """The scan script that the IJG's software writes for color."""
    rest = range(1, count)
    return [
        Scan(tuple(range(count)), 0, 0, 0, 1),
        Scan((0,), 1, 5, 0, 2),
        *(Scan((index,), 1, 63, 0, 1) for index in reversed(rest)),
        Scan((0,), 6, 63, 0, 2),
        Scan((0,), 1, 63, 2, 1),
        Scan(tuple(range(count)), 0, 0, 1, 0),
        *(Scan((index,), 1, 63, 1, 0) for index in reversed(rest)),
        Scan((0,), 1, 63, 1, 0),
    ]


def split_progression(order=(0, 1, 2)):
    """No scan with several components."""
    return (
        [Scan((index,), 0, 0) for index in order]
        + [Scan((index,), 1, 9, 0, 1) for index in order]
        + [Scan((index,), 10, 63) for index in order]
        + [Scan((index,), 1, 9, 1, 0) for index in reversed(order)]
    )


def many_scans():
    """A scan for each coefficient and bit: 190 of them."""
    scans = [Scan((0, 1, 2), 0, 0)]
    scans += [Scan((index,), place, place) for place in range(1, 64) for index in range(3)]
    return scans


def sampling_cases():
    for sampling in samplings():
        image = picture(YCC, sampling)
        label = name_of(sampling)
        blocks = sum(h * v for h, v in sampling)
        if blocks <= 10:
            add(f"baseline-{label}.jpg", encode(image, before=[JFIF]))
        add(
            f"separate-{label}.jpg",
            encode(image, [Scan((index,)) for index in range(3)], before=[JFIF]),
        )
        scans = progression() if blocks <= 10 else split_progression()
        add(f"progressive-{label}.jpg", encode(image, scans, progressive=True, before=[JFIF]))
    add(
        "fractional-3x1-2x1-1x1.jpg",
        encode(picture(YCC, ((3, 1), (2, 1), (1, 1))), before=[JFIF]),
        False,
    )


def scan_cases():
    usual = picture(YCC, ((2, 2), (1, 1), (1, 1)))
    full = picture(YCC, ((1, 1),) * 3)
    scripts = {
        "y-then-chroma": [Scan((0,)), Scan((1, 2))],
        "chroma-then-y": [Scan((1, 2)), Scan((0,))],
        "cr-cb-y": [Scan((2,)), Scan((1,)), Scan((0,))],
        "cb-y-cr": [Scan((1,)), Scan((0,)), Scan((2,))],
        "y-cb-then-cr": [Scan((0, 1)), Scan((2,))],
        "cr-then-y-cb": [Scan((2,)), Scan((0, 1))],
        "y-cr-then-cb": [Scan((0, 2)), Scan((1,))],
    }
    for name, scans in scripts.items():
        add(f"scans-{name}-420.jpg", encode(usual, scans))
        add(f"scans-{name}-444.jpg", encode(full, scans))
        add(f"scans-{name}-420-restart.jpg", encode(usual, scans, restart=4))
    for order in ((2, 1, 0), (1, 0, 2)):
        label = "".join(map(str, order))
        add(
            f"progressive-order-{label}.jpg",
            encode(usual, split_progression(order), progressive=True),
        )
    add("progressive-190-scans.jpg", encode(usual, many_scans(), progressive=True))
    add(
        "progressive-one-scan-a-band.jpg",
        encode(
            usual, [Scan((0, 1, 2), 0, 0)] + [Scan((i,), 1, 63) for i in range(3)], progressive=True
        ),
    )
    for low in (1, 2, 3, 5):
        scans = [Scan((0, 1, 2), 0, 0, 0, low)] + [
            Scan((0, 1, 2), 0, 0, bit, bit - 1) for bit in range(low, 0, -1)
        ]
        scans += [Scan((i,), 1, 63, 0, low) for i in range(3)]
        scans += [Scan((i,), 1, 63, bit, bit - 1) for bit in range(low, 0, -1) for i in range(3)]
        add(f"progressive-{low}-refinements.jpg", encode(usual, scans, progressive=True))
        add(
            f"progressive-{low}-refinements-restart.jpg",
            encode(usual, scans, progressive=True, restart=5),
        )
    # Half of the information never comes: what there is counts.
    for count in (1, 3, 6):
        add(
            f"progressive-first-{count}-scans.jpg",
            encode(usual, progression()[:count], progressive=True),
        )
    for interval in (1, 2, 6, 7, 36, 100):
        add(f"restart-{interval}.jpg", encode(usual, restart=interval))
        add(
            f"restart-{interval}-progressive.jpg",
            encode(usual, progression(), progressive=True, restart=interval),
        )
    for quality in (5, 30, 60, 97, 100):
        add(f"quality-{quality}.jpg", encode(picture(YCC, ((2, 2), (1, 1), (1, 1)), quality)))
    add("extended-sof1.jpg", encode(usual, sof=0xC1))
    add("arithmetic.jpg", encode(usual, arithmetic_coding=True))
    add("arithmetic-444.jpg", encode(full, arithmetic_coding=True))
    add("arithmetic-restart.jpg", encode(usual, arithmetic_coding=True, restart=3), False)
    add(
        "arithmetic-separate.jpg",
        encode(usual, [Scan((i,)) for i in (1, 0, 2)], arithmetic_coding=True),
    )
    add(
        "arithmetic-progressive.jpg",
        encode(usual, progression(), progressive=True, arithmetic_coding=True),
    )
    add(
        "arithmetic-progressive-restart.jpg",
        encode(usual, progression(), progressive=True, arithmetic_coding=True, restart=5),
        False,
    )


def color_cases():
    for sampling in ((1, 1), (2, 1), (2, 2), (1, 4), (3, 3)):
        image = picture([GRAY.astype(float)], (sampling,))
        add(f"gray-{name_of((sampling,))}.jpg", encode(image, before=[JFIF]))
        add(
            f"gray-{name_of((sampling,))}-progressive.jpg",
            encode(
                image,
                [
                    Scan((0,), 0, 0, 0, 1),
                    Scan((0,), 1, 63, 0, 1),
                    Scan((0,), 0, 0, 1, 0),
                    Scan((0,), 1, 63, 1, 0),
                ],
                progressive=True,
            ),
        )
    for progressive in (False, True):
        tail = "-progressive" if progressive else ""
        scans = progression() if progressive else None
        plain = picture(ALL, ((1, 1),) * 3, luma_only=(1, 2))
        add(f"rgb-adobe-0{tail}.jpg", encode(plain, scans, progressive, before=[adobe(0)]))
        named = picture(ALL, ((1, 1),) * 3, luma_only=(1, 2), identifiers=(82, 71, 66))
        add(f"rgb-identifiers{tail}.jpg", encode(named, scans, progressive))
        halved = picture(ALL, ((2, 2), (1, 1), (1, 1)), luma_only=(1, 2))
        add(f"rgb-subsampled{tail}.jpg", encode(halved, scans, progressive, before=[adobe(0)]))
        add(
            f"ycc-adobe-1{tail}.jpg",
            encode(picture(YCC, ((2, 1), (1, 1), (1, 1))), scans, progressive, before=[adobe(1)]),
        )
        # Which marker counts where they differ: JFIF.
        add(
            f"ycc-jfif-and-adobe-0{tail}.jpg",
            encode(picture(YCC, ((1, 1),) * 3), scans, progressive, before=[JFIF, adobe(0)]),
        )
        add(
            f"ycc-identifiers-0{tail}.jpg",
            encode(
                picture(YCC, ((2, 2), (1, 1), (1, 1)), identifiers=(0, 1, 2)), scans, progressive
            ),
        )
        add(
            f"ycc-identifiers-large{tail}.jpg",
            encode(
                picture(YCC, ((2, 2), (1, 1), (1, 1)), identifiers=(34, 35, 200)),
                scans,
                progressive,
            ),
        )
    # Four channels, as Adobe writes them: inverted.
    black = np.minimum(255 - RGB.max(axis=2).astype(int), 90)
    ink = [255.0 - (255 - RGB[:, :, i].astype(int) - black) for i in range(3)] + [255.0 - black]
    rgb = np.stack(
        [255 - (255 - RGB[:, :, i].astype(int) - black) for i in range(3)], axis=2
    ).astype(np.uint8)
    ycck = [
        np.asarray(plane).astype(float)
        for plane in Image.fromarray(255 - rgb).convert("YCbCr").split()
    ] + [ink[3]]
    for sampling in (
        ((1, 1),) * 4,
        ((2, 2), (1, 1), (1, 1), (2, 2)),
        ((2, 1), (1, 1), (1, 1), (2, 1)),
        ((2, 2), (1, 1), (1, 1), (1, 1)),
        ((1, 2), (1, 1), (1, 1), (1, 1)),
    ):
        for progressive in (False, True):
            scans = progression(4) if progressive else None
            tail = name_of(sampling) + ("-progressive" if progressive else "")
            add(
                f"ycck-{tail}.jpg",
                encode(picture(ycck, sampling), scans, progressive, before=[adobe(2)]),
            )
            if sampling[0] == (1, 1):
                add(
                    f"cmyk-adobe-0-{tail}.jpg",
                    encode(picture(ink, sampling), scans, progressive, before=[adobe(0)]),
                )
                add(f"cmyk-plain-{tail}.jpg", encode(picture(ink, sampling), scans, progressive))
    add(
        "cmyk-separate.jpg",
        encode(picture(ink, ((1, 1),) * 4), [Scan((i,)) for i in (3, 0, 2, 1)], before=[adobe(0)]),
    )
    add("two-components.jpg", encode(picture(YCC[:2], ((1, 1),) * 2)), False)


def lossless_cases():
    for predictor in range(1, 8):
        add(f"lossless-rgb-{predictor}.jpg", lossless(ALL, predictor), RGB)
    add("lossless-gray.jpg", lossless([GRAY], 1), np.stack([GRAY] * 3, axis=2))
    add("lossless-restart.jpg", lossless(ALL, 4, restart_rows=7), RGB)
    image = picture(YCC, ((1, 1),) * 3)
    add(
        "twelve-bits.jpg",
        encode(image).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"),
        False,
    )
    for marker, name in (
        (0xC5, "hierarchical"),
        (0xC6, "hierarchical-progressive"),
        (0xC7, "hierarchical-lossless"),
        (0xCB, "lossless-arithmetic"),
    ):
        add(f"{name}.jpg", encode(image, sof=marker), False)


def exif(order, kind, orientation, first=0):
    """A TIFF header and one directory: entries before the orientation, as cameras write them."""

    def pack(form, *values):
        return struct.pack((">" if order == b"MM" else "<") + form, *values)

    value = pack("HH", orientation, 0) if kind == 3 else pack("I", orientation)
    entries = [pack("HHI", 0x0100 + number, 4, 1) + pack("I", WIDTH) for number in range(first)]
    entries.append(pack("HHI", 0x0112, kind, 1) + value)
    directory = pack("H", len(entries)) + b"".join(entries) + pack("I", 0)
    return b"Exif\0\0" + order + pack("HI", 42, 8) + directory


def turned(pixels, orientation):
    operations = [
        None,
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    ]
    operation = operations[orientation]
    return pixels if operation is None else np.asarray(Image.fromarray(pixels).transpose(operation))


def metadata_cases():
    usual = picture(YCC, ((2, 2), (1, 1), (1, 1)))
    seen = pillow(encode(usual))
    icc = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(range(200)))
    xmp = segment(
        0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>" * 20
    )
    for order in (b"II", b"MM"):
        for kind, name in ((3, "short"), (4, "long")):
            for orientation in range(1, 9):
                app1 = segment(0xE1, exif(order, kind, orientation, first=2))
                add(
                    f"exif-{order.decode().lower()}-{name}-{orientation}.jpg",
                    encode(usual, before=[app1]),
                    turned(seen, orientation),
                )
    six = segment(0xE1, exif(b"MM", 3, 6))
    for name, before in {
        "jfif-exif": [JFIF, six],
        "xmp-exif": [xmp, six],
        "exif-xmp": [six, xmp],
        "icc-exif": [icc, six],
        "comment-exif": [segment(0xFE, b"text"), six],
        "exif-icc-adobe": [six, icc, adobe(1)],
    }.items():
        add(f"order-{name}.jpg", encode(usual, before=before), turned(seen, 6))
    # The first one counts.
    add(
        "two-exifs.jpg",
        encode(usual, before=[six, segment(0xE1, exif(b"II", 3, 3))]),
        turned(seen, 6),
    )
    add("exif-after-tables.jpg", encode(usual, between=lambda number: six), turned(seen, 6))
    for name, body in {
        "orientation-0": exif(b"II", 3, 0),
        "orientation-9": exif(b"MM", 4, 9),
        "orientation-huge": exif(b"II", 4, 6 << 16),
        "orientation-byte": exif(b"II", 1, 6),
        "cut": exif(b"II", 3, 6)[:20],
        "no-tiff": b"Exif\0\0nonsense",
        "empty": b"Exif\0\0",
        "offset-outside": b"Exif\0\0II*\0\xff\xff\xff\xff",
    }.items():
        add(f"exif-broken-{name}.jpg", encode(usual, before=[segment(0xE1, body)]), seen)
    add("icc-broken.jpg", encode(usual, before=[segment(0xE2, b"ICC_PROFILE\0\2\1" + b"x" * 50)]))
    add("fill-bytes.jpg", encode(usual, before=[b"\xff\xff\xff" + JFIF, b"\xff" * 7 + xmp]))
    add("bytes-before-marker.jpg", encode(usual, before=[JFIF, b"\0\0garbage"]))
    add("bytes-after-end.jpg", encode(usual) + b"trailer" * 30)
    add(
        "unknown-segments.jpg",
        encode(usual, before=[segment(marker, b"?" * 40) for marker in range(0xE3, 0xEE)]),
    )
    second = encode(picture(YCC, ((1, 1),) * 3, 30))
    mpf = segment(0xE2, b"MPF\0MM\0*" + bytes(80))
    add("two-pictures.jpg", encode(usual, before=[six, mpf]) + second, turned(seen, 6))
    add("thumbnail.jpg", encode(usual, before=[segment(0xE1, exif(b"II", 3, 1) + second[:60000])]))
    add(
        "huffman-tables-between-scans.jpg",
        encode(usual, [Scan((0,)), Scan((1,)), Scan((2,))], between=lambda n: JFIF),
    )
    # Tables that frames of Motion JPEG leave out.
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", quality=80, optimize=False)
    data = buffer.getvalue()
    bare = b""
    at = 2
    while data[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        bare += b"" if data[at + 1] == 0xC4 else data[at : at + length]
        at += length
    add("no-huffman-tables.jpg", b"\xff\xd8" + bare + data[at:])


def cut_cases():
    usual = picture(YCC, ((2, 2), (1, 1), (1, 1)))
    for name, data in {
        "baseline": encode(usual),
        "restart": encode(usual, restart=6),
        "separate": encode(usual, [Scan((i,)) for i in range(3)]),
        "progressive": encode(usual, progression(), progressive=True),
        "arithmetic": encode(usual, arithmetic_coding=True),
    }.items():
        add(f"cut-end-{name}.jpg", data[:-2], lenient=True)
        add(f"cut-no-scan-{name}.jpg", data[: data.index(b"\xff\xda") + 2], False)
        scan = data.index(b"\xff\xda")
        add(f"cut-empty-scan-{name}.jpg", data[: scan + 2 + data[scan + 3]] + b"\xff\xd9", False)
        # Without any color there is no picture.
        add(
            f"cut-half-{name}.jpg", data[: len(data) // 2], False if name == "separate" else "upper"
        )
    add("no-frame.jpg", encode(usual)[:20] + b"\xff\xd9", False)
    add("only-magic.jpg", b"\xff\xd8\xff", False)


def over_white(rgb, alpha):
    mixed = (
        rgb.astype(int) * alpha[..., None] + 255 * (255 - alpha[..., None].astype(int)) + 127
    ) // 255
    return mixed.astype(np.uint8)


def png_cases():
    alpha = np.clip(np.add.outer(np.arange(HEIGHT) * 2, np.arange(WIDTH) * 2), 0, 255).astype(
        np.uint8
    )
    gray3 = np.stack([GRAY] * 3, axis=2)
    palette_image = Image.fromarray(RGB).quantize(64, dither=Image.Dither.NONE)
    indexes = np.asarray(palette_image)
    palette = np.array(palette_image.getpalette(), np.uint8).reshape(-1, 3)
    palette = np.concatenate([palette, np.zeros((256 - len(palette), 3), np.uint8)])
    plte = chunk(b"PLTE", palette[:64].tobytes())

    def sixteen(samples):
        return samples.astype(int) * 256 + 77

    for interlaced in (False, True):
        tail = "-interlaced" if interlaced else ""
        add(f"rgb-8{tail}.png", png(RGB, 2, 8, interlaced), RGB)
        add(f"rgb-16{tail}.png", png(sixteen(RGB), 2, 16, interlaced), RGB)
        add(
            f"rgba-8{tail}.png",
            png(np.dstack([RGB, alpha]), 6, 8, interlaced),
            over_white(RGB, alpha),
        )
        add(
            f"rgba-16{tail}.png",
            png(sixteen(np.dstack([RGB, alpha])), 6, 16, interlaced),
            over_white(RGB, alpha),
        )
        add(f"gray-8{tail}.png", png(GRAY[..., None], 0, 8, interlaced), gray3)
        add(f"gray-16{tail}.png", png(sixteen(GRAY[..., None]), 0, 16, interlaced), gray3)
        add(
            f"gray-alpha-8{tail}.png",
            png(np.dstack([GRAY, alpha]), 4, 8, interlaced),
            over_white(gray3, alpha),
        )
        add(
            f"gray-alpha-16{tail}.png",
            png(sixteen(np.dstack([GRAY, alpha])), 4, 16, interlaced),
            over_white(gray3, alpha),
        )
        for depth in (1, 2, 4):
            small = GRAY >> (8 - depth)
            add(
                f"gray-{depth}{tail}.png",
                png(small[..., None], 0, depth, interlaced),
                np.stack([small * (255 // ((1 << depth) - 1))] * 3, axis=2).astype(np.uint8),
            )
            few = indexes % (1 << depth)
            add(
                f"palette-{depth}{tail}.png",
                png(
                    few[..., None],
                    3,
                    depth,
                    interlaced,
                    chunk(b"PLTE", palette[: 1 << depth].tobytes()),
                ),
                palette[few],
            )
        add(
            f"palette-8{tail}.png",
            png(indexes[..., None], 3, 8, interlaced, plte),
            palette[indexes],
        )
        fading = np.arange(64, dtype=np.uint8) * 4
        add(
            f"palette-transparent{tail}.png",
            png(indexes[..., None], 3, 8, interlaced, plte + chunk(b"tRNS", fading.tobytes())),
            over_white(palette[indexes], fading[indexes]),
        )
        add(
            f"palette-few-transparent{tail}.png",
            png(indexes[..., None], 3, 8, interlaced, plte + chunk(b"tRNS", bytes([0, 128]))),
            over_white(
                palette[indexes], np.where(indexes == 0, 0, np.where(indexes == 1, 128, 255))
            ),
        )
        key = RGB[10, 10]
        hidden = np.where((key == RGB).all(axis=2), 0, 255)
        add(
            f"rgb-key{tail}.png",
            png(RGB, 2, 8, interlaced, chunk(b"tRNS", struct.pack(">HHH", *map(int, key)))),
            over_white(RGB, hidden),
        )
        add(
            f"gray-key{tail}.png",
            png(
                GRAY[..., None],
                0,
                8,
                interlaced,
                chunk(b"tRNS", struct.pack(">H", int(GRAY[5, 5]))),
            ),
            over_white(gray3, np.where(GRAY[5, 5] == GRAY, 0, 255)),
        )
    for kind in range(5):
        add(f"filter-{kind}.png", png(RGB, 2, kinds=(kind,)), RGB)
    add("idat-of-5.png", png(GRAY[..., None], 0, split=5), gray3)
    add("idat-of-100.png", png(RGB, 2, split=100), RGB)
    broken = {
        "gama": chunk(b"gAMA", struct.pack(">I", 45455)),
        "gama-broken": chunk(b"gAMA", b"\0"),
        "gama-zero": chunk(b"gAMA", bytes(4)),
        "iccp-broken": chunk(b"iCCP", b"name\0\0not zlib"),
        "iccp-crc": chunk(b"iCCP", b"name\0\0" + zlib.compress(b"x" * 100), crc=1),
        "text-crc": chunk(b"tEXt", b"a\0b", crc=5),
        "ztxt-broken": chunk(b"zTXt", b"a\0\0????"),
        "itxt-broken": chunk(b"iTXt", b"a"),
        "phys-broken": chunk(b"pHYs", b"1"),
        "chrm-broken": chunk(b"cHRM", b"1" * 5),
        "srgb-broken": chunk(b"sRGB", b"\x09"),
        "srgb-long": chunk(b"sRGB", b"\0\0\0"),
        "time-broken": chunk(b"tIME", b"?"),
        "exif-turned": chunk(b"eXIf", exif(b"MM", 3, 6)[6:]),
        "exif-broken": chunk(b"eXIf", b"x"),
        "unknown": chunk(b"prVt", b"x" * 300),
        "unknown-crc": chunk(b"prVt", b"x" * 30, crc=9),
        "sbit-broken": chunk(b"sBIT", b"\xff"),
        "bkgd-broken": chunk(b"bKGD", b"1"),
        "hist-broken": chunk(b"hIST", b"1"),
        "trns-long": chunk(b"tRNS", bytes(6) + b"??"),
        "actl-broken": chunk(b"acTL", b"1"),
        "actl": chunk(b"acTL", struct.pack(">II", 1, 0)),
        "gama-twice": chunk(b"gAMA", struct.pack(">I", 45455)) * 2,
        "suggested-palette": plte,
        "plte-odd-length": chunk(b"PLTE", bytes(10)),
    }
    for name, before in broken.items():
        add(f"with-{name}.png", png(FEW, 2, before=before), FEW)
    add(
        "plte-length-64.png",
        png(indexes[..., None], 3, 8, before=chunk(b"PLTE", palette[:64].tobytes() + b"\0")),
        palette[indexes],
    )
    add(
        "plte-too-long.png",
        png(indexes[..., None], 3, 8, before=chunk(b"PLTE", palette.tobytes() + bytes(30))),
        palette[indexes],
    )
    add(
        "plte-crc.png",
        png(indexes[..., None], 3, 8, before=chunk(b"PLTE", palette[:64].tobytes(), crc=3)),
        False,
    )
    add("plte-missing.png", png(indexes[..., None], 3, 8), False)
    add(
        "trns-longer-than-plte.png",
        png(indexes[..., None], 3, 8, before=plte + chunk(b"tRNS", bytes([255] * 100))),
        palette[indexes],
    )
    whole = png(FEW, 2)
    add("no-iend.png", whole[:-12], FEW)
    add("no-iend-interlaced.png", png(FEW, 2, interlaced=True)[:-12], FEW)
    add("half-iend.png", whole[:-7], FEW)
    add("iend-crc.png", whole[:-1] + b"?", FEW)
    stream = zlib.compress(image_data(FEW, 2, 8), 9)
    add(
        "idat-crc.png",
        png(FEW, 2, idat=b"", after=b"").replace(chunk(b"IDAT"), chunk(b"IDAT", stream, crc=7)),
        FEW,
    )
    add(
        "idat-crc-second.png",
        png(FEW, 2, idat=b"").replace(
            chunk(b"IDAT"), chunk(b"IDAT", stream[:900]) + chunk(b"IDAT", stream[900:], crc=7)
        ),
        FEW,
    )
    add(
        "idat-crc-interlaced.png",
        png(FEW, 2, interlaced=True, idat=b"").replace(
            chunk(b"IDAT"), chunk(b"IDAT", zlib.compress(image_data(FEW, 2, 8, True)), crc=7)
        ),
        FEW,
    )
    add("idat-adler.png", png(FEW, 2, idat=stream[:-4] + b"????"), False)
    add("idat-adler-missing.png", png(FEW, 2, idat=stream[:-4]), FEW)
    add("idat-trailing.png", png(FEW, 2, idat=stream + b"more bytes"), FEW)
    add("ihdr-crc.png", whole[:29] + b"\0\0\0\0" + whole[33:], False)
    add("bytes-after-iend.png", whole + b"trailer" * 20, FEW)
    add("cut-half.png", whole[: len(whole) // 2], False)
    add("cut-idat.png", whole[: 8 + 25 + 60], False)
    add("no-idat.png", png(FEW, 2, idat=b"").replace(chunk(b"IDAT"), b""), False)
    add("empty-idat.png", png(FEW, 2, idat=b""), False)
    add(
        "bad-depth.png",
        png(FEW, 2).replace(
            whole[8:33], chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 3, 2, 0, 0, 0))
        ),
        False,
    )


def main():
    sampling_cases()
    scan_cases()
    color_cases()
    lossless_cases()
    metadata_cases()
    cut_cases()
    png_cases()
    for folder in ("files", "expected"):
        (HERE / folder).mkdir(exist_ok=True)
        for old in (HERE / folder).iterdir():
            old.unlink()
    rows = []
    for name, (data, expected) in files.items():
        (HERE / "files" / name).write_bytes(data)
        right = {"upper": "upper"}.get(expected) if isinstance(expected, str) else None
        if expected is False:
            right = "refuse"
        elif right is None:
            right = (
                sha256(repr(expected.shape).encode() + expected.tobytes()).hexdigest()[:12] + ".png"
            )
            Image.fromarray(expected).save(HERE / "expected" / right, optimize=True)
        rows.append(f"{name}\t{right}\n")
    (HERE / "cases.tsv").write_text("".join(rows))
    print(len(rows), "files,", len({row.split()[1] for row in rows}), "pictures")


if __name__ == "__main__":
    main()
