"""Write the pack's `pack.toml` and `CARD.md` from its networks and the measured figures."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from recipe.analyzer.spec import AGE_RANGE, SCALE, SIDE
from recipe.common import data
from recipe.detector.yunet import NMS_IOU
from recipe.pack.card import card
from recipe.verifier import spec as verifier_spec

VERSION = "0.9.0"
LICENSE = "Apache-2.0 (weights trained on non-commercial research data, see CARD.md)"
DESCRIPTION = (
    "The project's own detector, verifier, embedder and analyzer, taught by small public models."
)
QUALITY = "auto = 0.4\nlow = 0.3\nmedium = 0.55\nhigh = 0.72"
"""Least quality that each value of QualityFilter lets in; set by hand.

Among upright faces of CelebA, AUTO refuses few; among crops of no face, most.
"""
RGB = (
    'color = "rgb"\nmean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]\n'
    'alignment = "arcface-5"'
)
DETECTOR = (
    'family = "yunet"\ncolor = "bgr"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n'
    f"nms_iou = {NMS_IOU}\nmax_side = 768\nmin_side = 256"
)
ANALYZER = f"size = {SIDE}\n{RGB}\nscale = {SCALE}\nage_quantiles = {list(AGE_RANGE)}"


def entry(pack: Path, name: str, rest: str) -> str:
    """One network's table: file, checksum and how to feed it."""
    digest = hashlib.sha256((pack / f"{name}.onnx").read_bytes()).hexdigest()
    return f'[{name}]\nfile = "{name}.onnx"\nsha256 = "{digest}"\n{rest}\n'


def verifier() -> str:
    """How the verifier's crops are cut, and what its logit counts in Confidence."""
    found = json.loads(verifier_spec.FIGURES.read_text())
    return (
        f"size = {verifier_spec.SIDE}\n{RGB}\nscale = {verifier_spec.SCALE}\n"
        f"calibration = {found['calibration']}\nrefine_landmarks = true"
    )


def accuracy(figures: dict[str, dict]) -> dict[str, float]:
    """The figures that `pack.toml` carries, percentages and milliseconds."""
    values: dict[str, float] = {}
    if detector := figures.get("detector"):
        real = detector["sets"]["real"]
        values["detector_recall_percent"] = 100 * real["recall"]
        values["detector_false_positives_per_image"] = real["false_per_image"]
        values["detector_landmark_error_percent"] = 100 * real["landmark_error"]
    if embedder := figures.get("embedder"):
        values["verification_percent"] = 100 * embedder["mine"]["verification"]
        values["verification_share_of_teacher_percent"] = 100 * embedder["share_of_teacher"]
        for line in embedder["mine"]["table"]:
            values[f"false_match_rate_at_{line['similarity']}"] = line["fmr"]
            values[f"miss_rate_at_{line['similarity']}"] = line["fnmr"]
    for name, value in figures.get("analyzer", {}).items():
        if isinstance(value, int | float):
            values[f"analyzer_{name}"] = value
    for name in ("detector 320x320", "embedder", "analyzer"):
        if name in figures.get("timing", {}):
            values[f"{name.split()[0]}_milliseconds"] = figures["timing"][name]
    return values


def toml(pack: Path, figures: dict[str, dict]) -> str:
    """The text of `pack.toml`."""
    curve = figures["embedder"]["calibration"]
    is_verified = (pack / "verifier.onnx").exists()
    threshold = verifier_spec.THRESHOLD if is_verified else figures["detector"]["threshold"]
    detector = f"score_threshold = {threshold}\n{DETECTOR}"
    embedder = f"size = 112\n{RGB}\ndimensions = 128\nflip = false"
    points = f"cosine = {list(curve['cosine'])}\nsimilarity = {list(curve['similarity'])}"
    rated = figures["embedder"]["quality"]
    weights = f"cosine = {list(rated['cosine'])}\nweight = {list(rated['weight'])}"
    parts = [
        f'name = "default"\nversion = "{VERSION}"\nlicense = "{LICENSE}"\n'
        f'description = "{DESCRIPTION}"\n',
        entry(pack, "detector", detector),
        *([entry(pack, "verifier", verifier())] if is_verified else []),
        entry(pack, "embedder", embedder),
        entry(pack, "analyzer", ANALYZER),
        f"[calibration]\n{points}\n",
        f"[quality]\n{weights}\n{QUALITY}\n",
    ]
    lines = [f"{name} = {value:.6g}" for name, value in accuracy(figures).items()]
    return "\n".join([*parts, "[accuracy]", *lines, ""])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)


def execute(options: argparse.Namespace) -> None:
    """Write both files."""
    pack = options.pack
    figures = json.loads((data.WORK / "figures.json").read_text())
    (pack / "pack.toml").write_text(toml(pack, figures))
    (pack / "CARD.md").write_text(card(pack, figures))
