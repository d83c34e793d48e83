"""What the verifier learns from: crops of what detectors find in views of photographs.

Several detectors propose at a low threshold, so that there are many wrong finds of many kinds.
What touches a doubtful box, or half a face, teaches nothing.
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

THRESHOLD = 0.1
"""Score from which a find is used."""
FACE, NONE = 0.4, 0.15
"""Overlap with a face from which a find is one, and under which it is none."""
MOST = 12
"""Finds used of one view."""
SHARD = 4000
LARGE_SIDE = 640

Example = tuple[np.ndarray, np.ndarray, bool, bool]
"""Crop, landmarks [10] in its sides, whether it is a face, whether its photo has none at all."""


def folder() -> Path:
    """Where the crops are kept."""
    return data.WORK / "verifier-crops"


def jittered(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """The transform [2, 3] of a crop, off as a detector's landmarks are; now and then turned."""
    matrix = geometry.similarity(points, geometry.template(SIDE, SCALE))
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.1 else rng.normal(0, 0.1)
    zoom = np.full(2, np.exp(rng.normal(0, 0.08)))
    center = np.full(2, (SIDE - 1) / 2)
    target = center + rng.normal(0, 0.03, 2) * SIDE
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


def examples(
    source: views.Views, detector: yunet.Detector, rng: np.random.Generator
) -> Iterator[Example]:
    """Crops of one view: what the detector finds, and some that it may have missed."""
    side = LARGE_SIDE if rng.random() < 0.08 else views.SIDE
    if rng.random() < 0.25:
        view = source.empty(rng, side)
        view.image = damaged(view.image, rng)
    else:
        view = source.sample(rng, side)
    bare = not len(view.boxes) + len(view.ignored)
    found = detector(view.image)
    points, kinds = list(found.landmarks), list(labels(view, found.boxes))
    if len(view.boxes):
        extra = rng.choice(len(view.boxes), min(2, len(view.boxes)), replace=False)
        points += list(view.landmarks[extra])
        kinds += list(extra)
    if bare and rng.random() < 0.3:
        points.append(anywhere(rng, side))
        kinds.append(-1)
    known = [index for index in rng.permutation(len(kinds)) if kinds[index] >= -1]
    for index in known[:MOST]:
        matrix = jittered(rng, points[index])
        crop = geometry.warp(view.image, matrix, SIDE)
        is_face = bool(kinds[index] >= 0)
        marks = view.landmarks[kinds[index]] if is_face else np.zeros((5, 2))
        true = geometry.apply(matrix, marks) / SIDE if is_face else marks
        yield crop, true.ravel().astype(np.float32), is_face, bare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK, help="folder with the detector")
    parser.add_argument("--detectors", type=Path, nargs="*", default=[], help="further ONNX files")
    parser.add_argument("--crops", type=int, default=100_000, help="how many to add")


def execute(options: argparse.Namespace) -> None:
    """Write shards of crops, beside those that are there."""
    cv2.setNumThreads(1)
    seed = time.time_ns()
    rng = np.random.default_rng(seed)
    source = views.Views(data.TRAIN)
    teacher = data.SHARED / "models" / "yunet_n_dynamic.onnx"
    paths = [options.pack / "detector.onnx", *options.detectors, teacher]
    detectors = [yunet.Detector(path, THRESHOLD) for path in paths]
    folder().mkdir(parents=True, exist_ok=True)
    kept: list[Example] = []
    for number in range(-(-options.crops // SHARD)):
        while len(kept) < SHARD:
            kept += examples(source, detectors[rng.integers(len(detectors))], rng)
        columns = zip(("crops", "landmarks", "faces", "bare"), map(np.array, zip(*kept)))
        temporary = folder() / f"{seed}-{number}.tmp"
        with temporary.open("wb") as file:
            np.savez(file, **dict(columns))
        temporary.rename(temporary.with_suffix(".npz"))
        kept = []
