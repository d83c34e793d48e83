"""The embedder: a small dense residual network from a 112 x 112 face to 128 floats.

It shrinks the face to 80 pixels first: most of the training faces hold no more detail, and
twice as many can be learnt from in the same time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM = 32
WIDTHS = (32, 64, 128, 192)
DEPTHS = (1, 2, 3, 2)
SIDE, INNER = 112, 80
GRID = 3
"""Side of the last feature map."""


def shrinking() -> Tensor:
    """The matrix [80, 112] of an antialiased bilinear resize along one axis."""
    unit = torch.eye(SIDE)[None, None]
    return functional.interpolate(unit, (INNER, SIDE), mode="bilinear", antialias=True)[0, 0]


def conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias, then batch norm."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.activation = conv(width, width), nn.PReLU(width)
        self.second, self.output = conv(width, width), nn.PReLU(width)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(x + self.second(self.activation(self.first(x))))


class Embedder(nn.Module):
    """RGB crops [N, 3, 112, 112] scaled to -1..1 to embeddings [N, 128], not yet of unit length."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(3, STEM, stride=2), nn.PReLU(STEM)]
        inputs = STEM
        for width, depth in zip(WIDTHS, DEPTHS):
            layers += [conv(inputs, width, stride=2), nn.PReLU(width)]
            layers += [Block(width) for _ in range(depth)]
            inputs = width
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(inputs * GRID * GRID, 128, bias=False)
        self.norm = nn.BatchNorm1d(128)
        self.register_buffer("shrink", shrinking(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.shrink @ x @ self.shrink.T)

    def inner(self, x: Tensor) -> Tensor:
        """Embeddings of crops that are already [N, 3, 80, 80]."""
        return self.norm(self.linear(self.features(x).flatten(1)))
