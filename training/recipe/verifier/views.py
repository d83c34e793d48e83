"""What the verifier learns from: crops of what detectors find in views of photographs.

Several detectors propose at a low threshold, so that there are many wrong finds of many kinds. Half
the views show a whole photo, as the server sees it. What touches a doubtful box, or half a face,
teaches nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from recipe.common import data, geometry
from recipe.detector import views, yunet
from recipe.detector.damage import damaged
from recipe.verifier.spec import SCALE, SIDE

THRESHOLD = 0.07
"""Score from which a find is used."""
FACE, NONE = 0.4, 0.15
"""Overlap with a face from which a find is one, and under which it is none."""
MOST_FACES, MOST_WRONG = 8, 20
"""Faces and wrong finds used of one view."""
SHARD = 4000
WHOLE_SIDE = 640
"""Side of the view of a whole photo, in pixels."""
KINDS = {"whole": 0.5, "empty": 0.15, "part": 0.35}
"""How often a view shows a whole photo, part of one without faces, or any part of one."""
BARE, HARD = 0.35, 0.2
"""Shares of whole photos without faces, and of those in which mining found something."""

Example = tuple[np.ndarray, np.ndarray, bool, bool]
"""Crop, landmarks [10] in its sides, whether it is a face, whether it surely is none.

It surely is none where its photo has no face, or where a person looked at it.
"""


def folder() -> Path:
    """Where the crops are kept."""
    return data.WORK / "verifier-crops"


def jittered(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """The transform [2, 3] of a crop, often off as a detector's landmarks are; rarely turned."""
    matrix = geometry.similarity(points, geometry.template(SIDE, SCALE))
    if rng.random() < 0.35:
        return matrix
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.08 else rng.normal(0, 0.1)
    zoom = np.full(2, np.exp(rng.normal(0, 0.08)))
    center = np.full(2, (SIDE - 1) / 2)
    target = center + rng.normal(0, 0.02, 2) * SIDE
    return geometry.compose(views.placed(zoom, angle, False, center, target), matrix)


def labels(view: views.View, boxes: np.ndarray) -> np.ndarray:
    """For each box the number of its face, -1 for none, -2 for what decides nothing."""
    result = np.full(len(boxes), -2)
    for index, box in enumerate(boxes):
        faces = yunet.overlap(box, view.boxes) if len(view.boxes) else np.zeros(1)
        doubts = yunet.overlap(box, view.ignored) if len(view.ignored) else np.zeros(1)
        if faces.max() >= FACE:
            result[index] = int(faces.argmax())
        elif max(faces.max(), doubts.max()) < NONE:
            result[index] = -1
    return result


def anywhere(rng: np.random.Generator, side: int) -> np.ndarray:
    """Landmarks [5, 2] of a face of any size, place and turn."""
    size = np.full(2, np.exp(rng.uniform(np.log(14), np.log(side * 0.8))))
    angle, target = rng.uniform(-np.pi, np.pi), rng.random(2) * side
    matrix = views.placed(size, angle, False, np.full(2, 0.5), target)
    return geometry.apply(matrix, geometry.template(1))


def whole(source: views.Views, rng: np.random.Generator) -> views.View:
    """A view of a whole photo at a size that the server sees."""
    if rng.random() < BARE:
        pool = source.hard if source.hard and rng.random() < 2 * HARD else source.bare
        photo = pool[rng.integers(len(pool))]
    elif source.hard_full and rng.random() < HARD:
        photo = source.hard_full[rng.integers(len(source.hard_full))]
    else:
        photo = source.full[rng.choice(len(source.full), p=source.chance)]
    image = source.decoded(photo)
    share = 0.94 if rng.random() < 0.3 else np.exp(rng.uniform(np.log(0.45), np.log(1.05)))
    zoom = share * WHOLE_SIDE / max(image.shape[:2])
    view = views.View(np.zeros((WHOLE_SIDE, WHOLE_SIDE, 3), np.uint8))
    if rng.random() < 0.3:
        view = views.View(source.canvas(rng, WHOLE_SIDE))
    target = WHOLE_SIDE / 2 + rng.normal(0, 12, 2)
    source.show(view, photo, image, zoom, np.array(image.shape[1::-1]) / 2, target, rng)
    if rng.random() < 0.5:
        view.image = damaged(view.image, rng)
    return view


def drawn(source: views.Views, rng: np.random.Generator) -> views.View:
    """A view of one of the kinds."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    if kind == "whole":
        return whole(source, rng)
    if kind == "part":
        return source.sample(rng)
    view = source.empty(rng, views.SIDE)
    view.image = damaged(view.image, rng)
    return view


def examples(
    source: views.Views, detector: yunet.Detector, rng: np.random.Generator, wrong: int
) -> Iterator[Example]:
    """Crops of one view: what the detector finds, and some that it may have missed.

    `wrong` is how many wrong finds are used at the most.
    """
    view = drawn(source, rng)
    bare = not len(view.boxes) + len(view.ignored)
    found = detector(view.image)
    points, kinds = list(found.landmarks), labels(view, found.boxes)
    order = rng.permutation(len(kinds))
    sure = yunet.best_overlap(found.boxes, view.wrong) >= FACE
    used = [(points[i], kinds[i], False) for i in order if kinds[i] >= 0][:MOST_FACES]
    used += [(points[i], -1, bare or sure[i]) for i in order if kinds[i] == -1][:wrong]
    if len(view.boxes) and rng.random() < 0.5:
        face = int(rng.integers(len(view.boxes)))
        used.append((view.landmarks[face], face, False))
    if bare and rng.random() < 0.25:
        used.append((anywhere(rng, len(view.image)), -1, True))
    for marks, face, is_sure in used:
        matrix = jittered(rng, marks)
        crop = geometry.warp(view.image, matrix, SIDE)
        true = np.zeros((5, 2))
        if face >= 0:
            true = geometry.apply(matrix, view.landmarks[face]) / SIDE
        yield crop, true.ravel().astype(np.float32), bool(face >= 0), bool(is_sure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK, help="folder with the detector")
    parser.add_argument("--detectors", type=Path, nargs="*", default=[], help="further ONNX files")
    parser.add_argument("--crops", type=int, default=270_000, help="how many to add")
    parser.add_argument("--wrong", type=int, default=MOST_WRONG, help="wrong finds of one view")


def execute(options: argparse.Namespace) -> None:
    """Write shards of crops, beside those that are there."""
    cv2.setNumThreads(1)
    seed = time.time_ns()
    rng = np.random.default_rng(seed)
    source = views.Views(data.TRAIN)
    paths = [options.pack / "detector.onnx", *options.detectors, yunet.MODEL]
    detectors = [yunet.Detector(path, THRESHOLD) for path in paths]
    folder().mkdir(parents=True, exist_ok=True)
    kept: list[Example] = []
    for number in range(-(-options.crops // SHARD)):
        while len(kept) < SHARD:
            kept += examples(source, detectors[rng.integers(len(detectors))], rng, options.wrong)
        columns = zip(("crops", "landmarks", "faces", "sure"), map(np.array, zip(*kept)))
        temporary = folder() / f"{seed}-{number}.tmp"
        with temporary.open("wb") as file:
            np.savez(file, **dict(columns))
        temporary.rename(temporary.with_suffix(".npz"))
        kept = []
