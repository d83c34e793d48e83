"""Teach the verifier on crops of what detectors found."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from recipe.common import data
from recipe.common.loop import Run
from recipe.detector.views import MIRRORED
from recipe.verifier import views
from recipe.verifier.model import Verifier, tensor
from recipe.verifier.spec import SIDE

CHECKPOINT = data.WORK / "verifier.pt"
SCENE_WEIGHT = 0.6
"""What a wrong find counts in a photo with people, unless it was reviewed: some are faces that the
teacher missed."""
DOUBTFUL, MATURE = 2.0, 0.4
"""Logit from which a wrong find in a photo with people is left out, and the share of the training
time from which the verifier knows faces well enough to be asked."""
POOLS = (0.45, 0.25, 0.3)
"""How often faces, what is surely wrong and what is wrong anywhere are drawn."""

Batch = dict[str, np.ndarray]


class Crops(IterableDataset):
    """An endless stream of batches of crops, some mirrored, hidden in part, in other light."""

    def __init__(self, seed: int, count: int):
        self.seed, self.count = seed, count
        self.parts: list[Batch] = []
        for path in sorted(views.folder().glob("*.npz")):
            with np.load(path) as part:
                self.parts.append({key: part[key] for key in part.files})

    def pools(self) -> list[list[tuple[int, int]]]:
        """Where the faces are, what is surely wrong, and all that is wrong."""
        pools: list[list[tuple[int, int]]] = [[], [], []]
        for at, part in enumerate(self.parts):
            wrong = ~part["faces"]
            for pool, chosen in zip(pools, (part["faces"], wrong & part["sure"], wrong)):
                pool += [(at, int(index)) for index in np.flatnonzero(chosen)]
        return pools

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        pools = self.pools()
        shares = np.array([share if pool else 0.0 for share, pool in zip(POOLS, pools)])
        shares /= shares.sum()
        while True:
            rows = []
            for kind in rng.choice(len(pools), self.count, p=shares):
                at, index = pools[kind][rng.integers(len(pools[kind]))]
                part = self.parts[at]
                crop, points = varied(part["crops"][index], part["landmarks"][index], rng)
                rows.append([crop, points, part["faces"][index], part["sure"][index]])
            columns = zip(("crops", "landmarks", "faces", "sure"), map(np.array, zip(*rows)))
            yield {name: torch.from_numpy(column) for name, column in columns}


def varied(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A crop and its landmarks [10], changed: light, place, mirror image, a part hidden."""
    crop, points = changed(crop, rng), landmarks.reshape(5, 2)
    if rng.random() < 0.3:
        move = rng.integers(-3, 4, 2)
        matrix = np.column_stack([np.eye(2), move]).astype(np.float32)
        crop, points = cv2.warpAffine(crop, matrix, (SIDE, SIDE)), points + move / SIDE
    if rng.random() < 0.5:
        crop = np.ascontiguousarray(crop[:, ::-1])
        points = points[MIRRORED] * [-1, 1] + [(SIDE - 1) / SIDE, 0]
    if rng.random() < 0.12:
        size = rng.integers(6, SIDE // 2, 2)
        (x0, y0), crop = rng.integers(0, SIDE - size), crop.copy()
        crop[y0 : y0 + size[1], x0 : x0 + size[0]] = rng.integers(0, 256, 3)
    return crop, points.ravel().astype(np.float32)


def changed(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop in other light, without color or blurred, now and then."""
    if rng.random() < 0.3:
        tint = np.exp(rng.normal(0, 0.25)) * (1 + rng.normal(0, 0.08, 3))
        table = np.clip(np.arange(256)[:, None] * tint + rng.normal(0, 10), 0, 255)
        crop = cv2.LUT(crop, table.astype(np.uint8)[None])
    if rng.random() < 0.07:
        crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.1:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.5))
    return crop


def loss(face: Tensor, landmarks: Tensor, batch: dict[str, Tensor], mature: bool) -> Tensor:
    """Focal loss on faces, smooth L1 loss on the landmarks of faces."""
    true, sure = batch["faces"], batch["sure"]
    wanted, certain = true.float()[:, None], (true | sure)[:, None]
    weight = torch.where(certain, 1.0, SCENE_WEIGHT)
    if mature:
        weight = weight * (certain | (face.detach() < DOUBTFUL))
    wrong = (torch.sigmoid(face.detach()) - wanted).abs().sqrt()
    entropy = functional.binary_cross_entropy_with_logits(face, wanted, reduction="none")
    total = (weight * wrong * entropy).mean()
    if true.any():
        miss = landmarks[true] - batch["landmarks"][true]
        total = total + 6 * functional.smooth_l1_loss(miss, torch.zeros_like(miss), beta=0.01)
    return total


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=1)


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Verifier().to(memory_format=torch.channels_last)
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.03)
    crops = Crops(run.step, options.batch)
    if not crops.parts:
        raise SystemExit(f"no crops in {views.folder()}: run `recipe propose` first")
    loader = iter(DataLoader(crops, None, num_workers=1, prefetch_factor=8))
    for share in run.steps():
        batch = next(loader)
        face, landmarks = model(tensor(batch["crops"]))
        run.learn(loss(face, landmarks, batch, share > MATURE))
