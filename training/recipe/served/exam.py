"""The exam of a pack on photographs as people take them: whole photos through the served pipeline.

The reference is what several looks of the teacher agree on, corrected where a person looked. A box
that it doubts counts for neither side. Photos without people have no faces, whatever it sees.
"""

from __future__ import annotations

import argparse
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from recipe.common import data, geometry
from recipe.detector import photographs, review, yunet
from recipe.detector.photographs import Photo
from recipe.detector.views import outline, placed
from recipe.served import figures, pipeline, sheets

TURNS = (90, 180, 270, 45)
"""Degrees, clockwise, by which photos of few faces are turned."""
ZOOMS = (0.5, 2.0)
WHOLE = ("scenes", "negatives", "backgrounds")
FEW, WIDE = 3, 40.0
"""Photos with at most so many faces, one of them so wide in pixels, are turned and resized."""

View = tuple[str, np.ndarray, np.ndarray]
"""Name of the change, RGB pixels, and the transform [2, 3] from the photo."""


@dataclass
class Answer:
    """One view of a photo, the reference moved to it, and what the networks see in it."""

    photo: Photo
    view: str
    faces: yunet.Faces
    doubts: np.ndarray
    found: pipeline.Candidates
    size: tuple[int, int]
    """Width and height of the view in pixels."""


def turned(image: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The whole photo turned, on black, and the transform [2, 3]."""
    size = np.array(image.shape[1::-1])
    angle = np.deg2rad(degrees)
    cosine, sine = np.abs([np.cos(angle), np.sin(angle)])
    side = np.round(np.array([[cosine, sine], [sine, cosine]]) @ size).astype(int)
    matrix = placed(np.ones(2), angle, False, (size - 1) / 2, (side - 1) / 2)
    return cv2.warpAffine(image, matrix, tuple(side.tolist())), matrix


def zoomed(image: np.ndarray, zoom: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo resized, and the transform [2, 3]."""
    kind = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    matrix = np.array([[zoom, 0, zoom / 2 - 0.5], [0, zoom, zoom / 2 - 0.5]])
    return cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=kind), matrix


def views(photo: Photo, is_changed: bool) -> list[View]:
    """The photo as it is and, where asked for, turned and resized."""
    image = photo.pixels()
    result = [(figures.PLAIN, image, np.eye(2, 3))]
    if is_changed:
        result += [(str(degrees), *turned(image, degrees)) for degrees in TURNS]
        result += [(f"x{zoom:g}", *zoomed(image, zoom)) for zoom in ZOOMS]
    return result


def questions(split: int) -> list[Photo]:
    """Scenes, photos without people and BSDS photos of one split."""
    known = review.verdicts()
    whole = [c for c in photographs.COLLECTIONS if c.name in WHOLE]
    photos = [photo for collection in whole for photo in photographs.photos(collection, split)]
    return [review.judged(photo, known) for photo in photos]


def look(network: pipeline.Served, photos: list[Photo], most: int) -> list[Answer]:
    """Run the networks over the photos; `most` photos of few faces are changed as well."""
    answers, used = [], 0
    for photo in tqdm(photos, desc="photographs", mininterval=10):
        widths = np.ptp(photo.faces.boxes[:, ::2], axis=1)
        is_changed = bool(0 < len(widths) <= FEW and widths.max() >= WIDE and used < most)
        used += is_changed
        for name, view, matrix in views(photo, is_changed):
            points = geometry.apply(matrix, photo.faces.landmarks)
            faces = yunet.Faces(outline(matrix, photo.faces.boxes), points, photo.faces.scores)
            doubts, found = outline(matrix, photo.doubts.boxes), network.candidates(view)
            answers.append(Answer(photo, name, faces, doubts, found, view.shape[1::-1]))
    return answers


def measure(pack: Path, split: int = data.TEST, most: int = 120) -> dict[str, float]:
    """The exam's figures of a pack; its answers and sheets of the worst stay in the work folder."""
    settings = pipeline.Settings.of(pack)
    answers = look(pipeline.Served(settings), questions(split), most)
    (data.WORK / "answers.pickle").write_bytes(pickle.dumps(answers))
    sheets.write(data.WORK / "sheets", answers, settings)
    return figures.table(answers, settings)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)
    parser.add_argument("--changed", type=int, default=120, help="photos to turn and resize")


def execute(options: argparse.Namespace) -> None:
    """Print the figures, and keep them as `photographs.json` in the work folder."""
    rows = measure(options.pack, most=options.changed)
    (data.WORK / "photographs.json").write_text(json.dumps(rows, indent=1))
    for name, value in rows.items():
        print(f"{name:<44} {value:>9.4g}")
