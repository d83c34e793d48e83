"""The embedder: a small residual network from a 112 x 112 face to 128 floats.

Its blocks end where the teacher's do, so that each can be taught by itself (MobileFaceNet, Chen et
al., 2018). ReLU in place of the teacher's ReLU6, since ONNX Runtime computes it inside the
convolution; and a beginning of two dense convolutions, which costs a quarter of the teacher's.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recipe.common.layers import conv

STEM, WIDE = 32, 128
"""Channels of the first two convolutions."""
BLOCKS = (
    *[(64, 128, 64, 1)] * 4,
    (64, 256, 128, 2),
    *[(128, 256, 128, 1)] * 6,
    (128, 512, 128, 2),
    *[(128, 256, 128, 1)] * 2,
)
"""Inputs, hidden channels, outputs and stride of each inverted residual block."""
HEAD = 512
HIDDEN = 512
"""Random features from which the quality is read."""
SIDE, GRID = 112, 7
"""Side of the crop and of the last feature map."""


def scaled(crops: np.ndarray) -> Tensor:
    """Crops uint8 [N, 112, 112, 3] as the network's input."""
    x = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 127.5
    return x.contiguous(memory_format=torch.channels_last)


class InvertedResidual(nn.Module):
    """Expands, filters each channel, and projects (MobileNetV2, Sandler et al., 2018)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = conv(inputs, hidden, kernel=1)
        self.depthwise = conv(hidden, hidden, stride, groups=hidden)
        self.project = conv(hidden, outputs, kernel=1)
        self.adds = stride == 1 and inputs == outputs

    def change(self, x: Tensor) -> Tensor:
        """What the block adds to its input, or puts in its place."""
        return self.project(torch.relu(self.depthwise(torch.relu(self.expand(x)))))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x) if self.adds else self.change(x)


class Beginning(nn.Module):
    """From pixels [N, 3, 112, 112] to the first map [N, 64, 28, 28]."""

    adds = False

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(3, STEM, 2), conv(STEM, WIDE, 2)
        self.project = conv(WIDE, 64, kernel=1)
        self.last = InvertedResidual(64, 128, 64)
        nn.init.zeros_(self.last.project[1].weight)

    def change(self, x: Tensor) -> Tensor:
        """The map."""
        return self.last(self.project(torch.relu(self.second(torch.relu(self.first(x))))))

    forward = change


class Embedder(nn.Module):
    """RGB crops [N, 3, 112, 112] scaled to -1..1 to embeddings [N, 128], not yet of unit length."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [InvertedResidual(*sizes) for sizes in BLOCKS]
        self.blocks = nn.ModuleList([Beginning(), *blocks])
        self.head = conv(128, HEAD, kernel=1)
        # One weight per place and channel sums up the last map.
        gather = nn.Conv2d(HEAD, HEAD, GRID, groups=HEAD, bias=False)
        self.gather = nn.Sequential(gather, nn.BatchNorm2d(HEAD))
        self.linear = nn.Linear(2 * HEAD, 128)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The outputs of the blocks, the head and the gathering, in this order."""
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        head = torch.relu(self.head(x))
        return [*maps, head, self.gather(head)]

    def features(self, x: Tensor) -> Tensor:
        """The gathered map, then the mean of the head [N, 1024]."""
        return pooled(self.maps(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.features(x))


def pooled(maps: list[Tensor]) -> Tensor:
    """The features [N, 1024] of an embedder's maps."""
    *_, head, gathered = maps
    return torch.cat([gathered.flatten(1), head.mean((2, 3))], 1)


class Rated(nn.Module):
    """An embedder that rates its views: embeddings [N, 128], not yet of unit length, and quality.

    Quality [N, 1], 0..1, is the cosine that the embedding is expected to have to that of a clean,
    upright photo of the same face.
    """

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.embedder = embedder
        self.linear = nn.Linear(2 * HEAD, 128)
        self.quality = nn.Sequential(
            nn.Linear(2 * HEAD, HIDDEN + 2), nn.ReLU(), nn.Linear(HIDDEN + 2, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.embedder.features(x)
        return self.linear(seen), torch.sigmoid(self.quality(seen))
