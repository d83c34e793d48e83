"""Calibrate the trained analyzer on the calibration split and write it as ONNX into the pack.

Each attribute's logit gets a scale and an offset (Platt), emotions a temperature and an offset per
class, ages a temperature; all of it is folded into the graph, whose outputs are probabilities.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recipe.analyzer import ages
from recipe.analyzer.model import CONFUSED, Analyzer
from recipe.analyzer.spec import AGES, ATTRIBUTES, EMOTIONS, OUTPUTS, SIDE
from recipe.analyzer.views import Views, normalized
from recipe.common import data, onnx_export
from recipe.common.logistic import fit_logistic

EVEN = ("eyes_open", "beard", "mustache")
"""Attributes calibrated as if true and false were equally frequent: calibrated to their rarity in
CelebA, half of the true ones would be called false."""
MALE, EYES_OPEN = ATTRIBUTES.index("male"), ATTRIBUTES.index("eyes_open")
Values = dict[str, np.ndarray]


@torch.inference_mode()
def raw_outputs(model: Analyzer, views: Views, rows: np.ndarray) -> Values:
    """Raw outputs of the plain crops of some rows."""
    parts = [
        model(normalized(views.plain(some)))
        for some in np.array_split(rows, max(1, len(rows) // 64))
    ]
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in OUTPUTS}


@torch.inference_mode()
def drawn_closed(model: Analyzer, views: Views, rows: np.ndarray) -> np.ndarray:
    """Raw attributes of some rows with their eyes drawn closed."""
    parts = np.array_split(rows, max(1, len(rows) // 64))
    return np.concatenate(
        [model(normalized(views.closed(some)))["attributes"].numpy() for some in parts]
    )


def balance(truth: np.ndarray) -> np.ndarray:
    """Weights of mean 1 that make true and false equally heavy."""
    share = float(np.clip(truth.mean(), 1e-3, 1 - 1e-3))
    return np.where(truth > 0.5, 0.5 / share, 0.5 / (1 - share))


def platt(logit: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Scale and offset of a logit; soft truths are welcome."""
    scale, offset = fit_logistic(
        logit[:, None].astype(np.float64), truth.astype(np.float64), weight=weight
    )
    return float(scale), float(offset)


