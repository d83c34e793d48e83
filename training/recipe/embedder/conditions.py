"""Whole photos of held-out people in fifteen conditions, through the pack as it is served.

Prints how many pairs of strangers reach a Similarity of 80 in each condition, and how often a photo
still matches itself as it was upright. Faces that are not found are left out.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from recipe.common import data, geometry
from recipe.embedder import calibrate, damages, views
from recipe.served import exam, pipeline
from recipe.served.embedder import Embedder

FIGURES = data.WORK / "conditions.json"
ZOOM, PEOPLE = 2.3, 455
"""CelebA's small photos are enlarged to the size of a usual face; one photo of each person."""


@dataclass(frozen=True)
class Photo:
    """An enlarged photo and the face that the teacher finds in it."""

    image: np.ndarray
    landmarks: np.ndarray
    width: float
    """Width of the face's box in pixels."""

    @property
    def scale(self) -> float:
        """Pixels of the photo for one of the aligned crop."""
        matrix = geometry.similarity(self.landmarks, geometry.template(views.SIDE))
        return 1 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


Rng = np.random.Generator


def painted(photo: Photo, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The photo with what `paint` changes in the aligned crop put back into it."""
    matrix = geometry.similarity(photo.landmarks, geometry.template(views.SIDE))
    crop = cv2.warpAffine(photo.image, matrix, (views.SIDE,) * 2)
    after = paint(crop)
    changed = (after != crop).any(2).astype(np.uint8) * 255
    size, back = photo.image.shape[1::-1], cv2.invertAffineTransform(matrix)
    where = cv2.warpAffine(changed, back, size, flags=cv2.INTER_NEAREST) > 0
    return np.where(where[:, :, None], cv2.warpAffine(after, back, size), photo.image)


def quarter(turns: int) -> Callable[[Photo, Rng], np.ndarray]:
    """The photo after some quarter turns, counterclockwise."""
    return lambda photo, rng: np.ascontiguousarray(np.rot90(photo.image, turns))


def jpeg(image: np.ndarray) -> np.ndarray:
    """The photo after JPEG of quality 3."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 3])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def tilted(image: np.ndarray) -> np.ndarray:
    """The whole photo after an eighth of a turn; its edge is continued."""
    height, width = image.shape[:2]
    side = int(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 45, 1)
    matrix[:, 2] += [(side - width) / 2, (side - height) / 2]
    return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def halved(image: np.ndarray) -> np.ndarray:
    """The photo at half its width."""
    return cv2.resize(image, None, fx=0.5, fy=1, interpolation=cv2.INTER_AREA)


MASK, BAR = calibrate.CONDITIONS["mask"], calibrate.CONDITIONS["bar"]
CONDITIONS: dict[str, Callable[[Photo, Rng], np.ndarray]] = {
    "upright": lambda photo, rng: photo.image,
    "turned 90": quarter(1),
    "turned 180": quarter(2),
    "turned 270": quarter(3),
    "turned 45": lambda photo, rng: tilted(photo.image),
    "blur 3": lambda photo, rng: damages.blurred(photo.image, 3 * photo.scale),
    "blur 6": lambda photo, rng: damages.blurred(photo.image, 6 * photo.scale),
    "24 px": lambda photo, rng: exam.zoomed(photo.image, 24 / photo.width)[0],
    "JPEG 3": lambda photo, rng: jpeg(photo.image),
    "dark": lambda photo, rng: damages.lit(photo.image, 0.1, 0, 1),
    "mask": lambda photo, rng: painted(photo, lambda crop: MASK(crop, rng)),
    "bar": lambda photo, rng: painted(photo, lambda crop: BAR(crop, rng)),
    "squeezed": lambda photo, rng: halved(photo.image),
    "negative": lambda photo, rng: 255 - photo.image,
    "noise": lambda photo, rng: damages.noisy(photo.image, 50, rng),
}


def photos(most: int) -> list[Photo]:
    """One photo of each person of CelebA's test split."""
    faces = np.load(data.WORK / "faces.npz")
    celeba = faces["source"] == data.SOURCE_IDS["celeba-9k"]
    rows = np.flatnonzero(celeba & (faces["split"] == data.TEST))
    rows = rows[np.unique(faces["identity"][rows], return_index=True)[1]][:most]
    wanted = dict(zip(faces["name"][rows].tolist(), rows.tolist()))
    result = []
    for name, encoded in data.read_images("celeba-9k"):
        if name in wanted:
            row, (image, matrix) = wanted[name], exam.zoomed(data.decode(encoded), ZOOM)
            box = faces["box"][row]
            marks = geometry.apply(matrix, faces["landmarks"][row])
            result.append(Photo(image, marks, ZOOM * float(box[2] - box[0])))
    return result


def vector(image: np.ndarray, networks: pipeline.Served, embedder: Embedder) -> np.ndarray | None:
    """What the server keeps of the largest face [128], or None where none is found."""
    found = pipeline.decide(networks.candidates(image), networks.settings)
    if not len(found):
        return None
    largest = int(np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1).argmax())
    return embedder.vector(image, found.landmarks[largest])


def over(vectors: list[np.ndarray | None], upright: list, limit: float) -> dict[str, float]:
    """Faces found, strangers over the limit in %, photos that match themselves upright in %."""
    found = np.stack([v for v in vectors if v is not None])
    pairs = [(v, u) for v, u in zip(vectors, upright) if v is not None and u is not None]
    return {
        "faces": len(found),
        "strangers_percent": 100 * float((calibrate.strangers(found) >= limit).mean()),
        "same_photo_percent": 100 * float(np.mean([v @ u >= limit for v, u in pairs])),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)
    parser.add_argument("--people", type=int, default=PEOPLE)


def execute(options: argparse.Namespace) -> None:
    """Print the table, and keep it as `conditions.json` in the work folder."""
    curve = tomllib.loads((options.pack / "pack.toml").read_text())["calibration"]
    limit = curve["cosine"][curve["similarity"].index(80.0)]
    networks = pipeline.Served(pipeline.Settings.of(options.pack))
    embedder, shown = Embedder(options.pack), photos(options.people)
    seen: dict[str, list[np.ndarray | None]] = {}
    for name, change in CONDITIONS.items():
        rng = np.random.default_rng(3)
        images = tqdm(shown, desc=name, mininterval=10)
        seen[name] = [vector(change(photo, rng), networks, embedder) for photo in images]
    table = {name: over(vectors, seen["upright"], limit) for name, vectors in seen.items()}
    FIGURES.write_text(json.dumps(table, indent=1))
    print(f"{'condition':<12} {'faces':>6} {'strangers over 80, %':>21} {'itself upright, %':>18}")
    for name, row in table.items():
        faces, strangers, same = row.values()
        print(f"{name:<12} {faces:>6} {strangers:>21.4f} {same:>18.1f}")
