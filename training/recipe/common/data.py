"""Where the images are, how they are read, and how they are split."""

from __future__ import annotations

import csv
import hashlib
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[3]
PACK = REPOSITORY / "models" / "default"
SHARED = Path(os.environ.get("LOOKALIKE_SHARED", REPOSITORY.parent / "shared"))
WORK = Path(os.environ.get("LOOKALIKE_WORK", REPOSITORY / "training" / "work"))

TRAIN, CALIBRATION, TEST = 0, 1, 2
"""Split of a face: learn from it, fit calibrations on it, report on it."""

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Source:
    """One tar file (or folder) of images, and how to prepare them for the teacher."""

    name: str
    side: int
    """The longest side, in pixels, that an image is resized to before detection."""
    single: bool
    """Whether an image shows one person, so that only the most prominent face counts."""
    margins: tuple[float, ...] = (0.0, 0.3)
    """Margins around the image that the teacher tries, as shares of the longest side: it misses
    faces that fill the frame."""


SOURCES = (
    Source("celeba-9k", 256, single=True),
    Source("utkface", 224, single=True),
    Source("masks", 320, single=False),
    Source("film-faces", 256, single=False),
    Source("synthetic-faces", 256, single=True),
    Source("fer-emotions", 192, single=True),
    Source("identities", 192, single=True, margins=(0.25,)),
    Source("photos", 640, single=False),
)
"""`photos` is a place for a user's own images; it is skipped when absent."""

FIRST_IDENTITY = 1_000_000
"""Number of the first person of `identities`, beyond CelebA's."""

SOURCE_IDS = {source.name: index for index, source in enumerate(SOURCES)}


def read_images(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path inside the source, encoded bytes) in a stable order."""
    folder, archive = SHARED / "data" / name, SHARED / "data" / f"{name}.tar"
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                yield str(path.relative_to(folder)), path.read_bytes()
    elif archive.is_file():
        with tarfile.open(archive) as tar:
            members = [m for m in tar if Path(m.name).suffix.lower() in IMAGE_SUFFIXES]
            for member in sorted(members, key=lambda m: m.name):
                handle = tar.extractfile(member)
                if handle is not None:
                    yield member.name.removeprefix(f"{name}/"), handle.read()


def decode(encoded: bytes) -> np.ndarray | None:
    """Decode to RGB uint8 [H, W, 3], or None where the bytes are no image."""
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def celeba_rows() -> dict[str, dict[str, str]]:
    """CelebA's label row (identity and 40 attributes) by file name."""
    path = SHARED / "data" / "celeba-9k.csv"
    if not path.is_file():
        return {}
    with path.open(newline="") as handle:
        return {row["file"]: row for row in csv.DictReader(handle)}


def people() -> dict[tuple[str, str], int]:
    """The number of the person in an image by (source, file), where it is labeled."""
    known = {("celeba-9k", file): int(row["identity"]) for file, row in celeba_rows().items()}
    files = [file for file, _ in read_images("identities")]
    names = sorted({file.split("/")[0] for file in files})
    numbers = {name: FIRST_IDENTITY + index for index, name in enumerate(names)}
    return known | {("identities", file): numbers[file.split("/")[0]] for file in files}


def split_of(key: bytes) -> int:
    """The fixed split of a key: 80 % train, 10 % calibration, 10 % test."""
    bucket = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") % 100
    if bucket < 10:
        return TEST
    return CALIBRATION if bucket < 20 else TRAIN