class Calibrated(nn.Module):
    """The network with its calibration, outputs in the pack's order."""

    def __init__(self, model: Analyzer) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("flag_scale", torch.ones(len(ATTRIBUTES)))
        self.register_buffer("flag_offset", torch.zeros(len(ATTRIBUTES)))
        self.register_buffer("mood_scale", torch.ones(1))
        self.register_buffer("mood_offset", torch.zeros(len(EMOTIONS)))
        self.register_buffer("age_scale", torch.ones(1))
        self.register_buffer("age_offset", torch.zeros(AGES))
        self.register_buffer("age_sharp", torch.ones(len(ages.SEEN)))
        self.register_buffer("sex_offset", torch.zeros(len(ages.SEX_SEEN)))
        self.register_buffer("male", torch.eye(len(ATTRIBUTES))[MALE])
        self.register_buffer("gaze_scale", torch.ones(1))
        self.register_buffer("gaze_offset", torch.zeros(1))

    def calibrate(self, raw: Values, truth: Values) -> None:
        """Fit all scales and offsets to the calibration split.

        `raw` has the attributes of eyes drawn closed as well, as `drawn`.
        """
        for index, name in enumerate(ATTRIBUTES):
            known = truth["attributes_weight"][:, index] >= 0.5
            value, logit = truth["attributes"][known, index], raw["attributes"][known, index]
            if index == EYES_OPEN:
                value = np.append(value, np.zeros(len(raw["drawn"])))
                logit = np.append(logit, raw["drawn"][:, index])
            weight = balance(value) if name in EVEN else np.ones(len(value))
            self.flag_scale[index], self.flag_offset[index] = platt(logit, value, weight)
        hard = truth["emotions_weight"] > 0.9
        logits, moods = torch.tensor(raw["emotions"][hard]), torch.tensor(truth["emotions"][hard])
        scale, offset = (
            torch.ones(1, requires_grad=True),
            torch.zeros(len(EMOTIONS), requires_grad=True),
        )
        seen = torch.arange(len(EMOTIONS)) != CONFUSED
        ages.minimize(
            [scale, offset],
            lambda: (
                functional.cross_entropy((logits * scale + offset)[:, seen], moods[:, seen])
                + 1e-3 * offset.square().sum()
            ),
        )
        self.mood_scale[:], self.mood_offset[:] = scale.detach(), offset.detach()
        aged = truth["age"][:, 2] > 0.9
        scale, offset, sharp = ages.fit_ages(torch.tensor(raw["age"][aged]), truth["age"][aged, 0])
        self.age_scale[:], self.age_offset[:], self.age_sharp[:] = scale, offset, sharp
        self.calibrate_sex(raw, truth)
        looked = truth["gaze_weight"] > 0
        pair = platt(
            raw["eye_direction"][looked, 2], truth["gaze"][looked, 2], np.ones(int(looked.sum()))
        )
        self.gaze_scale[:], self.gaze_offset[:] = pair

    def seen_ages(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of the ages [N, 101] and the age that is seen [N, 1]."""
        return ages.calibrated(logits, self.age_scale, self.age_offset, self.age_sharp)

    def calibrate_sex(self, raw: Values, truth: Values) -> None:
        """Fit the offset of the sex by the age that is seen."""
        known = truth["attributes_weight"][:, MALE] >= 0.5
        _, seen = self.seen_ages(torch.tensor(raw["age"][known]))
        male = (truth["attributes"][known, MALE] > 0.5).astype(int)
        age = truth["age"][known]
        self.flag_scale[MALE], self.sex_offset[:] = ages.fit_sex(
            raw["attributes"][known, MALE], seen, male, age[:, 0], age[:, 2] > 0.9
        )
        self.flag_offset[MALE] = 0

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        out = self.model(x)
        look = out["eye_direction"]
        sight = torch.sigmoid(look[:, 2:] * self.gaze_scale + self.gaze_offset)
        distribution, seen = self.seen_ages(out["age"])
        sex = ages.hats(seen, ages.SEX_SEEN) @ self.sex_offset[:, None]
        flags = out["attributes"] * self.flag_scale + self.flag_offset + sex * self.male
        out |= {
            "attributes": torch.sigmoid(flags),
            "age": distribution,
            "emotions": functional.softmax(out["emotions"] * self.mood_scale + self.mood_offset, 1),
            "eye_direction": torch.cat([look[:, :2], sight], 1),
        }
        return tuple(out[name] for name in OUTPUTS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)
    parser.add_argument("--checkpoint", type=Path, default=data.WORK / "analyzer.pt")


def execute(options: argparse.Namespace) -> None:
    """Calibrate, export, and compare with PyTorch."""
    torch.set_num_threads(1)
    views = Views()
    model = Analyzer().eval()
    onnx_export.averaged_weights(options.checkpoint, model)
    rows = np.flatnonzero(views.faces["split"] == data.CALIBRATION)
    calibrated = Calibrated(model)
    raw = raw_outputs(model, views, rows)
    raw["drawn"] = drawn_closed(model, views, views.closable(rows))
    calibrated.calibrate(raw, {name: table[rows] for name, table in views.tables.items()})
    axes = {name: {0: "N"} for name in ("face", *OUTPUTS)}
    path = options.pack / "analyzer.onnx"
    onnx_export.write(calibrated, torch.zeros(1, 3, SIDE, SIDE), path, "face", list(OUTPUTS), axes)
    faces = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    print(
        f"analyzer: {onnx_export.largest_difference(calibrated, path, faces):.2e} from PyTorch,"
        f" {path.stat().st_size} bytes"
    )
    for index, name in enumerate(ATTRIBUTES):
        print(
            f"  {name:14} logit x {calibrated.flag_scale[index]:.2f}"
            f" + {calibrated.flag_offset[index]:.2f}"
        )
    print(
        f"  emotions x {calibrated.mood_scale.item():.2f}, age x {calibrated.age_scale.item():.2f}"
    )
