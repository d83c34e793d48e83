"""The detector: a small dense network with a feature pyramid and an anchor-free head."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
MIDDLE, SPREAD = 127.5, 64.0
"""Normalization of pixels 0..255."""
STEM = (16, 32)
WIDTHS = (48, 64, 80)
NECK = 32
DEPTH = 2
"""Residual blocks on each of the coarser two levels; the finest has a single one."""
DILATIONS = ((1, 1), (1, 1), (1, 2))
"""Of those blocks: at stride 32 they widen the view, for faces of 600 pixels."""


def conv(
    inputs: int, outputs: int, stride: int = 1, kernel: int = 3, dilation: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 * dilation, dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


class Residual(nn.Module):
    """One 3 x 3 convolution around a shortcut."""

    def __init__(self, width: int, dilation: int = 1):
        super().__init__()
        self.body = conv(width, width, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Detector(nn.Module):
    """BGR pixels 0..255 [N, 3, H, W] to raw maps [N, 16, H/s, W/s] for strides 8, 16, 32.

    Channels: class and objectness logits, box (center offset and log size, in cells), five
    landmarks (offsets in cells).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, STEM[0], 2), conv(STEM[0], STEM[1], 2))
        inputs, stages = STEM[1], []
        for level, width in enumerate(WIDTHS):
            blocks = [Residual(width, DILATIONS[level][i]) for i in range(DEPTH if level else 1)]
            stages.append(nn.Sequential(conv(inputs, width, 2), *blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.lateral = nn.ModuleList(conv(width, NECK, kernel=1) for width in WIDTHS)
        self.heads = nn.ModuleList(
            nn.Sequential(conv(NECK, NECK), extra, nn.Conv2d(NECK, 16, 1))
            for extra in (nn.Identity(), Residual(NECK), Residual(NECK, dilation=2))
        )
        for head in self.heads:
            nn.init.constant_(head[2].bias[:2], -4.0)
            nn.init.constant_(head[2].bias[4:6], 1.0)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.levels((x - MIDDLE) / SPREAD)

    def levels(self, x: Tensor) -> list[Tensor]:
        """The maps of normalized pixels."""
        x = self.stem(x)
        levels = []
        for stage, lateral in zip(self.stages, self.lateral):
            x = stage(x)
            levels.append(lateral(x))
        levels[1] = levels[1] + functional.interpolate(levels[2], scale_factor=2.0)
        levels[0] = levels[0] + functional.interpolate(levels[1], scale_factor=2.0)
        return [head(level) for head, level in zip(self.heads, levels)]


class Exported(nn.Module):
    """The detector with YuNet's twelve outputs, as the pack's family `yunet` has them.

    The first convolution divides by SPREAD, which spares a pass over the pixels.
    """

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = copy.deepcopy(detector)
        with torch.no_grad():
            self.detector.stem[0][0].weight /= SPREAD

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        levels = self.detector.levels(x - MIDDLE)
        flat = [level.permute(0, 2, 3, 1).flatten(1, 2) for level in levels]
        parts = []
        for low, high in ((0, 1), (1, 2), (2, 6), (6, 16)):
            for level in flat:
                part = level[:, :, low:high]
                parts.append(torch.sigmoid(part) if high <= 2 else part)
        return tuple(parts)


OUTPUTS = [f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
