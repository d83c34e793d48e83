"""Ridge logistic regression on a few features."""

from __future__ import annotations

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def fit_logistic(
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | float = 1.0,
    ridge: float = 1e-4,
    steps: int = 30,
) -> np.ndarray:
    """Coefficients (bias last) of a weighted ridge logistic regression, by Newton's method."""
    x = np.column_stack([x, np.ones(len(x))])
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = sigmoid(x @ weights)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x / len(x) + ridge * np.eye(x.shape[1])
        weights -= np.linalg.solve(hessian, x.T @ (weight * (p - y)) / len(x) + ridge * weights)
    return weights
