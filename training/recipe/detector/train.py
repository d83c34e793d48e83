"""Teach the detector on random views of photographs."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, default_collate

from recipe.common import data, warm
from recipe.common.loop import Run
from recipe.detector import views
from recipe.detector.model import STRIDES, Detector

CHECKPOINT = data.WORK / "detector.pt"
RANGES = ((0, 40), (26, 110), (70, 10_000))
"""Sizes of faces (root of the box area, in pixels) that each stride detects."""
CENTER = 0.22
"""Cells closer to a box's center than this share of its size are positive."""
HALO = 0.45
"""Cells out to this share, or in a neighboring size range, are neither right nor wrong."""

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
            if not least / 1.4 <= sizes[face] < most * 1.4:
                continue
            cells = (np.arange(side // stride) + 0.5) * stride
            x = np.abs(cells - center[0]) / extent[0]
            y = np.abs(cells - center[1]) / extent[1]
            away = np.maximum(x[None, :], y[:, None])
            halo = (away < HALO) & (grid[MASK] < 1)
            grid[MASK][halo] = -1
            if least <= sizes[face] < most:
                near = away < max(CENTER, 0.5 * stride / extent.min())
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


def overlap(mine: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of boxes [N, 4] by center and size (Rezatofighi et al., 2019)."""
    low_a, high_a = mine[:, :2] - mine[:, 2:] / 2, mine[:, :2] + mine[:, 2:] / 2
    low_b, high_b = true[:, :2] - true[:, 2:] / 2, true[:, :2] + true[:, 2:] / 2
    inter = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    union = mine[:, 2:].prod(1) + true[:, 2:].prod(1) - inter
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(1)
    iou = inter / union
    return iou, iou - (hull - union) / hull


def focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Quality focal loss, summed (Li et al., 2020): errors count by how wrong they are."""
    wrong = (torch.sigmoid(logits) - wanted).abs().square()
    return (
        wrong * functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    ).sum()


def loss(outputs: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Class, objectness, box and landmark loss over all strides."""
    total, faces = torch.zeros(()), 0.0
    for stride, out, want in zip(STRIDES, outputs, wanted):
        out = out.float().permute(0, 2, 3, 1).reshape(-1, 16)
        height, width = want.shape[2:]
        row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        cell = torch.stack([column, row], -1).float().reshape(-1, 2).repeat(len(want), 1)
        want = want.permute(0, 2, 3, 1).reshape(-1, 15)
        positive, counted = want[:, MASK] > 0, want[:, MASK] >= 0
        hit, true, at = out[positive], want[positive], cell[positive]
        box = torch.cat([(at + hit[:, 2:4]) * stride, hit[:, 4:6].clamp(-4, 6).exp() * stride], 1)
        iou, generalized = overlap(box, true[:, BOX])
        points = (hit[:, 6:].view(-1, 5, 2) + at[:, None]) * stride
        size = true[:, 3:5].prod(1).sqrt()[:, None, None]
        miss = (points - true[:, KEYPOINTS].view(-1, 5, 2)) / size
        quality = torch.zeros(len(out))
        quality[positive] = iou.detach().clamp(min=0.05)
        total = total + focal(out[counted, 0], positive[counted].float())
        total = total + focal(out[counted, 1], quality[counted])
        total = total + 2 * (1 - generalized).sum()
        total = total + 8 * functional.smooth_l1_loss(
            miss, torch.zeros_like(miss), beta=0.01, reduction="sum"
        )
        faces += len(hit)
    return total / max(faces, 1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="begin with the pack's weights")


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Detector().to(memory_format=torch.channels_last)
    if options.warm:
        warm.start(
            model, data.PACK / "detector.onnx", next(iter(Stream(1, options.batch)))[0].float()
        )
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.02)
    loader = iter(
        DataLoader(Stream(run.step, options.batch), None, num_workers=1, prefetch_factor=8)
    )
    for _ in run.steps():
        image, wanted = next(loader)
        x = image.float().contiguous(memory_format=torch.channels_last)
        run.learn(loss(model(x), wanted))
