"""Train the embedder on the teacher's inner maps, stage by stage, and its embeddings.

The maps are what makes few photos go far: each of their places is a lesson of its own. The run
resumes from its checkpoint.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recipe.common import data
from recipe.common.loop import Run
from recipe.embedder import teacher, verification, views
from recipe.embedder.bank import STEP, Bank
from recipe.embedder.model import Embedder

CHECKPOINT = data.WORK / "embedder.pt"
SHARES = (0.25, 0.5, 0.75, 0.75, 1.0)
"""How much each of the teacher's maps counts."""


class Pupil(nn.Module):
    """The embedder with a linear view of each of its maps, which stands for the teacher's map."""

    def __init__(self) -> None:
        super().__init__()
        self.embedder, eye = Embedder(), torch.zeros(1, 3, 112, 112)
        widths = [m.shape[1] for m in self.embedder.eval().maps(eye)]
        shapes = teacher.MAPS.values()
        self.views = nn.ModuleList(
            nn.Conv2d(width, shape[0], 1) for width, shape in zip(widths, shapes)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Embeddings [N, 128] and this network's version of the teacher's maps."""
        maps = self.embedder.maps(x)
        return self.embedder.linear(maps[-1].flatten(1)), [
            view(m) for view, m in zip(self.views, maps)
        ]


def scaled(crops: np.ndarray) -> Tensor:
    """Crops uint8 [N, 112, 112, 3] as the network's input."""
    x = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 127.5
    return x.contiguous(memory_format=torch.channels_last)


def distance(student: Tensor, target: Tensor) -> Tensor:
    """How far student and teacher differ: face by face, and in their similarities of pairs."""
    student = functional.normalize(student.float())
    each = 1 - (student * target).sum(1).mean()
    pairs = (student @ student.T - target @ target.T).square().mean()
    return each + 5 * pairs


def map_distance(mine: list[Tensor], steps: list[Tensor]) -> Tensor:
    """Weighted mean squared differences of the maps, in standard deviations."""
    parts = [(m.float() - s * STEP).square().mean() for m, s in zip(mine, steps)]
    return sum(share * part for share, part in zip(SHARES, parts))


@torch.no_grad()
def embed(model: Embedder, crops: np.ndarray) -> np.ndarray:
    """Unit embeddings of aligned uint8 crops by the network under training."""
    out = []
    for start in range(0, len(crops), 128):
        with torch.autocast("cpu", torch.bfloat16):
            y = model(scaled(crops[start : start + 128]))
        out.append(functional.normalize(y.float()))
    return torch.cat(out).numpy()


class Judge:
    """Held-out verification beside the teacher, to watch while training."""

    def __init__(self) -> None:
        teach = teacher.Teacher(32)
        self.crops, identities = verification.held_out()
        self.index, self.same = verification.pairs(identities)
        self.target = teach(self.crops)
        self.reference = verification.accuracy(self.target, self.index, self.same)
        faces = np.load(data.WORK / "faces.npz")
        clear = np.flatnonzero(
            (faces["source"] == data.SOURCE_IDS["utkface"]) & (faces["split"] != data.TRAIN)
        )
        wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.clear = np.stack([views.aligned(wides[row]) for row in clear])
        self.clear_target = teach(self.clear)

    def __call__(self, model: Embedder) -> str:
        """One line on how the network does now."""
        model.eval()
        mine = embed(model, self.crops)
        score = verification.accuracy(mine, self.index, self.same)
        near = float((mine * self.target).sum(1).mean())
        clear = float((embed(model, self.clear) * self.clear_target).sum(1).mean())
        share = score / self.reference
        return (
            f"cosine {near:.4f} (UTKFace {clear:.4f}),"
            f" verification {score:.4f} = {share:.4f} of the teacher's"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=95)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge-every", type=int, default=600, help="steps")


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    bank = Bank()
    bank.start(seed=int(CHECKPOINT.exists() and CHECKPOINT.stat().st_mtime))
    judge = Judge()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Pupil().train().to(memory_format=torch.channels_last)
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.05)
    rng = np.random.default_rng([7, run.step])
    for _ in run.steps():
        rows = bank.take(options.batch, rng)
        target, steps = (
            torch.from_numpy(bank.targets[rows]),
            [torch.from_numpy(m[rows]) for m in bank.maps],
        )
        with torch.autocast("cpu", torch.bfloat16):
            y, maps = model(scaled(bank.views[rows]))
        run.learn(distance(y, target) + map_distance(maps, steps))
        if run.step % options.judge_every == 0:
            print(
                f" step {run.step}, {bank.written[0]} rows: {judge(run.averaged.module.embedder)}",
                flush=True,
            )
    print(f" step {run.step}: {judge(run.averaged.module.embedder)}")
