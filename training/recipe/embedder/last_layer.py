"""The embedder's last layer in closed form, from features of damaged views to clean targets."""

from __future__ import annotations

import numpy as np
import torch

from recipe.embedder.lessons import NO_FACE, NOT_DAMAGED
from recipe.embedder.model import Embedder, scaled

RIDGE = 1e-2
"""Pull towards the trained layer, in standardized features."""
DAMAGED = 0.3
"""Weight of a damaged view, beside 1 of a clean one."""
SHARE = 0.5
"""Share of the solution in the average with the trained layer.

The solution keeps damaged strangers apart, the trained layer knows clean faces better.
"""

Layer = tuple[np.ndarray, np.ndarray]
"""Weight [128, F] and bias [128]."""


@torch.no_grad()
def features(model: Embedder, crops: np.ndarray) -> np.ndarray:
    """The gathered map and the mean of the head [N, 1024] of crops uint8 [N, 112, 112, 3]."""
    starts = range(0, len(crops), 100)
    parts = [model.eval().features(scaled(crops[start : start + 100])) for start in starts]
    return torch.cat(parts).numpy()


def layer_of(model: Embedder) -> Layer:
    """The trained last layer."""
    weight, bias = (w.detach().numpy().astype(np.float64) for w in model.linear.parameters())
    return weight, bias


def solve(seen: np.ndarray, targets: np.ndarray, groups: np.ndarray, trained: Layer) -> Layer:
    """Weighted ridge regression from features [N, F] to targets [N, 128], around `trained`.

    Targets are scaled to the median length that the trained layer gives clean views.
    """
    x = np.column_stack([seen, np.ones(len(seen))])
    start = np.column_stack(trained)
    now = x @ start.T
    length = np.median(np.linalg.norm(now, axis=1)[groups == NOT_DAMAGED])
    weight = np.where(groups == NOT_DAMAGED, 1.0, DAMAGED) * (groups != NO_FACE)
    deviation = x.std(0) + 1e-3
    deviation[-1] = 1
    x /= deviation
    weighted = (x * weight[:, None]).T
    moment = weighted @ x + RIDGE * weight.sum() * np.eye(x.shape[1])
    change = np.linalg.solve(moment, weighted @ (targets * length - now)).T / deviation
    return (start + change)[:, :-1], (start + change)[:, -1]


def averaged(solved: Layer, trained: Layer) -> Layer:
    """The solution and the trained layer, mixed by SHARE."""
    weight, bias = (SHARE * s + (1 - SHARE) * t for s, t in zip(solved, trained))
    return weight, bias
