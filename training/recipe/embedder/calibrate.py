"""Fit how much embeddings of each quality count, and the curve of Similarity.

Damaged strangers look alike, and one curve for all would let them match. So the product of both
weights scales a cosine: weights are lowered until no condition exceeds the rate that is promised
at 80, on people of the calibration split whose aligned crops are damaged.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from recipe.common import data, geometry
from recipe.embedder import calibration, damages, verification, views
from recipe.embedder.rater import CALIBRATION, Rater, Weights

PEOPLE = 450
KNOTS = np.array([0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0])
"""Qualities between which the weights are interpolated."""
LOWERED = KNOTS < 0.83
"""Weights that may fall below 1; those of good views stay."""
RATE = 0.8 * calibration.ANCHORS[80.0]
"""Rate of strangers over 80 that the fit aims at in every condition."""
STEP, ROUNDS = 0.02, 300

Rng = np.random.Generator
Hurt = Callable[[np.ndarray, Rng], np.ndarray]
CONDITIONS: dict[str, Hurt] = {
    "clean": lambda face, rng: face,
    "blur 3": lambda face, rng: damages.blurred(face, 3),
    "blur 6": lambda face, rng: damages.blurred(face, 6),
    "24 px": lambda face, rng: damages.small(face, 32),
    "JPEG 3": lambda face, rng: damages.compressed(face, 3, 1.5),
    "dark": lambda face, rng: damages.lit(face, 0.1, 0, 1),
    "mask": lambda face, rng: views.masked(face, np.random.default_rng([1])),
    "bar": lambda face, rng: damages.barred(face, rng, np.zeros(3), 22),
    "upside down": lambda face, rng: np.ascontiguousarray(face[::-1, ::-1]),
    "negative": lambda face, rng: 255 - face,
    "noise": lambda face, rng: damages.noisy(face, 50, rng),
}
"""Damages of an aligned crop."""
PLACED = {
    "squeezed": damages.around_middle(np.diag([0.72, 1.4])),
    "tilted 45": damages.around_middle(damages.turn(45)),
}
"""Affine transforms [2, 3] of the crop, cut from the wide one."""


def conditions() -> dict[str, np.ndarray]:
    """One crop [N, 112, 112, 3] of each calibration person of CelebA, in every condition."""
    faces = np.load(data.WORK / "faces.npz")
    celeba = faces["source"] == data.SOURCE_IDS["celeba-9k"]
    rows = np.flatnonzero(celeba & (faces["split"] == data.CALIBRATION))
    _, first = np.unique(faces["identity"][rows], return_index=True)
    wides = np.load(data.WORK / "crops.npy", mmap_mode="r")[rows[first][:PEOPLE]]
    clean, rng = [views.aligned(wide) for wide in wides], np.random.default_rng(9)
    crops = {name: np.stack([hurt(c, rng) for c in clean]) for name, hurt in CONDITIONS.items()}
    for name, placed in PLACED.items():
        matrix = geometry.compose(placed, views.TO_CENTER)
        crops[name] = np.stack([cv2.warpAffine(w, matrix, (views.SIDE,) * 2) for w in wides])
    return crops


def shares(quality: np.ndarray) -> np.ndarray:
    """How much of each knot [N, K] is in the interpolated weight of a quality."""
    return np.stack([np.interp(quality, KNOTS, row) for row in np.eye(len(KNOTS))], 1)


def strangers(embeddings: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of embeddings [N, D] of different people."""
    return (embeddings @ embeddings.T)[np.triu_indices(len(embeddings), 1)]


def lowered(weight: np.ndarray, parts: np.ndarray, cosine: np.ndarray, limit: float) -> np.ndarray:
    """Weights [K] under which at most RATE of one condition's pairs exceed the limit.

    `parts` [N, K] are the shares of the knots and `cosine` the pairs' cosines. Weights never fall
    with quality. Where the rounds do not suffice, they end where they are.
    """
    first, second = np.triu_indices(len(parts), 1)
    for _ in range(ROUNDS):
        mine = parts @ weight
        over = np.flatnonzero(cosine * mine[first] * mine[second] > limit)
        if len(over) <= RATE * len(cosine):
            break
        blame = (parts[first[over]] + parts[second[over]]).mean(0) / 2 * LOWERED
        blame /= max(blame.max(), 0.2)
        weight = np.minimum.accumulate((weight * (1 - STEP * blame))[::-1])[::-1]
    return weight


def fit(
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
    hurt: dict[str, tuple[np.ndarray, np.ndarray]],
) -> tuple[Weights, calibration.Curve]:
    """Weights and curve.

    `people` are embeddings, qualities and identities of clean photos; `hurt` has embeddings and
    qualities of one photo a person by condition.
    """
    embeddings, quality, identities = people
    clean, _ = calibration.all_pairs(embeddings, identities)
    limit, weight = float(np.quantile(clean, 1 - RATE)), np.ones(len(KNOTS))
    for mine, rated in hurt.values():
        weight = lowered(weight, shares(rated), strangers(mine), limit)
    weights = Weights(tuple(KNOTS.tolist()), tuple(weight.round(4).tolist()))
    worst = [np.quantile(strangers(weights(*pair)), 1 - RATE) for pair in hurt.values()]
    impostors, _ = calibration.all_pairs(weights(embeddings, quality), identities)
    curve = calibration.fit(impostors)
    return weights, calibration.raised(curve, 80.0, max(limit, *worst))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)


def execute(options: argparse.Namespace) -> None:
    """Fit both and keep them for `recipe evaluate` and `recipe pack`."""
    rater = Rater(options.pack / "embedder.onnx")
    crops, identities = verification.held_out((data.CALIBRATION,))
    hurt = {name: rater.look(crops) for name, crops in conditions().items()}
    weights, curve = fit((*rater.look(crops), identities), hurt)
    found = {
        "quality": {"cosine": weights.cosine, "weight": weights.weight},
        "calibration": {"cosine": curve.cosine, "similarity": curve.similarity},
    }
    CALIBRATION.write_text(json.dumps(found))
    print(json.dumps(found, indent=1))
