"""The teacher's vector of each cached face: clean, upright, summed with its mirror image.

Writes `targets.npy` [N, 128], unit vectors. The sum verifies better than either view.
"""

from __future__ import annotations

import argparse

import numpy as np
from tqdm import trange

from recipe.common import data
from recipe.embedder import teacher, views

TARGETS = data.WORK / "targets.npy"
CHUNK = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--force", action="store_true", help="compute them again")


def execute(options: argparse.Namespace) -> None:
    """Embed every cached face, unless that is done."""
    if TARGETS.exists() and not options.force:
        print("targets: they are there")
        return
    wides, teach = np.load(data.WORK / "crops.npy", mmap_mode="r"), teacher.Embedder()
    targets = np.empty((len(wides), 128), np.float32)
    for start in trange(0, len(wides), CHUNK, desc="targets", mininterval=10):
        crops = np.stack([views.aligned(wide) for wide in wides[start : start + CHUNK]])
        targets[start : start + CHUNK] = teacher.mirrored(teach, crops)
    np.save(TARGETS, targets)
