"""The detector: a small dense network with a feature pyramid and an anchor-free head.

From stride 8 on it has the teacher's shape, so that each part can be taught by itself (YuNet, Wu et
al., 2023). The beginning is three dense convolutions, which costs less than the teacher's at
stride 4; dense blocks at the coarser strides make room for what the teacher does not know, as
turned faces.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
MIDDLE, SPREAD = 127.5, 64.0
"""Normalization of pixels 0..255."""
STEM = (16, 32)
WIDTH = 64
"""Channels of every map from stride 8 on."""
DILATIONS: tuple[tuple[int, ...], ...] = ((), (1,), (1, 2))
"""Of the dense blocks of each stage: at stride 32 they widen the view, for faces of 600 pixels."""
HEADS: tuple[tuple[int, ...], ...] = ((), (1,), (1,))
"""Of the dense blocks of each head."""
CHANNELS = 16
"""Of the raw maps: class and objectness logits, box, five landmarks."""
QUIET = 0.1
"""What dense blocks add to their input at first, beside 1."""


def conv(
    inputs: int, outputs: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """3 x 3 convolution without bias, batch norm, ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


class Separable(nn.Sequential):
    """A convolution over channels, then one over places (MobileNet, Howard et al., 2017)."""

    def __init__(self) -> None:
        mix = nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
        super().__init__(mix, *conv(WIDTH, WIDTH, groups=WIDTH))


class Residual(nn.Module):
    """One 3 x 3 convolution around a shortcut."""

    def __init__(self, dilation: int):
        super().__init__()
        self.body = conv(WIDTH, WIDTH, dilation=dilation)
        nn.init.constant_(self.body[1].weight, QUIET)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def output() -> nn.Sequential:
    """From a head's map to the raw maps."""
    return nn.Sequential(
        nn.Conv2d(WIDTH, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 3, 1, 1, groups=CHANNELS)
    )


def doubled(x: Tensor) -> Tensor:
    """A map at half of its stride."""
    return functional.interpolate(x, scale_factor=2.0)


class Detector(nn.Module):
    """BGR pixels 0..255 [N, 3, H, W] to raw maps [N, 16, H/s, W/s] for strides 8, 16, 32.

    Channels: class and objectness logits, box (center offset and log size, in cells), five
    landmarks (offsets in cells).
    """

    def __init__(self) -> None:
        super().__init__()
        first, second = STEM
        self.beginning = nn.Sequential(
            conv(3, first, 2), conv(first, second, 2), conv(second, WIDTH, 2), *two_separable()
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*two_separable(), *map(Residual, dilations)) for dilations in DILATIONS
        )
        self.lateral = nn.ModuleList(Separable() for _ in STRIDES)
        self.heads = nn.ModuleList(
            nn.Sequential(Separable(), *map(Residual, dilations)) for dilations in HEADS
        )
        self.outputs = nn.ModuleList(output() for _ in STRIDES)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.maps(normalized(x))[1]

    def maps(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Inner maps and raw maps of normalized pixels.

        The inner maps are those of the beginning, the stages, the pyramid and the heads.
        """
        beginning = self.beginning(x)
        ends = [self.stages[0](beginning)]
        for stage in self.stages[1:]:
            ends.append(stage(functional.max_pool2d(ends[-1], 2)))
        coarse = self.lateral[2](ends[2])
        middle = self.lateral[1](ends[1] + doubled(coarse))
        pyramid = [self.lateral[0](ends[0] + doubled(middle)), middle, coarse]
        heads = [head(level) for head, level in zip(self.heads, pyramid)]
        raw = [last(head) for last, head in zip(self.outputs, heads)]
        return [beginning, *ends, *pyramid, *heads], raw

    def apart(self, maps: list[Tensor], x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """As `maps`, with every part given the teacher's maps in place of those before it."""
        beginning, *rest = maps
        ends, pyramid, heads = rest[:3], rest[3:6], rest[6:]
        before = [beginning, *(functional.max_pool2d(end, 2) for end in ends[:2])]
        sums = [end + doubled(coarser) for end, coarser in zip(ends, pyramid[1:])] + [ends[2]]
        inner = [self.beginning(x)]
        for parts, inputs in ((self.stages, before), (self.lateral, sums), (self.heads, pyramid)):
            inner += [part(seen) for part, seen in zip(parts, inputs)]
        return inner, [last(head) for last, head in zip(self.outputs, heads)]


def two_separable() -> tuple[Separable, Separable]:
    """What every stage begins with."""
    return Separable(), Separable()


def normalized(x: Tensor) -> Tensor:
    """Pixels 0..255 as `Detector.maps` takes them."""
    return ((x - MIDDLE) / SPREAD).contiguous(memory_format=torch.channels_last)


class Exported(nn.Module):
    """The detector with YuNet's twelve outputs, as the pack's family `yunet` has them.

    The first convolution divides by SPREAD, which spares a pass over the pixels.
    """

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = copy.deepcopy(detector)
        with torch.no_grad():
            self.detector.beginning[0][0].weight /= SPREAD

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        levels = self.detector.maps(x - MIDDLE)[1]
        flat = [level.permute(0, 2, 3, 1).flatten(1, 2) for level in levels]
        parts = []
        for low, high in ((0, 1), (1, 2), (2, 6), (6, 16)):
            for level in flat:
                part = level[:, :, low:high]
                parts.append(torch.sigmoid(part) if high <= 2 else part)
        return tuple(parts)


OUTPUTS = [f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
