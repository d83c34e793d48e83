"""The images that cost the server most, beside an honest photo: processor time and time to answer.

    python benches/hostile_images.py [--binary target/release/lookalike] [--rounds 7]

Every image goes to `DetectFaces` of a server with one worker, one request at a time, all images in
turn in each round; medians count. Processor time is that of all threads of the server, so other
programs disturb it little. Ends with status 1 where an image takes more than five times as much as
a light photo of 12 megapixels, or is answered with a failure of the server.
"""

import argparse
import base64
import http.client
import io
import json
import os
import random
import statistics
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
MOST_TIMES = 5.0
LARGEST = 10_000
MEGAPIXELS_12 = (4000, 3000)


def jpeg(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, depth: int, color: int, row: bytes, palette: bytes = b"", interlace=0) -> bytes:
    """A PNG of zeros, as small as they can be packed."""
    packer = zlib.compressobj(9)
    # The passes of an interlaced one have twice as many rows, each with its filter's byte.
    data = b"".join(packer.compress(b"\0" + row) for _ in range(side + interlace)) + packer.flush()
    ihdr = struct.pack(">IIBBBBB", side, side, depth, color, 0, 0, interlace)
    tables = chunk(b"PLTE", palette) if palette else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", ihdr)
        + tables
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def empty_scans(side: int, components: int = 1) -> bytes:
    """A progressive JPEG with a scan for each coefficient that holds nothing.

    Each of them is a walk over all blocks of the image.
    """
    color = "L" if components == 1 else "YCbCr"
    file = jpeg(Image.new(color, (side, side)), quality=50, progressive=True, subsampling=0)
    tables, first, at = b"", b"", 2
    while not first or file[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", file[at + 2 : at + 4])[0]
        if file[at + 1] == 0xDA:
            first, length = file[at:], file.index(b"\xff", at + length) - at
            first = first[:length]
        elif file[at + 1] in {0xC2, 0xC4, 0xDB}:
            tables += file[at : at + length]
        at += length
    # The Huffman table of the coefficients beyond the first: one code, the end of a block.
    table = b"\xff\xc4\x00\x14\x10" + b"\x01" + bytes(15) + b"\x00"
    scans = b"".join(
        b"\xff\xda\x00\x08\x01" + bytes([component, 0, coefficient, coefficient, 0])
        for component in range(1, components + 1)
        for coefficient in range(1, 64)
    )
    return b"\xff\xd8" + tables + first + table + scans + b"\xff\xd9"


def noise(size: tuple[int, int], detail: int) -> Image.Image:
    """Noise whose grains are so many pixels wide: the smaller, the more a JPEG holds."""
    grain = (size[0] // detail, size[1] // detail)
    return Image.frombytes(
        "RGB", grain, random.Random(7).randbytes(3 * grain[0] * grain[1])
    ).resize(size, Image.Resampling.BICUBIC)


def honest(people, size: tuple[int, int]) -> Image.Image:
    """A photo of five people on a textured background."""
    photo = noise(size, 40)
    for number in range(5):
        side = size[1] // (2 if number == 0 else 6)
        left = size[0] // 20 if number == 0 else size[0] // 2 + (number - 1) * size[0] // 8
        photo.paste(people.face(number).resize((side, side)), (left, size[1] // 4))
    return photo


def images(people) -> dict[str, bytes]:
    """The first is the measure of all others."""
    photo = honest(people, MEGAPIXELS_12)
    large = noise((LARGEST, LARGEST), 60)
    crowd = Image.new("RGB", MEGAPIXELS_12, (120, 130, 140))
    for number in range(130):
        place = (number % 13 * 300 + 20, number // 13 * 300 + 10)
        crowd.paste(people.face(number % 12).resize((260, 260)), place)
    row = LARGEST
    return {
        "photo of 12 MP, light": jpeg(photo, quality=80),
        "photo of 12 MP, progressive": jpeg(photo, quality=80, progressive=True),
        "photo of 12 MP, detailed": jpeg(noise(MEGAPIXELS_12, 4), quality=90),
        "130 faces, 12 MP": jpeg(crowd, quality=85),
        "JPEG 100 MP, 4:2:0": jpeg(large, quality=40),
        "JPEG 100 MP, 4:4:4": jpeg(large, quality=40, subsampling=0),
        "JPEG 100 MP, gray": jpeg(large.convert("L"), quality=40),
        "JPEG 100 MP, CMYK": jpeg(large.convert("CMYK"), quality=25),
        "JPEG 100 MP, progressive": jpeg(large, quality=25, progressive=True),
        "JPEG 25 MP, 63 empty scans": empty_scans(5000),
        "JPEG 11 MP, 63 empty scans": empty_scans(3350),
        "JPEG 4 MP, 189 empty scans": empty_scans(2000, components=3),
        "PNG 100 MP, 1 bit": png(LARGEST, 1, 0, bytes(row // 8)),
        "PNG 100 MP, palette": png(LARGEST, 8, 3, bytes(row), bytes(range(12))),
        "PNG 100 MP, gray": png(LARGEST, 8, 0, bytes(row)),
        "PNG 100 MP, RGB": png(LARGEST, 8, 2, bytes(3 * row)),
        "PNG 100 MP, RGBA": png(LARGEST, 8, 6, bytes(4 * row)),
        "PNG 25 MP, RGBA": png(5000, 8, 6, bytes(4 * 5000)),
        "PNG 12 MP, 16 bits RGBA": png(3464, 16, 6, bytes(8 * 3464)),
        "PNG 12 MP, interlaced": png(3464, 8, 2, bytes(3 * 3464), interlace=1),
    }


def processor_ms(process: int) -> float:
    """What all threads of a process have used of processors."""
    files = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e6


class Measured:
    """The answers to one image."""

    def __init__(self, file: bytes):
        self.size = len(file) / 1000
        self.body = json.dumps({"Image": {"Bytes": base64.b64encode(file).decode()}}).encode()
        self.wall: list[float] = []
        self.processor: list[float] = []
        self.answer = ""

    def send(self, connection: http.client.HTTPConnection, process: int, *, counts: bool) -> None:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "RekognitionService.DetectFaces",
        }
        used, start = processor_ms(process), time.perf_counter()
        connection.request("POST", "/", self.body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        wall, used = (time.perf_counter() - start) * 1000, processor_ms(process) - used
        is_ok = response.status == 200
        self.answer = f"{len(answer['FaceDetails'])} faces" if is_ok else answer["__type"]
        if response.status >= 500:
            sys.exit(f"the server failed: {answer}")
        if counts:
            self.wall.append(wall)
            self.processor.append(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "lookalike"))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.environ["LOOKALIKE_BIN"] = options.binary
    import faces as people

    import server

    files = images(people)
    measured = {name: Measured(file) for name, file in files.items() if len(file) <= 5 << 20}
    with tempfile.TemporaryDirectory() as folder:
        running = server.Server(Path(folder), "--workers", "1", "--memory", "4G")
        host, port = running.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        for round_ in range(options.rounds + 1):
            for image in measured.values():
                image.send(connection, running.process.pid, counts=round_ > 0)
        running.stop()
    light = statistics.median(next(iter(measured.values())).processor)
    print(f"{'image':<28}{'KB':>7}{'ms':>8}{'processor ms':>14}{'photos':>8}{'ms a KB':>9}  answer")
    missed = False
    for name, image in measured.items():
        wall, used = statistics.median(image.wall), statistics.median(image.processor)
        print(
            f"{name:<28}{image.size:>7.0f}{wall:>8.1f}{used:>14.1f}{used / light:>8.2f}"
            f"{used / image.size:>9.3f}  {image.answer}"
        )
        missed |= used > MOST_TIMES * light
    for name in files.keys() - measured.keys():
        print(f"{name:<28}{len(files[name]) / 1000:>7.0f}  larger than a request may be")
    sys.exit(missed)


if __name__ == "__main__":
    main()
