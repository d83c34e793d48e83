"""Faces of people who do not exist, drawn from tests/fixtures/eigenfaces.png.

The sheet holds 8 by 8 tiles of 96 pixels: the mean face in red, green and blue, then sixty principal components of brightness, one gray
level a step around 128 (Turk and Pentland, "Eigenfaces for Recognition", 1991). A person is a random point in that space; pictures of one
person lie close together. tests/it/support/faces.rs draws the same people.
"""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image

SHEET = Path(__file__).resolve().parents[1] / "fixtures" / "eigenfaces.png"
SIDE = 96
COMPONENTS = 60
BACKGROUND = (120, 130, 140)


class Random:
    """SplitMix64, and the sum of twelve as a normal variate: the same numbers on every machine."""

    def __init__(self, seed: int):
        self.state = seed % 2**64

    def uniform(self) -> float:
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return ((z ^ (z >> 31)) >> 40) / 2**24

    def normal(self) -> float:
        return sum(self.uniform() for _ in range(12)) - 6.0


@lru_cache
def _tiles() -> list[bytes]:
    sheet = Image.open(SHEET).convert("L")
    places = [(index % 8 * SIDE, index // 8 * SIDE) for index in range(3 + COMPONENTS)]
    return [sheet.crop((x, y, x + SIDE, y + SIDE)).tobytes() for x, y in places]


@lru_cache(maxsize=64)
def face(person: int, picture: int = 0) -> Image.Image:
    """The face of a person in one of their pictures, 96 pixels square; pictures of a person differ a little."""
    identity = Random(person * 0x1000000001B3)
    moment = Random(person ^ (picture * 0xC2B2AE3D27D4EB4F % 2**64))
    spread = 0.25 if picture else 0.0
    change = [0.0] * (SIDE * SIDE)
    mean, components = _tiles()[:3], _tiles()[3:]
    for component in components:
        weight = 1.1 * (identity.normal() + spread * moment.normal())
        change = [sum_ + weight * (value - 128) for sum_, value in zip(change, component)]
    channels = (bytes(min(max(int(value + delta), 0), 255) for value, delta in zip(tile, change)) for tile in mean)
    return Image.merge("RGB", [Image.frombytes("L", (SIDE, SIDE), channel) for channel in channels])


def photo(*people: tuple[int, int, int, int, int], size: tuple[int, int] = (400, 400)) -> Image.Image:
    """A plain background with people on it, each given as person, picture, left, top and side in pixels."""
    canvas = Image.new("RGB", size, BACKGROUND)
    for person, picture, left, top, side in people:
        canvas.paste(face(person, picture).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    return canvas


def portrait(person: int, picture: int = 0) -> bytes:
    """A JPEG of one person, 300 pixels square in a 400-pixel photo."""
    return jpeg(photo((person, picture, 50, 50, 300)))


def group(*sides: int) -> bytes:
    """A JPEG of persons 0, 1, 2, ..., as large as `sides` says."""
    left, people = 10, []
    for person, side in enumerate(sides):
        people.append((person, 0, left, 20, side))
        left += side + 20
    return jpeg(photo(*people, size=(max(left, 200), max(max(sides) + 40, 200))))


def nobody(width: int = 300, height: int = 300) -> bytes:
    """A JPEG without any face."""
    return jpeg(Image.new("RGB", (width, height), BACKGROUND))


def jpeg(image: Image.Image) -> bytes:
    return _encode(image, "JPEG", quality=90)


def png(image: Image.Image) -> bytes:
    return _encode(image, "PNG")


def _encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
