"""The embedder: a small dense residual network from a 112 x 112 face to 128 floats.

Its stages end at the resolutions of the teacher's, so that they can be taught one by one. ReLU,
since ONNX Runtime computes it inside the convolution; PReLU costs half as much again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recipe.common.layers import Block, conv

STEM = 32
WIDTHS = (64, 128, 256)
DEPTHS = (1, 2, 1)
HEAD = 512
HIDDEN = 512
"""Random features from which the quality is read."""
SIDE, GRID = 112, 7
"""Side of the crop and of the last feature map."""


class Embedder(nn.Module):
    """RGB crops [N, 3, 112, 112] scaled to -1..1 to embeddings [N, 128], not yet of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, STEM, stride=2), nn.ReLU())
        inputs, stages = STEM, []
        for width, depth in zip(WIDTHS, DEPTHS):
            blocks = [Block(width) for _ in range(depth)]
            stages.append(nn.Sequential(conv(inputs, width, stride=2), nn.ReLU(), *blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.head = nn.Sequential(conv(inputs, HEAD, kernel=1), nn.ReLU())
        # One weight per place and channel sums up the last map (MobileFaceNet, Chen et al., 2018).
        gather = nn.Conv2d(HEAD, HEAD, GRID, groups=HEAD, bias=False)
        self.gather = nn.Sequential(gather, nn.BatchNorm2d(HEAD))
        self.linear = nn.Linear(HEAD, 128)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The outputs of the stages, the head and the gathering, in this order."""
        maps, x = [], self.stem(x)
        for layer in (*self.stages, self.head, self.gather):
            x = layer(x)
            maps.append(x)
        return maps

    def features(self, x: Tensor) -> Tensor:
        """The gathered map, then the mean of the head [N, 1024]."""
        *_, head, gathered = self.maps(x)
        return torch.cat([gathered.flatten(1), head.mean((2, 3))], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.maps(x)[-1].flatten(1))


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
