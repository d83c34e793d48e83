"""Train the embedder's blocks, each by itself: from the teacher's map before it to that after it.

Every place of a map is a lesson, and no block waits for the ones before it to be right: minutes
bring the network as near to the teacher as training it whole would in hours (blockwise
distillation; Li et al., "DNA", 2020). `recipe train-embedder` then trains the chain.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from recipe.common import data
from recipe.common.loop import Run
from recipe.common.maps import distances
from recipe.embedder import morphs
from recipe.embedder.maps import Maps
from recipe.embedder.model import Embedder, scaled

CHECKPOINT = data.WORK / "embedder-blocks.pt"


def losses(model: Embedder, maps: Maps, views: Tensor, ends: list[Tensor]) -> Tensor:
    """The share [17] of the variance that each block, the head and the gathering leave open."""
    *blocks, head, gathered = ends
    mine = [block.change(before) for block, before in zip(model.blocks, [views, *blocks])]
    mine += [torch.relu(model.head(blocks[-1])), model.gather(head)]
    wanted = [*maps.changes(ends), head, gathered]
    variances = [*maps.variance_of_change, *maps.variance[-2:]]
    return distances(mine, wanted, variances)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--threads", type=int, default=1)


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    batches = morphs.stream(int(CHECKPOINT.exists() and CHECKPOINT.stat().st_mtime))
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Embedder().train().to(memory_format=torch.channels_last)
    maps = Maps(batches, model.blocks)
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=1e-4, muon=False)
    left = torch.zeros(0)
    for _ in run.steps():
        batch = next(batches)
        left = losses(model, maps, scaled(batch["views"].numpy()), maps.look(batch))
        run.learn(left.sum())
    print("left open: " + " ".join(f"{value:.3f}" for value in left.tolist()))
