"""Views of faces, and of faces between two, with the teacher's vector of the clean ones.

A face is drawn, or mixed from two: that makes new people without end. The target is the teacher's
vector of it clean and upright, summed with that of its mirror image; the student sees two views of
it, the second one often damaged.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from recipe.common import data
from recipe.embedder import damages, teacher, views
from recipe.embedder.lessons import chances, towards_person
from recipe.embedder.targets import TARGETS

FACES, MIXED = 24, 8
"""Faces of a batch, and those among them that are mixed from two."""
VIEWS = ((0.25, 0.0), (0.6, 0.35))
"""The views of a face: the chance of the damage of common photos, and that of a drawn one."""
BATCH = FACES * len(VIEWS)
DAMAGED = 0.3
"""What a view with a drawn damage counts beside the others."""


class Morphs(IterableDataset):
    """An endless stream of batches.

    `views` uint8 [N, 112, 112, 3], `targets` unit vectors [N, 128], and `weights` [N].
    """

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(1)
        rng, teach = np.random.default_rng(self.seed), teacher.Teacher(MIXED)
        names = ("split", "score", "source", "name", "identity")
        with np.load(data.WORK / "faces.npz") as stored:
            faces = {name: stored[name] for name in names}
        wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        known = towards_person(np.load(TARGETS), faces["identity"], faces["split"] == data.TRAIN)
        bounds = np.cumsum(chances(faces))
        while True:
            rows = np.searchsorted(bounds, rng.random((FACES, 2)) * bounds[-1])
            mixes = [
                views.mixed(wides[first], wides[second][:, :: rng.choice([1, -1])], rng)
                for first, second in rows[:MIXED]
            ]
            shown = [*mixes, *(np.asarray(wides[row]) for row in rows[MIXED:, 0])]
            targets = known[rows[:, 0]]
            aligned = np.stack([views.aligned(wide) for wide in mixes])
            targets[:MIXED] = teacher.mirrored(teach, aligned)
            crops, weights = [], []
            for wide in shown:
                for spoiled, drawn in VIEWS:
                    damage = damages.draw(rng) if rng.random() < drawn else None
                    crops.append(damages.view(wide, damage, spoiled, rng))
                    weights.append(1.0 if damage is None else DAMAGED)
            yield {
                "views": torch.from_numpy(np.stack(crops)),
                "targets": torch.from_numpy(np.repeat(targets, len(VIEWS), 0)),
                "weights": torch.tensor(weights),
            }


def stream(seed: int) -> Iterator[dict[str, Tensor]]:
    """Batches, drawn by a process of their own."""
    return iter(DataLoader(Morphs(seed), None, num_workers=1, prefetch_factor=6))
