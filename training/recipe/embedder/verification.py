"""Face verification on held-out CelebA identities."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from recipe.common import data
from recipe.embedder import views


def held_out(
    splits: tuple[int, ...] = (data.CALIBRATION, data.TEST),
) -> tuple[np.ndarray, np.ndarray]:
    """Aligned crops [N, 112, 112, 3] and identities [N] of the CelebA faces in `splits`."""
    faces = np.load(data.WORK / "faces.npz")
    celeba = faces["source"] == data.SOURCE_IDS["celeba-9k"]
    index = np.flatnonzero(celeba & np.isin(faces["split"], splits))
    wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
    return np.stack([views.aligned(wides[i]) for i in index]), faces["identity"][index]


def pairs(identities: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of one person and as many random pairs of two: index [P, 2], same [P]."""
    by_person: dict[int, list[int]] = {}
    for index, person in enumerate(identities.tolist()):
        by_person.setdefault(person, []).append(index)
    same = [pair for members in by_person.values() for pair in combinations(members, 2)]
    rng, other = np.random.default_rng(seed), []
    while len(other) < len(same):
        first, second = rng.integers(0, len(identities), 2)
        if identities[first] != identities[second]:
            other.append((first, second))
    return np.array(same + other), np.arange(2 * len(same)) < len(same)


def accuracy(embeddings: np.ndarray, index: np.ndarray, same: np.ndarray, folds: int = 10) -> float:
    """Verification accuracy 0..1, the threshold chosen on the other folds, as LFW does it."""
    cosine = np.einsum("ij,ij->i", embeddings[index[:, 0]], embeddings[index[:, 1]])
    fold = np.random.default_rng(0).permutation(len(same)) % folds
    right = 0
    for number in range(folds):
        rest = fold != number
        grid = np.sort(cosine[rest])
        misses = np.searchsorted(np.sort(cosine[rest & same]), grid)
        accepts = (rest & ~same).sum() - np.searchsorted(np.sort(cosine[rest & ~same]), grid)
        threshold = grid[np.argmin(misses + accepts)]
        right += ((cosine[~rest] >= threshold) == same[~rest]).sum()
    return right / len(same)
