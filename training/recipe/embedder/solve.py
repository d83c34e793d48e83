"""Solve the trained embedder's last layer for damaged views, and fit its quality.

The inner layers stay. Their features of many views are computed once, and both fits are closed
form or a few Newton steps, so that minutes do what training on damaged views would take hours for.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import torch
from tqdm import trange

from recipe.common import data, onnx_export
from recipe.embedder import last_layer, quality
from recipe.embedder.lessons import Lessons
from recipe.embedder.model import Embedder, Rated
from recipe.embedder.train import CHECKPOINT

SOLVED = data.WORK / "embedder-solved.pt"
"""State of the `Rated` embedder."""


def studied(model: Embedder, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [N, 1024], targets [N, 128] and groups [N] of some lessons."""
    lessons, parts = Lessons(), []
    for number in trange(count, desc="lessons", mininterval=10):
        lesson = lessons.lesson(number)
        parts.append((last_layer.features(model, lesson.crops), lesson.targets, lesson.groups))
    seen, targets, groups = (np.concatenate(part) for part in zip(*parts))
    return seen.astype(np.float64), targets, groups


def rated(model: Embedder, seen: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Rated:
    """The embedder with the last layer and the quality that fit the views."""
    trained = last_layer.layer_of(model)
    layer = last_layer.averaged(last_layer.solve(seen, targets, groups, trained), trained)
    cosine = quality.wanted(seen, targets, groups, layer)
    network = Rated(model)
    with torch.no_grad():
        network.linear.weight.copy_(quality.tensor(layer[0]))
        network.linear.bias.copy_(quality.tensor(layer[1]))
    network.quality = quality.layers(quality.fit(seen, cosine, groups))
    return network.eval()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--lessons", type=int, default=13, help="of 2,000 views each")
    parser.add_argument("--threads", type=int, default=1)


def execute(options: argparse.Namespace) -> None:
    """Look at the views, fit both, and keep the network."""
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    model = onnx_export.averaged_weights(CHECKPOINT, Embedder())
    network = rated(model, *studied(model, options.lessons))
    torch.save(network.state_dict(), SOLVED)
    print(f"solve-embedder: {SOLVED}")
