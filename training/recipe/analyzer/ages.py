"""Calibration by the age that the network sees: sharpness of ages, and an offset for the sex.

All of it is piecewise linear in the expected age, so that the graph stays small.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipe.analyzer.spec import AGE_RANGE, AGES
from recipe.common.logistic import fit_logistic

YEARS = torch.arange(float(AGES))
KNOTS = torch.arange(0, 101, 10.0)
"""Ages between which the offset of the age logits is interpolated."""
SEEN = torch.tensor([3.0, 15.0, 25.0, 45.0, 58.0, 70.0])
"""Expected ages between which the sharpness is interpolated."""
SEX_SEEN = torch.tensor([5.0, 20.0, 45.0, 65.0])
"""Expected ages between which the offset of the sex is interpolated."""
BANDS = np.array([13, 20, 30, 45, 60])
"""Ages that part the bands which weigh alike."""
COVERED, BIAS = 0.82, 0.01
"""Share of ages that is to lie in AgeRange, and the weight of a band's mean error."""
SHARPNESS = np.geomspace(0.3, 2.5, 80)
"""Factors of the logits among which the sharpness is sought."""


def hats(x: Tensor, knots: Tensor) -> Tensor:
    """Weights [N, K] of the knots in the linear interpolation at x [N, 1]."""
    x = x.clamp(float(knots[0]), float(knots[-1]))
    parts = ((x - knots[:-1]) / (knots[1:] - knots[:-1])).clamp(0, 1)
    one = torch.ones_like(x)
    return torch.cat([one, parts], 1) - torch.cat([parts, torch.zeros_like(x)], 1)


def bands_of(years: np.ndarray) -> np.ndarray:
    """The band [N] of each age."""
    return np.searchsorted(BANDS, years, "right")


def even(groups: np.ndarray, least: int = 1) -> np.ndarray:
    """Weights of mean 1 that make groups equally heavy; smaller ones than `least` count less."""
    weight = 1 / np.maximum(np.bincount(groups), least)[groups]
    return weight / weight.mean()


def expected(logits: Tensor) -> Tensor:
    """Expected age [N, 1] of logits [N, 101]."""
    return functional.softmax(logits, 1) @ YEARS[:, None]


def minimize(parameters: list[Tensor], loss, steps: int = 60) -> None:
    """Minimize a loss over a few numbers."""
    optimizer = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def age_range(distribution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ages at both quantiles of each distribution [N, 101], at least a year apart."""
    below = np.cumsum(distribution, 1)
    low, high = ((below < quantile).sum(1) for quantile in AGE_RANGE)
    return low, np.maximum(high, low + 1)


def fit_ages(logits: Tensor, years: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Scale [1] and offset [101] of the logits, and the sharpness at SEEN [K].

    Bands of ages weigh alike. The sharpness is the largest with which AgeRange still covers
    COVERED of the ages near each knot.
    """
    band = bands_of(years)
    weight, target = even(band), torch.from_numpy(years).float()
    weights, between = torch.from_numpy(weight).float(), hats(YEARS[:, None], KNOTS).T
    scale, knots = torch.ones(1, requires_grad=True), torch.zeros(len(KNOTS), requires_grad=True)
    groups = [torch.from_numpy(np.flatnonzero(band == number)) for number in np.unique(band)]

    def loss() -> Tensor:
        z = logits * scale + knots @ between
        each = functional.cross_entropy(z, target.round().long(), reduction="none")
        error = expected(z)[:, 0] - target
        bias = sum(error[group].mean().square() for group in groups)
        return (each * weights).mean() + 3e-3 * knots.square().sum() + BIAS * bias

    minimize([scale, knots], loss, 80)
    z = (logits * scale + knots @ between).detach()
    near, hit = hats(expected(z), SEEN).numpy(), []
    for factor in SHARPNESS:
        low, high = age_range(functional.softmax(z * float(factor), 1).numpy())
        hit.append((low <= years) & (years <= high))
    heavy = weight[:, None] * near
    shares = np.array(hit) @ heavy / np.maximum(heavy.sum(0), 1e-9)
    sharp = [covering(share) for share in shares.T]
    return scale.detach(), (knots @ between).detach(), torch.tensor(sharp)


def covering(share: np.ndarray) -> float:
    """The sharpness at which the covered share, one for each of SHARPNESS, falls to COVERED."""
    falling = np.minimum.accumulate(share)
    return float(np.exp(np.interp(-COVERED, -falling, np.log(SHARPNESS))))


def calibrated(
    logits: Tensor, scale: Tensor, offset: Tensor, sharp: Tensor
) -> tuple[Tensor, Tensor]:
    """Probabilities [N, 101], and the expected age [N, 1] before they are sharpened."""
    z = logits * scale + offset
    seen = expected(z)
    return functional.softmax(z * (hats(seen, SEEN) @ sharp)[:, None], 1), seen


def fit_sex(
    logit: np.ndarray, seen: Tensor, male: np.ndarray, years: np.ndarray, known: np.ndarray
) -> tuple[float, Tensor]:
    """Scale of the logit [N] and its offsets at SEX_SEEN, each sex and band of ages alike.

    Those whose age is not `known` are a band of their own.
    """
    band = np.where(known, bands_of(years), len(BANDS) + 1)
    weight = even(2 * band + male, 20)
    x = np.column_stack([logit, hats(seen, SEX_SEEN).numpy()]).astype(np.float64)
    scale, *offsets, bias = fit_logistic(x, male.astype(np.float64), weight, ridge=2e-3)
    return float(scale), torch.tensor(offsets).float() + bias
