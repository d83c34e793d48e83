"""Train the embedder: every view of a face aims at the teacher's vector of the clean, upright one.

The run begins with the blocks of `recipe train-blocks`. At first the teacher's inner maps of each
view count as much as the embedding. In the second half they count nothing: the teacher need not
look then, and twice as many views fit the time. It resumes from its checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipe.common import data, onnx_export
from recipe.common.loop import Run
from recipe.common.maps import distances
from recipe.embedder import blocks, morphs, teacher, verification, views
from recipe.embedder.maps import Maps
from recipe.embedder.model import Embedder, pooled, scaled

CHECKPOINT = data.WORK / "embedder.pt"
PAIRS = 5.0
"""Weight of the differences of the similarities of pairs, beside 1 of the cosine."""
MAPS, ALONE = 0.18, 0.5
"""Weight of the maps at the beginning, and the share of the time after which they count nothing."""
SOLVED, RIDGE, LENGTH = 60, 0.02, 8.0
"""Batches from which the last layer is solved at the start, the pull of its weights towards zero,
and the length of its vectors."""


def distance(embedding: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """How far views and targets differ: each by itself, and the similarities of undamaged ones."""
    target, weight = batch["targets"], batch["weights"]
    embedding = functional.normalize(embedding)
    each = (weight * (1 - (embedding * target).sum(1))).sum() / weight.sum()
    mine, theirs = embedding[weight == 1], target[weight == 1]
    return each + PAIRS * (mine @ mine.T - theirs @ theirs.T).square().mean()


@torch.no_grad()
def solve_last_layer(model: Embedder, batches: Iterator[dict[str, Tensor]]) -> None:
    """Ridge regression from the features of some batches to their targets."""
    some = [
        (model.features(scaled(batch["views"].numpy())), batch["targets"])
        for batch in islice(batches, SOLVED)
    ]
    seen, targets = (torch.cat(part).double() for part in zip(*some))
    inputs = torch.cat([seen, torch.ones(len(seen), 1)], 1)
    moment = inputs.T @ inputs
    moment += RIDGE * moment.diagonal().mean() * torch.eye(len(moment))
    solution = LENGTH * torch.linalg.solve(moment, inputs.T @ targets)
    model.linear.weight.copy_(solution[:-1].T)
    model.linear.bias.copy_(solution[-1])


@torch.no_grad()
def embed(model: Embedder, crops: np.ndarray) -> np.ndarray:
    """Unit embeddings of aligned uint8 crops by the network under training."""
    starts = range(0, len(crops), 128)
    parts = [model(scaled(crops[start : start + 128])) for start in starts]
    return functional.normalize(torch.cat(parts)).numpy()


class Judge:
    """Held-out verification beside the teacher, to watch while training."""

    def __init__(self) -> None:
        teach = teacher.Teacher(32)
        self.crops, identities = verification.held_out()
        self.index, self.same = verification.pairs(identities)
        self.target = teacher.mirrored(teach, self.crops)
        self.reference = verification.accuracy(self.target, self.index, self.same)
        faces = np.load(data.WORK / "faces.npz")
        clear = np.flatnonzero(
            (faces["source"] == data.SOURCE_IDS["utkface"]) & (faces["split"] != data.TRAIN)
        )
        wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.clear = np.stack([views.aligned(wides[row]) for row in clear])
        self.clear_target = teacher.mirrored(teach, self.clear)

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
    parser.add_argument("--minutes", type=float, default=140)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge-every", type=int, default=400, help="steps")


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    resumes = CHECKPOINT.exists()
    batches = morphs.stream(int(resumes and CHECKPOINT.stat().st_mtime))
    judge = Judge()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Embedder().to(memory_format=torch.channels_last)
    maps = Maps(batches, model.blocks)
    if not resumes:
        onnx_export.averaged_weights(blocks.CHECKPOINT, model)
        solve_last_layer(model, batches)
    run = Run(model.train(), CHECKPOINT, options.minutes, options.rate, decay=1e-4, muon=False)
    for share in run.steps():
        batch = next(batches)
        mine = model.maps(scaled(batch["views"].numpy()))
        total = distance(model.linear(pooled(mine)), batch)
        if share < ALONE:
            weight = batch["weights"][:, None, None, None]
            of_maps = distances(mine, maps.look(batch), maps.variance, weight).sum()
            total = total + MAPS * (1 - share / ALONE) * of_maps
        run.learn(total)
        if run.step % options.judge_every == 0:
            print(f" step {run.step}: {judge(run.averaged.module)}", flush=True)
    print(f" step {run.step}: {judge(run.averaged.module)}")
