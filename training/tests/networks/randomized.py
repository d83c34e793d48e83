"""Networks whose export can go wrong."""

from __future__ import annotations

import torch


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """A network whose batch norms are not the identity, so that folding them can go wrong."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 2.0)
            layer.weight.data.uniform_(0.5, 1.5)
    return model.eval()
