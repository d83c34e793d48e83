"""Muon: momentum whose update of each weight matrix is made orthogonal (Jordan et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the Newton-Schulz iteration from the reference implementation."""


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """About the orthogonal matrix nearest to `matrix` [rows, columns], in bfloat16."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    a, b, c = QUINTIC
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """For convolution weights, taken as matrices [outputs, rest].

    Updates are scaled to the size that AdamW's have (Liu et al., 2025), so that both can share
    one learning rate.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
    ):
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of every weight."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad + group["momentum"] * mean
                update = orthogonal(ahead.reshape(len(ahead), -1))
                size = 0.2 * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * size)
