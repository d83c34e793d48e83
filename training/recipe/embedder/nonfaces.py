"""Crops of photographs without people: random ones, and aligned ones where a detector errs.

Writes `nonfaces.npz`: `crops` uint8 [N, 112, 112, 3] and `split` [N], by photograph.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from recipe.common import data, geometry
from recipe.detector import yunet
from recipe.embedder import views

NONFACES = data.WORK / "nonfaces.npz"
RANDOM, FOUND = 5, 3
"""Crops of a photograph: at random, and the surest false faces of each detector."""
LEAST, SEEN = 0.25, 480
"""Score from which a find counts, and the longest side at which the detectors look."""


def random_crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A turned square of any size."""
    side = np.exp(rng.uniform(np.log(24), np.log(min(image.shape[:2]))))
    matrix = cv2.getRotationMatrix2D((0, 0), rng.uniform(0, 360), views.SIDE / side)
    middle = rng.uniform(0.1, 0.9, 2) * image.shape[1::-1]
    matrix[:, 2] += views.SIDE / 2 - matrix[:, :2] @ middle
    return geometry.warp(image, matrix, views.SIDE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK, help="folder of the detector")


def execute(options: argparse.Namespace) -> None:
    """Cut the crops."""
    paths = (yunet.MODEL, options.pack / "detector.onnx")
    detectors = [yunet.Detector(path, LEAST) for path in paths]
    rng, crops, splits = np.random.default_rng(5), [], []
    for _, encoded in tqdm(list(data.read_images("negatives")), desc="nonfaces", mininterval=10):
        image = data.decode(encoded)
        if image is None:
            continue
        found = [random_crop(image, rng) for _ in range(RANDOM)]
        for detector in detectors:
            marks = detector(image, SEEN).landmarks[:FOUND]
            found += [geometry.align(image, points, views.SIDE) for points in marks]
        crops += found
        splits += [data.split_of(encoded)] * len(found)
    np.savez(NONFACES, crops=np.stack(crops), split=np.array(splits))
    print(f"nonfaces: {len(crops)} crops, by split {np.bincount(splits).tolist()}")
