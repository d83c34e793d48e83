"""The analyzer: a small dense residual network with one linear head per output, and its losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recipe.analyzer.spec import AGES, ATTRIBUTES, EMOTIONS, OUTPUTS
from recipe.common.layers import Block, conv

WIDTHS, DEPTHS = (24, 48, 80, 128), (0, 1, 2, 2)
GRID, NECK, FEATURES = 6, 24, 128
"""Side that the last map is brought to, channels of it that keep their place, and their mixture."""
POSE_UNIT, GAZE_UNIT, AGE_UNIT = 10.0, 10.0, 10.0
"""Degrees and years per unit of the heads' and losses' scale."""
CONFUSED = EMOTIONS.index("CONFUSED")
# Where the landmarks of an average face are, so that the head learns differences: half the crop.
CENTER = 0.5


class Analyzer(nn.Module):
    """RGB crops [N, 3, S, S] scaled to -1..1 (S = 64 in use) to raw outputs by name.

    Raw means: landmarks 0..1 of the crop, pose in degrees, eye direction in degrees with a logit,
    and logits for all else; export.py turns the logits into calibrated probabilities.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width, depth in zip(WIDTHS, DEPTHS):
            layers += [conv(inputs, width, stride=2), nn.ReLU()]
            layers += [Block(width) for _ in range(depth)]
            inputs = width
        self.features = nn.Sequential(*layers)
        self.neck = nn.Sequential(conv(inputs, NECK, kernel=1), nn.ReLU())
        self.mix = nn.Sequential(
            nn.Linear(NECK * GRID**2, FEATURES, bias=False), nn.BatchNorm1d(FEATURES), nn.ReLU()
        )
        self.heads = nn.ModuleDict()
        for name, shape in OUTPUTS.items():
            self.heads[name] = nn.Linear(inputs + FEATURES, int(torch.tensor(shape).prod()))
        # Only for training: identity is informative about age, gender and beard.
        self.identity = nn.Linear(inputs + FEATURES, 128)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        placed = self.neck(x)
        if placed.shape[-1] != GRID:
            placed = functional.interpolate(
                placed, (GRID, GRID), mode="bilinear", align_corners=False
            )
        x = torch.cat([x.mean((2, 3)), self.mix(placed.flatten(1))], 1)
        out = {name: head(x) for name, head in self.heads.items()} | {"identity": self.identity(x)}
        out["landmarks"] = out["landmarks"].unflatten(1, OUTPUTS["landmarks"]) + CENTER
        out["pose"] = out["pose"] * POSE_UNIT
        scale = torch.tensor([GAZE_UNIT, GAZE_UNIT, 1.0])
        out["eye_direction"] = out["eye_direction"] * scale
        return out


def weighted(loss: Tensor, weight: Tensor) -> Tensor:
    """Mean of a loss over what is known."""
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def losses(out: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each task's loss, already scaled so that the sum trains all of them."""
    off = 100 * (out["landmarks"] - target["landmarks"]).abs().mean(2)
    turn = functional.smooth_l1_loss(
        out["pose"] / POSE_UNIT, target["pose"] / POSE_UNIT, reduction="none", beta=0.3
    )
    flags = functional.binary_cross_entropy_with_logits(
        out["attributes"], target["attributes"], reduction="none"
    )
    known = target["attributes_weight"]
    per_flag = (flags * known).sum(0) / known.sum(0).clamp(min=1)
    mean, spread, age_weight = target["age"].unbind(1)
    years = torch.arange(AGES)
    soft = functional.softmax(
        -0.5 * ((years - mean[:, None]) / spread.clamp(min=1)[:, None]) ** 2, 1
    )
    log_age = functional.log_softmax(out["age"], 1)
    expected = (log_age.exp() * years).sum(1)
    age = -(soft * log_age).sum(1) + (expected - mean).abs() / AGE_UNIT
    # Sets of real labels have no class for confusion, so it takes no part there.
    hard = target["emotions_weight"] > 0.9
    logits = out["emotions"].masked_fill(
        hard[:, None] & (torch.arange(len(EMOTIONS)) == CONFUSED), -30.0
    )
    mood = -(target["emotions"] * functional.log_softmax(logits, 1)).sum(1)
    person = 1 - (functional.normalize(out["identity"]) * target["identity"]).sum(1)
    look, gaze = out["eye_direction"], target["gaze"]
    aim = ((look[:, :2] - gaze[:, :2]) / GAZE_UNIT).abs().mean(1)
    sight = functional.binary_cross_entropy_with_logits(look[:, 2], gaze[:, 2], reduction="none")
    return {
        "landmarks": 0.4 * weighted(off, target["landmarks_weight"]),
        "pose": 2 * weighted(turn.mean(1), target["pose_weight"]),
        "attributes": 4 * per_flag.mean() * len(ATTRIBUTES) / 9,
        "age": 0.5 * weighted(age, age_weight),
        "identity": 2 * person.mean(),
        "emotions": 0.6 * weighted(mood, target["emotions_weight"]),
        "gaze": 0.5 * weighted(aim, target["gaze_weight"] * gaze[:, 2])
        + 0.3 * weighted(sight, target["gaze_weight"]),
    }
