"""Random views with the teacher's features, drawn without end beside the training.

A view and its mirror image are two rows with one embedding to aim at: the direction of the sum
of both, which verifies better than either. The inner maps are each row's own.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import time
from itertools import count

import cv2
import numpy as np
from tqdm import trange

from recipe.common import data
from recipe.embedder import teacher, views

CHUNK = 32
"""Views drawn at a time; they and their mirror images fill twice as many rows."""
STEP = 1 / 20
"""Maps are kept standardized, in steps of this many standard deviations, up to 6 on either side."""
SHARPER = {
    "utkface": 2.0,
    "synthetic-faces": 4.0,
    "masks": 1.5,
    "fer-emotions": 0.25,
    "identities": 0.0,
}
"""How often a source is drawn, relative to its faces: clear photos more, tiny gray ones less.

The labeled people of `identities` come in when the last layer is solved.
"""
MOST_LOOKS = 4
"""How often a row may be used on average; with more, the network memorizes the rows."""


def shared(shape: tuple[int, ...], kind: type) -> np.ndarray:
    """An array in memory that a forked process shares."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    return np.frombuffer(mmap.mmap(-1, size), kind).reshape(shape)


def train_chances() -> np.ndarray:
    """The probability with which each face is drawn; 0 for held-out ones."""
    faces = np.load(data.WORK / "faces.npz")
    chances = (faces["split"] == data.TRAIN).astype(float)
    for name, more in SHARPER.items():
        chances[faces["source"] == data.SOURCE_IDS[name]] *= more
    return chances / chances.sum()


class Bank:
    """The newest rows: views [R, 112, 112, 3], unit targets [R, 128], maps [R, C, H, W]."""

    def __init__(self, rows: int = 24_000):
        self.rows = rows
        self.views = shared((rows, views.SIDE, views.SIDE, 3), np.uint8)
        self.targets = shared((rows, 128), np.float32)
        self.maps = [shared((rows, *shape), np.int8) for shape in teacher.MAPS.values()]
        self.written, self.taken = shared((1,), np.int64), 0

    @property
    def count(self) -> int:
        """How many rows are filled."""
        return min(int(self.written[0]), self.rows)

    def take(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Numbers of random rows; waits when the rows have been used too often."""
        self.taken += size
        while self.taken > MOST_LOOKS * self.written[0]:
            time.sleep(0.1)
        return rng.integers(0, self.count, size)

    def put(self, crops: np.ndarray, targets: np.ndarray, maps: list[np.ndarray]) -> None:
        """Write rows over the oldest ones."""
        at = (int(self.written[0]) + np.arange(len(crops))) % self.rows
        self.views[at], self.targets[at] = crops, targets
        for mine, values in zip(self.maps, maps):
            mine[at] = values
        self.written[0] += len(crops)

    def fill(self, seed: int) -> None:
        """Draw views forever, at low priority."""
        os.nice(10)
        cv2.setNumThreads(1)
        teach, chances, measured = teacher.Teacher(CHUNK), train_chances(), measure()
        wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        for number in count():
            rng = np.random.default_rng([3, seed, number])
            pairs = rng.choice(len(chances), (CHUNK, 2), p=chances)
            crops = np.stack(
                [views.view(wides[first], wides[second], rng) for first, second in pairs]
            )
            mirrored = np.ascontiguousarray(crops[:, :, ::-1])
            (one, maps), (other, mirrored_maps) = teach.look(crops), teach.look(mirrored)
            target = one + other
            target /= np.linalg.norm(target, axis=1, keepdims=True)
            for rows, seen in ((crops, maps), (mirrored, mirrored_maps)):
                steps = [
                    (m - mean) / (deviation * STEP) for m, (mean, deviation) in zip(seen, measured)
                ]
                self.put(
                    rows, target, [np.clip(np.rint(s), -127, 127).astype(np.int8) for s in steps]
                )

    def start(self, seed: int) -> None:
        """Fork a process that fills, and wait for a first tenth; call it before threads start."""
        process = multiprocessing.get_context("fork").Process(
            target=self.fill, args=(seed,), daemon=True
        )
        process.start()
        for wanted in trange(0, self.rows // 10, 256, desc="bank", mininterval=5):
            while self.count < wanted:
                process.join(0.2)
                if not process.is_alive():
                    raise SystemExit("the bank's process died; its error stands above")


def measure(faces: int = 512) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and standard deviation [C, 1, 1] of each map over some training faces."""
    wides, chances = np.load(data.WORK / "crops.npy", mmap_mode="r"), train_chances()
    chosen = np.random.default_rng(0).choice(len(chances), faces, p=chances)
    crops, teach = np.stack([views.aligned(wides[i]) for i in chosen]), teacher.Teacher(CHUNK)
    looks = [teach.look(crops[i : i + CHUNK])[1] for i in range(0, faces, CHUNK)]
    whole = [np.concatenate(parts) for parts in zip(*looks)]
    return [
        (m.mean((0, 2, 3))[:, None, None], m.std((0, 2, 3))[:, None, None] + 1e-3) for m in whole
    ]
