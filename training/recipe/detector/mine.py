"""Find what a detector wrongly takes for faces in the photographs that it learns from."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recipe.common import data
from recipe.detector import photographs, yunet

WRONG = 0.3
"""Score from which a find where no face is deserves another look."""
APART = 0.2
"""A find that overlaps a face or a doubt less than this is wrong."""
MINED = ("negatives", "scenes", "backgrounds")
SIDE = 512
"""Longest side, in pixels, at which photos are searched."""


def phantoms(detector: yunet.Detector, photo: photographs.Photo) -> np.ndarray:
    """Boxes [N, 4] that the detector sees, upright and turned by half, where no face is."""
    image = photo.pixels()
    height, width = image.shape[:2]
    upright = detector(image, SIDE)
    over = detector(np.ascontiguousarray(image[::-1, ::-1]), SIDE)
    back = over.boxes[:, [2, 3, 0, 1]] * -1 + [width, height, width, height]
    boxes = np.concatenate([upright.boxes, back])
    taken = photo.faces.boxes
    if not photo.empty:
        taken = np.concatenate([taken, photo.doubts.boxes])
    apart = [box for box in boxes if not len(taken) or yunet.overlap(box, taken).max() < APART]
    return np.array(apart).reshape(-1, 4)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK, help="folder with the detector")


def execute(options: argparse.Namespace) -> None:
    """Search every photo, and keep what was wrong for the next views."""
    detector = yunet.Detector(options.pack / "detector.onnx", WRONG)
    found = {}
    for collection in photographs.COLLECTIONS:
        if collection.name in MINED:
            photos = photographs.photos(collection, data.TRAIN)
            for photo in tqdm(photos, desc=collection.name, mininterval=10):
                boxes = phantoms(detector, photo)
                if len(boxes):
                    found[photo.collection, photo.name] = boxes
    (data.WORK / "mined.pickle").write_bytes(pickle.dumps(found))
    count = sum(map(len, found.values()))
    print(f"{count} wrong finds in {len(found)} photos")
