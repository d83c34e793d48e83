"""From cosine to Similarity 0..100, so that 80 and 99 stand for known false-match rates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LEVELS = (70, 80, 90, 95, 99)
ANCHORS = {80.0: 1e-3, 85.0: 2.98e-4, 90.0: 8.86e-5, 95.0: 2.64e-5, 99.0: 1e-5}
"""False-match rate promised at each Similarity: log-linear from 80 to 99."""
MARGIN = 0.5
"""The fit aims below the promise by this factor, as other people will be measured."""
TAIL = np.geomspace(1e-2, 1e-4, 9)
"""Rates that have enough pairs to carry the extrapolation to rarer ones."""


@dataclass(frozen=True)
class Curve:
    """A monotone, piecewise linear map, flat beyond its ends."""

    cosine: tuple[float, ...]
    similarity: tuple[float, ...]

    def __call__(self, cosine: np.ndarray) -> np.ndarray:
        """Similarity of cosines."""
        return np.interp(cosine, self.cosine, self.similarity)


def all_pairs(embeddings: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all pairs of two people, and of all pairs of one."""
    first, second = np.triu_indices(len(embeddings), 1)
    cosine = (embeddings @ embeddings.T)[first, second]
    same = identities[first] == identities[second]
    return cosine[~same], cosine[same]


def fit(impostors: np.ndarray) -> Curve:
    """The curve for which the impostors' rates keep the promises of ANCHORS.

    Thresholds are empirical quantiles; where pairs are few, a quadratic through the logarithm
    of the rates in TAIL is used instead if it is stricter.
    """
    observed = np.quantile(impostors, 1 - TAIL)
    tail = np.polyfit(-np.log10(TAIL), observed, 2)
    cosine, similarity = [-1.0, 0.0], [0.0, 0.0]
    for level, promised in ANCHORS.items():
        rate = promised * MARGIN
        threshold = float(np.quantile(impostors, 1 - rate))
        if rate < TAIL[-1]:
            threshold = max(threshold, float(np.polyval(tail, -np.log10(rate))))
        cosine.append(min(max(threshold, cosine[-1] + 0.005), 0.99))
        similarity.append(level)
    cosine, similarity = [*cosine, 1.0], [*similarity, 100.0]
    if any(low >= high for low, high in pairwise(cosine)):
        raise ValueError(f"the thresholds do not rise: {cosine}")
    return Curve(tuple(round(value, 4) for value in cosine), tuple(similarity))


def raised(curve: Curve, level: float, cosine: float) -> Curve:
    """The curve moved so that `level` is at `cosine`; its ends stay."""
    change = cosine - curve.cosine[curve.similarity.index(level)]
    moved = [round(value + change, 4) for value in curve.cosine[2:-1]]
    return Curve((*curve.cosine[:2], *moved, curve.cosine[-1]), curve.similarity)


def table(curve: Curve, impostors: np.ndarray, genuine: np.ndarray) -> list[dict[str, float]]:
    """Measured false-match and miss rate at each level of LEVELS."""
    false, true = np.sort(curve(impostors)), np.sort(curve(genuine))
    rows = []
    for level in LEVELS:
        accepted = len(false) - int(np.searchsorted(false, level))
        missed = int(np.searchsorted(true, level))
        rows.append(
            {
                "similarity": level,
                "false_matches": accepted,
                "impostor_pairs": len(false),
                "fmr": accepted / len(false),
                "misses": missed,
                "genuine_pairs": len(true),
                "fnmr": missed / len(true),
            }
        )
    return rows
