"""Contact sheets of what a pack does worst."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from recipe.common import geometry
from recipe.detector import review, yunet
from recipe.detector.photographs import Photo
from recipe.detector.views import placed
from recipe.served import figures, pipeline

if TYPE_CHECKING:
    from recipe.served.exam import Answer

SIDE, COLUMNS, MOST = 112, 13, 104
"""Pixels of a tile, tiles in a row, and tiles in a sheet."""
REACH = 1.6
"""Part of the photo in a tile, in sides of the box."""

Entry = tuple[Photo, np.ndarray, float]
"""Photo, box [4] and score."""


def tile(number: int, entry: Entry) -> np.ndarray:
    """A box with its surroundings, its number, its score and the photo's kind above."""
    photo, box, score = entry
    reach = max(*(box[2:] - box[:2]), 8.0) * REACH
    zoom, middle = np.full(2, SIDE / reach), (box[:2] + box[2:]) / 2
    matrix = placed(zoom, 0.0, False, middle, np.full(2, SIDE / 2))
    image = cv2.warpAffine(photo.pixels(), matrix, (SIDE, SIDE))
    low, high = geometry.apply(matrix, box.reshape(2, 2)).astype(int).tolist()
    cv2.rectangle(image, low, high, (0, 255, 0), 1)
    text, font = f"{number} {score:.2f} {photo.kind}", cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (3, 12), font, 0.36, (255, 255, 0), 1)
    return image


def book(folder: Path, name: str, verdict: str, worst: list[Entry]) -> None:
    """Write boxes as sheets, and as lines for `reviewed.txt` that await a person's look."""
    for old in folder.glob(f"{name}-*.png"):
        old.unlink()
    tiles = [tile(number, entry) for number, entry in enumerate(worst)]
    for at in range(0, len(tiles), MOST):
        page = tiles[at : at + MOST]
        page += [np.zeros((SIDE, SIDE, 3), np.uint8)] * (-len(page) % COLUMNS)
        rows = [np.hstack(page[row : row + COLUMNS]) for row in range(0, len(page), COLUMNS)]
        cv2.imwrite(str(folder / f"{name}-{at // MOST}.png"), np.vstack(rows)[:, :, ::-1])
    lines = [review.line(photo, box, verdict) for photo, box, _ in worst]
    (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def write(folder: Path, answers: list[Answer], settings: pipeline.Settings) -> None:
    """The surest false faces first, and the largest faces missed first."""
    false: list[Entry] = []
    missed: list[Entry] = []
    for answer in answers:
        if answer.view == figures.PLAIN:
            mine, faces = pipeline.decide(answer.found, settings), answer.faces
            bad = np.flatnonzero(figures.wrong(answer, mine))
            false += [(answer.photo, mine.boxes[i], float(mine.scores[i])) for i in bad]
            lost = yunet.best_overlap(faces.boxes, mine.boxes) < figures.MATCH
            lost = np.flatnonzero(lost)
            missed += [(answer.photo, faces.boxes[i], float(faces.scores[i])) for i in lost]
    folder.mkdir(parents=True, exist_ok=True)
    book(folder, "false", review.FACE, sorted(false, key=lambda entry: -entry[2]))
    missed.sort(key=lambda entry: entry[1][0] - entry[1][2])
    book(folder, "missed", review.NONE, missed)
