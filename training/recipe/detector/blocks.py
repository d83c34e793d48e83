"""Train the detector's parts, each by itself: from the teacher's map before it to that after it.

See the embedder's blocks, which learn the same way. `recipe train-detector` then trains the chain.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from recipe.common import data
from recipe.common.loop import Run
from recipe.common.maps import distances, variances
from recipe.detector.examples import Stream, lessons
from recipe.detector.model import Detector, normalized

CHECKPOINT = data.WORK / "detector-blocks.pt"
MEASURED = 8
"""Batches whose maps set the scale."""
BATCH, FRESH, LARGE = 8, 0.35, 0.05
"""Images of a batch, the share of new ones, and of batches of large images."""


def raw_distance(mine: Tensor, wanted: Tensor) -> Tensor:
    """How far raw maps [N, 16, H, W] are from the teacher's; places count where it sees a face."""
    score = torch.sigmoid(wanted[:, :2]).prod(1, keepdim=True).sqrt()
    logits, places = (mine - wanted).split([2, 14], 1)
    graded = ((logits / 4).square() * (0.1 + 3 * score)).mean()
    return graded + 20 * (score * places.abs()).clamp(max=3).mean()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=1)


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    seed = int(CHECKPOINT.exists() and CHECKPOINT.stat().st_mtime)
    batches = lessons(Stream(seed, BATCH, FRESH, LARGE))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Detector().train().to(memory_format=torch.channels_last)
    some = [next(batches) for _ in range(MEASURED)]
    scale = variances([maps for _, _, maps, _ in some])
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.01)
    left = torch.zeros(0)
    for _ in run.steps():
        images, _, maps, taught = next(batches)
        inner, raw = model.apart(maps, normalized(images.float()))
        left = distances(inner, maps, scale)
        run.learn(left.sum() + sum(map(raw_distance, raw, taught)))
    print("left open: " + " ".join(f"{value:.3f}" for value in left.tolist()))
