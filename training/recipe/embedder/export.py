"""Write the trained embedder as ONNX into the pack, and check it against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from recipe.common import onnx_export
from recipe.embedder.model import Embedder
from recipe.embedder.train import CHECKPOINT


def write(model: Embedder, path: Path) -> nn.Module:
    """Export the embedder; the batch stays free."""
    axes = {"face": {0: "N"}, "embedding": {0: "N"}}
    onnx_export.write(model, torch.zeros(1, 3, 112, 112), path, "face", ["embedding"], axes)
    return model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    onnx_export.add_arguments(parser, CHECKPOINT)


def execute(options: argparse.Namespace) -> None:
    """Export what has been trained, and print how far ONNX Runtime is from PyTorch."""
    path = options.pack / "embedder.onnx"
    model = write(onnx_export.averaged_weights(options.checkpoint, Embedder(), "embedder."), path)
    faces = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    print(f"embedder: {onnx_export.largest_difference(model, path, faces):.2e} from PyTorch")
