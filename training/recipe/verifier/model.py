"""The second look: is the aligned crop of a find a face, and where are its landmarks?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipe.common import layers
from recipe.verifier.spec import SIDE

WIDTHS = (16, 32, 64, 96)
DROPPED = 0.1
"""Share of the features that the face's logit misses in training."""


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 convolution without bias, batch norm, ReLU."""
    return layers.conv(inputs, outputs, stride).append(nn.ReLU())


class Residual(nn.Module):
    """One 3 x 3 convolution around a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.body = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Verifier(nn.Module):
    """RGB crops in -1..1 [N, 3, 96, 96] to face logits [N, 1] and landmarks [N, 10].

    Landmarks are x and y in sides of the crop, in the order of the alignment template.
    """

    def __init__(self) -> None:
        super().__init__()
        first, second, third, last = WIDTHS
        self.body = nn.Sequential(
            conv(3, first, 2),
            conv(first, second, 2),
            Residual(second),
            conv(second, third, 2),
            Residual(third),
            Residual(third),
            conv(third, last, 2),
            Residual(last),
        )
        features = last * (SIDE // 16) ** 2
        self.dropout = nn.Dropout(DROPPED)
        self.face = nn.Linear(features, 1)
        self.landmarks = nn.Linear(features, 10)
        nn.init.zeros_(self.landmarks.weight)
        nn.init.constant_(self.landmarks.bias, 0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(x).flatten(1)
        return self.face(self.dropout(features)), self.landmarks(features)


def tensor(crops: Tensor) -> Tensor:
    """Pixels [N, S, S, 3] as the network's input."""
    x = (crops.permute(0, 3, 1, 2).float() - 127.5) / 127.5
    return x.contiguous(memory_format=torch.channels_last)
