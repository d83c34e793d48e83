"""Write the trained verifier as ONNX, and fit Confidence on photos held out from training."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recipe.common import data, onnx_export
from recipe.common.logistic import fit_logistic
from recipe.detector import yunet
from recipe.served import exam, pipeline
from recipe.verifier.model import Verifier
from recipe.verifier.spec import FIGURES, SCALE, SIDE, THRESHOLD
from recipe.verifier.train import CHECKPOINT
from recipe.verifier.views import FACE, NONE


def write(model: Verifier, path: Path) -> None:
    """Export the verifier; the batch stays free."""
    outputs = ["face", "landmarks"]
    axes = {name: {0: "N"} for name in ("crop", *outputs)}
    onnx_export.write(model, torch.zeros(1, 3, SIDE, SIDE), path, "crop", outputs, axes)


def samples(answers: list[exam.Answer]) -> tuple[np.ndarray, np.ndarray]:
    """Log odds and logits [N, 2] of the candidates that are surely faces or none, and which."""
    features, true = [], []
    for answer in answers:
        faces = answer.found.near
        known = yunet.best_overlap(faces.boxes, answer.faces.boxes)
        doubted = yunet.best_overlap(faces.boxes, answer.doubts) * (not answer.photo.empty)
        is_face, is_none = known >= FACE, np.maximum(known, doubted) < NONE
        used = (is_face | is_none) & (faces.scores >= THRESHOLD)
        odds = pipeline.log_odds(faces.scores)
        features.append(np.column_stack([odds, answer.found.near_looks.logits])[used])
        true.append(is_face[used])
    return np.concatenate(features), np.concatenate(true)


def calibrate(pack: Path) -> tuple[float, float, float]:
    """Bias and weights of Confidence, for the detector and the verifier in a folder."""
    settings = pipeline.Settings(pack / "detector.onnx", THRESHOLD)
    settings = replace(
        settings, verifier=pack / "verifier.onnx", size=SIDE, scale=SCALE, refine=True
    )
    questions = exam.questions(data.CALIBRATION)
    features, true = samples(exam.look(pipeline.Served(settings), questions, len(questions)))
    detector, verifier, bias = fit_logistic(features, true.astype(float))
    return float(bias), float(detector), float(verifier)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    onnx_export.add_arguments(parser, CHECKPOINT)


def execute(options: argparse.Namespace) -> None:
    """Export what has been trained, and calibrate it with the detector in the same folder."""
    path = options.pack / "verifier.onnx"
    model = onnx_export.averaged_weights(options.checkpoint, Verifier())
    write(model, path)
    crops = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    print(f"verifier: {onnx_export.largest_difference(model, path, crops):.2e} from PyTorch")
    weights = [round(weight, 4) for weight in calibrate(options.pack)]
    FIGURES.write_text(json.dumps({"calibration": weights}))
    print(f"calibration: {weights}")
