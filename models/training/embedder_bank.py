"""Make the embedder's training bank: random views, each with the teacher's embedding of it.

The bank grows while training reads it; it is a plain array on disk and can be resumed.
"""

from __future__ import annotations

import argparse

import numpy as np
from tqdm import trange

import data
import teacher
import views

CHUNK = 64


class Bank:
    """Views uint8 [capacity, 112, 112, 3] and unit targets [capacity, 128], filled up to `count`."""

    def __init__(self, capacity: int = 0):
        folder = data.WORK / "bank"
        folder.mkdir(parents=True, exist_ok=True)
        shapes = {"views": ((views.SIDE, views.SIDE, 3), np.uint8), "targets": ((128,), np.float32)}
        arrays = {}
        for name, (shape, kind) in shapes.items():
            path = folder / f"{name}.npy"
            if not path.exists():
                np.lib.format.open_memmap(path, "w+", kind, (capacity, *shape))
            arrays[name] = np.load(path, mmap_mode="r+")
        self.views, self.targets = arrays["views"], arrays["targets"]
        self.counter = folder / "count"

    @property
    def count(self) -> int:
        """How many rows are filled."""
        return int(self.counter.read_text()) if self.counter.exists() else 0

    @count.setter
    def count(self, value: int) -> None:
        temporary = self.counter.with_suffix(".tmp")
        temporary.write_text(str(value))
        temporary.rename(self.counter)


def train_pool(grey_share: float = 0.1) -> np.ndarray:
    """Indices of the training faces; the many tiny grey ones are thinned to a share."""
    faces = np.load(data.WORK / "faces.npz")
    train = faces["split"] == data.TRAIN
    grey = faces["source"] == data.SOURCE_IDS["fer-emotions"]
    colour, small = np.flatnonzero(train & ~grey), np.flatnonzero(train & grey)
    keep = min(len(small), round(len(colour) * grey_share / (1 - grey_share)))
    return np.concatenate([colour, np.random.default_rng(0).permutation(small)[:keep]])


def main() -> None:
    """Fill the bank up to its capacity."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=160_000)
    options = parser.parse_args()
    bank, embed = Bank(options.views), teacher.Teacher(CHUNK)
    wides, pool = np.load(data.WORK / "crops.npy", mmap_mode="r"), train_pool()
    for start in trange(bank.count, len(bank.views), CHUNK, desc="bank", mininterval=5):
        rng = np.random.default_rng([3, start])
        stop = min(start + CHUNK, len(bank.views))
        chunk = np.stack([views.view(wides, pool, rng) for _ in range(start, stop)])
        bank.views[start:stop], bank.targets[start:stop] = chunk, embed(chunk)
        bank.count = stop


if __name__ == "__main__":
    main()
