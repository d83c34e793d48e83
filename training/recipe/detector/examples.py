"""What the detector learns from: views with targets, and with the teacher's maps of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, default_collate

from recipe.common import data
from recipe.detector import teacher, views
from recipe.detector.model import STRIDES

RANGES = ((0, 40), (26, 110), (70, 10_000))
"""Sizes of faces (root of the box area, in pixels) that each stride detects."""
CENTER = 0.22
"""Cells closer to a box's center than this share of its size are positive."""
HALO = 0.45
"""Cells out to this share, and those of the other strides, are neither right nor wrong."""

MASK, BOX, KEYPOINTS = 0, slice(1, 5), slice(5, 15)
"""Channels of the targets: face (1), none (0) or ignored (-1); box; landmarks, in pixels."""


def targets(sample: views.View, side: int) -> list[np.ndarray]:
    """The target of each stride: [15, S/s, S/s]."""
    maps = [np.zeros((15, side // stride, side // stride), np.float32) for stride in STRIDES]
    for box in sample.ignored:
        for stride, grid in zip(STRIDES, maps):
            edges = [np.floor(box[:2] / stride), np.ceil(box[2:] / stride)]
            (left, top), (right, bottom) = np.clip(edges, 0, side // stride).astype(int)
            grid[MASK, top:bottom, left:right] = -1
    sizes = np.sqrt(np.prod(sample.boxes[:, 2:] - sample.boxes[:, :2], axis=1))
    for face in np.argsort(-sizes):  # small faces are written over large ones
        low, high = sample.boxes[face].reshape(2, 2)
        center, extent = (low + high) / 2, high - low
        values = np.concatenate([center, extent, sample.landmarks[face].ravel()])
        for stride, (least, most), grid in zip(STRIDES, RANGES, maps):
            cells = (np.arange(side // stride) + 0.5) * stride
            x = np.abs(cells - center[0]) / extent[0]
            y = np.abs(cells - center[1]) / extent[1]
            away = np.maximum(x[None, :], y[:, None])
            half_cell = 0.5 * stride / extent.min()
            halo = (away < max(HALO, half_cell)) & (grid[MASK] < 1)
            grid[MASK][halo] = -1
            if least <= sizes[face] < most:
                near = away < max(CENTER, half_cell)
                grid[MASK][near] = 1
                grid[1:, near] = values[:, None]
    return maps


Example = tuple[Tensor, list[np.ndarray]]
LARGE_SIDE = 640
REFRESH = 150
"""Batches after which the views take over what mining has found."""


class Stream(IterableDataset):
    """An endless stream of batches of (BGR image [3, S, S] uint8, target maps).

    Drawing an image costs as much as learning from it, so most are shown a few times. Now
    and then a batch has a quarter of the images at twice the size.
    """

    def __init__(
        self, seed: int, batch: int, fresh: float = 0.5, large: float = 0.1, keep: int = 1500
    ):
        self.views = views.Views(data.TRAIN)
        self.seed, self.batch, self.fresh, self.large, self.keep = seed, batch, fresh, large, keep

    def draw(self, rng: np.random.Generator, side: int) -> Example:
        """A new example."""
        sample = self.views.sample(rng, side)
        image = np.ascontiguousarray(sample.image[:, :, ::-1].transpose(2, 0, 1))
        return torch.from_numpy(image), targets(sample, side)

    def __iter__(self) -> Iterator[Example]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        kept: dict[int, list[Example]] = {views.SIDE: [], LARGE_SIDE: []}
        cv2.setNumThreads(1)
        for number in itertools.count(1):
            if number % REFRESH == 0:
                self.views.refresh()
            side, count = views.SIDE, self.batch
            if rng.random() < self.large:
                side, count = LARGE_SIDE, self.batch // 4
            pool, most, examples = kept[side], self.keep * count // self.batch, []
            for _ in range(count):
                if len(pool) < 8 * count or rng.random() < self.fresh:
                    example = self.draw(rng, side)
                    if len(pool) < most:
                        pool.append(example)
                    else:
                        pool[rng.integers(most)] = example
                    examples.append(example)
                else:
                    examples.append(pool[rng.integers(len(pool))])
            yield default_collate(examples)


Taught = tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]
"""Images, target maps, the teacher's inner maps and its raw maps."""


class Lessons(IterableDataset):
    """The batches of a stream, and what the teacher makes of them."""

    def __init__(self, stream: Stream):
        self.stream = stream

    def __iter__(self) -> Iterator[Taught]:
        torch.set_num_threads(1)
        teach = teacher.Teacher()
        for images, wanted in self.stream:
            yield images, wanted, *teach.look(images)


def lessons(stream: Stream) -> Iterator[Taught]:
    """Batches, drawn and shown to the teacher by a process of their own."""
    return iter(DataLoader(Lessons(stream), None, num_workers=1, prefetch_factor=6))
