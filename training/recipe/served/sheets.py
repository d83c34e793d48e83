"""Contact sheets of what a pack does worst."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from recipe.common import geometry
from recipe.detector.photographs import Photo
from recipe.detector.views import placed
from recipe.served import figures, pipeline

if TYPE_CHECKING:
    from recipe.served.exam import Answer

SIDE, COLUMNS, MOST = 140, 12, 72
"""Pixels of a tile, tiles in a row, and tiles in all."""
REACH = 1.6
"""Part of the photo in a tile, in sides of the box."""

Entry = tuple[Photo, np.ndarray, float]
"""Photo, box [4] and score."""


def tile(entry: Entry) -> np.ndarray:
    """A box with its surroundings, its score and the photo's kind above."""
    photo, box, score = entry
    reach = max(*(box[2:] - box[:2]), 8.0) * REACH
    zoom, middle = np.full(2, SIDE / reach), (box[:2] + box[2:]) / 2
    matrix = placed(zoom, 0.0, False, middle, np.full(2, SIDE / 2))
    image = cv2.warpAffine(photo.pixels(), matrix, (SIDE, SIDE))
    low, high = geometry.apply(matrix, box.reshape(2, 2)).astype(int).tolist()
    cv2.rectangle(image, low, high, (0, 255, 0), 1)
    text, font = f"{score:.2f} {photo.kind}", cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (3, 13), font, 0.42, (255, 255, 0), 1)
    return image


def sheet(path: Path, worst: list[Entry]) -> None:
    """Write the first boxes of a list as one picture."""
    tiles = [tile(entry) for entry in worst[:MOST]]
    if not tiles:
        path.unlink(missing_ok=True)
        return
    tiles += [np.zeros((SIDE, SIDE, 3), np.uint8)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


def write(folder: Path, answers: list[Answer], settings: pipeline.Settings) -> None:
    """The surest false faces, and the largest faces missed."""
    false: list[Entry] = []
    missed: list[Entry] = []
    for answer in answers:
        if answer.view == figures.PLAIN:
            mine, faces = pipeline.decide(answer.found, settings), answer.faces
            bad = np.flatnonzero(figures.wrong(answer, mine))
            false += [(answer.photo, mine.boxes[i], float(mine.scores[i])) for i in bad]
            lost = figures.best_overlap(faces.boxes, mine.boxes) < figures.MATCH
            lost = np.flatnonzero(lost)
            missed += [(answer.photo, faces.boxes[i], float(faces.scores[i])) for i in lost]
    folder.mkdir(parents=True, exist_ok=True)
    sheet(folder / "false.png", sorted(false, key=lambda entry: -entry[2]))
    sheet(folder / "missed.png", sorted(missed, key=lambda entry: entry[1][0] - entry[1][2]))
