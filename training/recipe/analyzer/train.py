"""Train the analyzer on random views; seeded and resumable, for a time given."""

from __future__ import annotations

import argparse
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch

from recipe.analyzer.model import Analyzer, losses
from recipe.analyzer.spec import ATTRIBUTES
from recipe.analyzer.views import TABLES, Views, normalized, shown
from recipe.common import data, warm
from recipe.common.loop import Run

AHEAD = 4
"""Batches that a second process draws ahead."""
SHARES = {
    "celeba-9k": 1.0,
    "utkface": 2.6,
    "masks": 0.8,
    "film-faces": 0.5,
    "synthetic-faces": 1.0,
    "fer-emotions": 0.6,
    "identities": 0.25,
}
"""How often a row of a source is drawn, relative to the others."""
RARE = {"eyeglasses": 1.0, "sunglasses": 2.0, "mustache": 2.0, "beard": 0.5}
"""How much more often a row is drawn where a rare attribute is true."""
BANDS = (0, 3, 8, 13, 20, 30, 40, 50, 60, 70, 80, 101)
"""Ages that part the bands in which both sexes are evened."""
MOST = 6
"""Factor up to which a rare group of UTKFace is drawn more often."""


def evened(names: np.ndarray) -> np.ndarray:
    """Factors of mean 1 [N] for UTKFace's file names that even out its groups.

    Sexes in bands of ages, and the annotators' races, become nearly as frequent as each other.
    """
    parts = [name.split("_") for name in names.tolist()]
    keys = [(int(np.searchsorted(BANDS, int(part[0]), "right")), part[1]) for part in parts]
    races = [part[2] if len(part) > 3 else "" for part in parts]
    factor = np.ones(len(parts))
    for labels, power in ((keys, 0.8), (races, 0.4)):
        _, group = np.unique([str(label) for label in labels], return_inverse=True)
        factor *= np.bincount(group)[group] ** -power
    factor = np.minimum(factor / factor.mean(), MOST)
    return factor / factor.mean()


def chances(views: Views) -> np.ndarray:
    """The probability with which each training row is drawn; 0 for held-out rows."""
    chance = np.zeros(len(views.crops))
    for source, share in SHARES.items():
        chance[views.faces["source"] == data.SOURCE_IDS[source]] = share
    flags = (views.tables["attributes"] > 0.5) & (views.tables["attributes_weight"] > 0)
    boost = sum(more * flags[:, ATTRIBUTES.index(name)] for name, more in RARE.items())
    eyes = ATTRIBUTES.index("eyes_open")
    closed = (views.tables["attributes"][:, eyes] < 0.5) & (
        views.tables["attributes_weight"][:, eyes] > 0
    )
    turned = np.abs(views.tables["pose"][:, 1]) > 30
    beard, male = ATTRIBUTES.index("beard"), flags[:, ATTRIBUTES.index("male")]
    bare = male & ~flags[:, beard] & (views.tables["attributes_weight"][:, beard] > 0.9)
    chance *= 1 + boost + 10 * closed + 0.7 * turned + bare
    utkface = views.faces["source"] == data.SOURCE_IDS["utkface"]
    if utkface.any():
        chance[utkface] *= evened(views.faces["name"][utkface])
    chance *= views.faces["split"] == data.TRAIN
    return chance / chance.sum()


@cache
def shop() -> tuple[Views, np.ndarray]:
    """The views and their chances, once per process that draws."""
    cv2.setNumThreads(1)
    views = Views()
    return views, chances(views)


def draw(seed: tuple[int, ...], count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A batch of training views and their labels."""
    views, chance = shop()
    rng = np.random.default_rng(seed)
    batch = [views.random(int(row), rng) for row in rng.choice(len(chance), count, p=chance)]
    return np.stack([shown(v.face) for v in batch]), {
        name: np.stack([v.labels[name] for v in batch]).astype(np.float32) for name in TABLES
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, default=data.WORK / "analyzer.pt")
    parser.add_argument("--warm", action="store_true", help="begin with the pack's weights")


def execute(options: argparse.Namespace) -> None:
    """Train until the time is over."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    model = Analyzer().to(memory_format=torch.channels_last)
    if options.warm:
        warm.start(model, data.PACK / "analyzer.onnx", normalized(draw((0,), 256)[0]))
    run = Run(model, options.checkpoint, options.minutes, options.rate, decay=0.03)
    with ProcessPoolExecutor(1) as pool:
        coming: deque[Future] = deque()
        for _ in run.steps():
            while len(coming) < AHEAD:
                seed = (options.seed, run.step, len(coming))
                coming.append(pool.submit(draw, seed, options.batch))
            faces, labels = coming.popleft().result()
            target = {name: torch.from_numpy(values) for name, values in labels.items()}
            with torch.autocast("cpu", torch.bfloat16):
                out = model(normalized(faces))
            parts = losses({name: value.float() for name, value in out.items()}, target)
            run.learn(torch.stack(list(parts.values())).sum())
