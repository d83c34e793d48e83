"""Views whose target is the teacher's vector of the clean, upright face.

Some views suffer one damage alike, as the photos of one camera do; some show no face.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recipe.common import data
from recipe.embedder import damages, views
from recipe.embedder.nonfaces import NONFACES
from recipe.embedder.targets import TARGETS

CLEAN, GROUPS, GROUP, NO_FACES = 1200, 50, 14, 100
"""Views of one lesson: without a drawn damage, damages and the faces of each, crops of no face."""
NOT_DAMAGED, NO_FACE = -1, -2
"""Groups of the views that share no damage."""
SHARES = {
    "celeba-9k": 1.5,
    "synthetic-faces": 2.0,
    "film-faces": 0.5,
    "fer-emotions": 0.05,
    "identities": 1.2,
}
"""How often a source is drawn, relative to its faces."""
PERSON = 0.5
"""How far the target of a labeled face moves towards the mean of its person."""
CERTAIN = 0.6
"""Detector score from which a cached face is used."""


@dataclass(frozen=True)
class Lesson:
    """Crops uint8 [N, 112, 112, 3], unit targets [N, 128] (0 for no face), groups [N].

    A group is NOT_DAMAGED, NO_FACE, or the number of the damage that its views share.
    """

    crops: np.ndarray
    targets: np.ndarray
    groups: np.ndarray


def towards_person(targets: np.ndarray, identity: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Targets of labeled faces among the `known` moved towards the mean of their person."""
    moved = targets.copy()
    rows = np.flatnonzero((identity >= 0) & known)
    _, person = np.unique(identity[rows], return_inverse=True)
    total = np.zeros((person.max(initial=-1) + 1, targets.shape[1]), np.float32)
    np.add.at(total, person, targets[rows])
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6)
    moved[rows] += PERSON * total[person]
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def chances(faces: Mapping[str, np.ndarray]) -> np.ndarray:
    """The probability with which each cached face is drawn; 0 for held-out ones."""
    trains = (faces["split"] == data.TRAIN) & (faces["score"] > CERTAIN)
    masks = faces["source"] == data.SOURCE_IDS["masks"]
    trains &= ~(masks & np.char.startswith(faces["name"], "with_mask"))  # nobody saw them clean
    weight = trains.astype(float)
    for name, more in SHARES.items():
        weight[faces["source"] == data.SOURCE_IDS[name]] *= more
    return weight / weight.sum()


class Lessons:
    """Numbered lessons over the training faces; each face comes once before any comes again."""

    def __init__(self) -> None:
        faces = np.load(data.WORK / "faces.npz")
        trains = faces["split"] == data.TRAIN
        self.wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.targets = towards_person(np.load(TARGETS), faces["identity"], trains)
        drawn = chances(faces)
        used, rng = int((drawn > 0).sum()), np.random.default_rng(77)
        self.order = rng.choice(len(drawn), used, replace=False, p=drawn)
        nonfaces = np.load(NONFACES)
        self.nonfaces = nonfaces["crops"][nonfaces["split"] == data.TRAIN]

    def view(self, row: int, damage: damages.Damage | None, rng: np.random.Generator) -> np.ndarray:
        """One view of a cached face."""
        return damages.view(self.wides[row], damage, 0.6 if damage is None else 0.3, rng)

    def nonface(self, row: int, rng: np.random.Generator) -> np.ndarray:
        """One view of a crop without a face."""
        crop = views.damaged(self.nonfaces[row], rng)
        return damages.draw(rng).paint(crop, rng) if rng.random() < 0.3 else crop

    def lesson(self, number: int) -> Lesson:
        """The same views for the same number; groups count on from lesson to lesson."""
        rng, faces = np.random.default_rng([5, number]), CLEAN + GROUPS * GROUP
        rows = np.take(self.order, np.arange(faces) + number * faces, mode="wrap")
        drawn = [damages.draw(rng) for _ in range(GROUPS)]
        shared = [None] * CLEAN + [damage for damage in drawn for _ in range(GROUP)]
        crops = [self.view(row, damage, rng) for row, damage in zip(rows, shared)]
        chosen = rng.integers(0, len(self.nonfaces), NO_FACES)
        crops += [self.nonface(row, rng) for row in chosen]
        targets = np.zeros((len(crops), self.targets.shape[1]), np.float32)
        targets[:faces] = self.targets[rows]
        numbers = np.repeat(np.arange(GROUPS) + number * GROUPS, GROUP)
        ends = np.full(CLEAN, NOT_DAMAGED), np.full(NO_FACES, NO_FACE)
        return Lesson(np.stack(crops), targets, np.concatenate([ends[0], numbers, ends[1]]))
