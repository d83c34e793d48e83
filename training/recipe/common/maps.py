"""A teacher's inner maps: what students of the same shape are taught by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

LEAST = 0.02
"""Least variance of a channel, as a share of the map's mean square: nearly silent ones would count
for more than all others."""


def shown(source: Path, names: list[str], path: Path) -> Path:
    """A copy at `path` of the network at `source` with these inner maps as its outputs."""
    model = onnx.load(source)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def tensor(map_: np.ndarray) -> Tensor:
    """A map [N, C, H, W] with its channels last in memory, as the convolutions like it."""
    return torch.from_numpy(map_).contiguous(memory_format=torch.channels_last)


def variances(looks: list[list[Tensor]]) -> list[Tensor]:
    """The variances of each map over some looks."""
    return [variance(parts) for parts in zip(*looks)]


def variance(parts: tuple[Tensor, ...]) -> Tensor:
    """The variance [1, C, 1, 1] of each channel over the parts of a map."""
    number = sum(part[:, 0].numel() for part in parts)
    square = sum(part.square().sum((0, 2, 3), keepdim=True) for part in parts) / number
    mean = sum(part.sum((0, 2, 3), keepdim=True) for part in parts) / number
    return (square - mean.square()).clamp(min=LEAST * square.mean().item())


def distances(
    mine: list[Tensor],
    wanted: list[Tensor],
    scale: list[Tensor],
    weight: Tensor | float = 1.0,
) -> Tensor:
    """The share of the variance `scale` that each of `mine` leaves open of the wanted map.

    `weight`: what each image counts, [N, 1, 1, 1].
    """
    parts = [(weight * (m - w).square() / s).mean() for m, w, s in zip(mine, wanted, scale)]
    return torch.stack(parts)
