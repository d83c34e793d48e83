"""Quality: the cosine that an embedding is expected to have to that of the clean face.

A logistic regression on the features and on random rectified ones (Rahimi and Recht, "Weighted
sums of random kitchen sinks", 2008). It fits into two layers, and needs no training by gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recipe.common.logistic import fit_logistic
from recipe.embedder.last_layer import Layer
from recipe.embedder.lessons import NO_FACE
from recipe.embedder.model import HIDDEN

NO_FACE_WEIGHT = 1.5
RIDGE, STEPS = 1e-3, 7


@dataclass(frozen=True)
class Fit:
    """Standardization [F], random features [H, F] and [H], coefficients [F + H + 1], bias last."""

    mean: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    coefficients: np.ndarray

    def logits(self, seen: np.ndarray) -> np.ndarray:
        """Log odds [N] of the quality, of features [N, F]."""
        return basis(seen, self) @ self.coefficients[:-1] + self.coefficients[-1]


def basis(seen: np.ndarray, fit: Fit) -> np.ndarray:
    """The standardized features and the random ones [N, F + H]."""
    z = (seen - fit.mean) / fit.deviation
    return np.column_stack([z, np.maximum(z @ fit.weight.T + fit.offset, 0)])


def wanted(seen: np.ndarray, targets: np.ndarray, groups: np.ndarray, layer: Layer) -> np.ndarray:
    """Cosine [N] of the layer's embedding to the target, 0..1; 0 where there is no face."""
    y = seen @ layer[0].T + layer[1]
    cosine = (y * targets).sum(1) / np.linalg.norm(y, axis=1)
    return np.where(groups == NO_FACE, 0, np.clip(cosine, 0, 1))


def fit(seen: np.ndarray, cosine: np.ndarray, groups: np.ndarray) -> Fit:
    """The quality of features [N, F] whose cosines [N] are known."""
    rng, width = np.random.default_rng(1), seen.shape[1]
    random = rng.normal(size=(HIDDEN, width)) / np.sqrt(width), rng.normal(size=HIDDEN) * 0.7
    blank = Fit(seen.mean(0), seen.std(0) + 1e-3, *random, np.zeros(0))
    weight = np.where(groups == NO_FACE, NO_FACE_WEIGHT, 1.0)
    coefficients = fit_logistic(basis(seen, blank), cosine, weight, RIDGE, STEPS)
    return Fit(blank.mean, blank.deviation, *random, coefficients)


@torch.no_grad()
def layers(fit: Fit) -> nn.Sequential:
    """The fit as two linear layers around a ReLU: what is linear passes as its two halves."""
    width, hidden = len(fit.mean), len(fit.offset)
    linear, rectified, bias = np.split(fit.coefficients, [width, width + hidden])
    through = (linear / fit.deviation)[None]
    random = fit.weight / fit.deviation
    shift = fit.offset - random @ fit.mean
    away = -(through @ fit.mean)
    network = nn.Sequential(nn.Linear(width, hidden + 2), nn.ReLU(), nn.Linear(hidden + 2, 1))
    network[0].weight.copy_(tensor(np.concatenate([random, through, -through])))
    network[0].bias.copy_(tensor(np.concatenate([shift, away, -away])))
    network[2].weight.copy_(tensor(np.concatenate([rectified, [1, -1]]))[None])
    network[2].bias.copy_(tensor(bias))
    return network


def tensor(values: np.ndarray) -> Tensor:
    """A float32 tensor."""
    return torch.from_numpy(np.asarray(values)).float()
