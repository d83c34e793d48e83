"""Write the trained detector as ONNX into the pack, and check it against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from recipe.common import onnx_export
from recipe.detector.model import OUTPUTS, Detector, Exported
from recipe.detector.train import CHECKPOINT


def write(model: Detector, path: Path) -> nn.Module:
    """Export the detector; height and width stay free."""
    exported = Exported(model)
    axes = {name: {0: "N", 1: f"A{name.split('_')[1]}"} for name in OUTPUTS}
    axes["image"] = {0: "N", 2: "H", 3: "W"}
    onnx_export.write(exported, torch.zeros(1, 3, 320, 320), path, "image", OUTPUTS, axes)
    return exported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    onnx_export.add_arguments(parser, CHECKPOINT)


def execute(options: argparse.Namespace) -> None:
    """Export what has been trained, and print how far ONNX Runtime is from PyTorch."""
    path = options.pack / "detector.onnx"
    model = write(onnx_export.averaged_weights(options.checkpoint, Detector()), path)
    image = torch.rand(2, 3, 160, 224, generator=torch.Generator().manual_seed(0)) * 255
    print(f"detector: {onnx_export.largest_difference(model, path, image):.2e} from PyTorch")
