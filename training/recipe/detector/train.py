"""Train the detector on random views of photographs, with the teacher at its side.

Labels are what several looks of the teacher agree on. Where they decide nothing, and where the
teacher's look at the view agrees with them, its score is a target too: it grades what labels only
call right or wrong. At first its inner maps count as well.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from torch.nn import functional

from recipe.common import data, onnx_export, warm
from recipe.common.loop import Run
from recipe.common.maps import distances, variances
from recipe.detector import blocks
from recipe.detector.examples import BOX, KEYPOINTS, MASK, Stream, lessons
from recipe.detector.model import STRIDES, Detector, normalized

CHECKPOINT = data.WORK / "detector.pt"
SURE, SURELY_NOT = 0.6, 0.4
"""Scores from which, and under which, the teacher agrees with a label."""
MAPS, ALONE = 0.3, 0.6
"""Weight of the inner maps at the start, and share of the time from which they count nothing."""
GRADES, POINTS = 10.0, 2.0
"""Weights of the teacher's scores and of the landmarks, beside 1 of labels and boxes: the verifier
finds landmarks anew, but nothing that is not found."""
FRESH, LARGE = 0.45, 0.12
"""Share of images that are new in a batch, and of batches of large images."""


def overlap(mine: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of boxes [N, 4] by center and size (Rezatofighi et al., 2019)."""
    low_a, high_a = mine[:, :2] - mine[:, 2:] / 2, mine[:, :2] + mine[:, 2:] / 2
    low_b, high_b = true[:, :2] - true[:, 2:] / 2, true[:, :2] + true[:, 2:] / 2
    inter = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(1)
    union = mine[:, 2:].prod(1) + true[:, 2:].prod(1) - inter
    hull = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).prod(1)
    iou = inter / union
    return iou, iou - (hull - union) / hull


def focal(logits: Tensor, wanted: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Quality focal loss, summed (Li et al., 2020): errors count by how wrong they are."""
    wrong = (torch.sigmoid(logits) - wanted).square()
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (weight * wrong * entropy).sum()


def loss(raw: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Class, objectness, box and landmark loss over all strides.

    As in YuNet the class is that of a cell if there is a face in it: objectness alone decides
    whether there is.
    """
    total, faces = torch.zeros(()), 0
    for stride, out, want in zip(STRIDES, raw, wanted):
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
        total = total + focal(hit[:, 0], torch.ones(len(hit)))
        total = total + focal(out[counted, 1], quality[counted])
        total = total + (1 - generalized).sum()
        total = total + POINTS * functional.smooth_l1_loss(
            miss, torch.zeros_like(miss), beta=0.01, reduction="sum"
        )
        faces += len(hit)
    return total / max(faces, 1)


def grade_loss(raw: list[Tensor], taught: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """How far class and objectness are from the teacher's, where labels don't contradict it."""
    total, faces = torch.zeros(()), 0
    for mine, theirs, want in zip(raw, taught, wanted):
        label, graded = want[:, MASK], torch.sigmoid(theirs[:, :2])
        score = graded.prod(1).sqrt()
        agreed = (label < 0) | (label > 0) & (score > SURE) | (label == 0) & (score < SURELY_NOT)
        objectness = graded[:, 1]
        total = total + focal(mine[:, 0], graded[:, 0], agreed * objectness)
        total = total + focal(mine[:, 1], objectness, agreed)
        faces += int((label > 0).sum())
    return total / max(faces, 1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=50)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="begin with the pack's weights")


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Detector().to(memory_format=torch.channels_last)
    resumes = CHECKPOINT.exists()
    seed = int(resumes and CHECKPOINT.stat().st_mtime)
    batches = lessons(Stream(seed, options.batch, FRESH, LARGE))
    some = [next(batches) for _ in range(blocks.MEASURED)]
    scale = variances([maps for _, _, maps, _ in some])
    if options.warm:
        warm.start(model, data.PACK / "detector.onnx", some[0][0].float())
    elif not resumes:
        onnx_export.averaged_weights(blocks.CHECKPOINT, model)
    run = Run(model.train(), CHECKPOINT, options.minutes, options.rate, decay=0.02, muon=False)
    for share in run.steps():
        images, wanted, maps, taught = next(batches)
        mine, raw = model.maps(normalized(images.float()))
        total = loss(raw, wanted) + GRADES * grade_loss(raw, taught, wanted)
        importance = MAPS * max(0.0, 1 - share / ALONE)
        run.learn(total + importance * distances(mine, maps, scale).sum())
