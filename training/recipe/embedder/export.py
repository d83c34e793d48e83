"""Write the solved embedder as ONNX into the pack, and check it against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from recipe.common import onnx_export
from recipe.embedder.model import Embedder, Rated
from recipe.embedder.solve import SOLVED


def write(model: Rated, path: Path) -> nn.Module:
    """Export the embedder; the batch stays free."""
    outputs = ["embedding", "quality"]
    axes = {name: {0: "N"} for name in ("face", *outputs)}
    onnx_export.write(model, torch.zeros(1, 3, 112, 112), path, "face", outputs, axes)
    return model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    onnx_export.add_arguments(parser, SOLVED)


def execute(options: argparse.Namespace) -> None:
    """Export what has been solved, and print how far ONNX Runtime is from PyTorch."""
    if not options.checkpoint.exists():
        raise SystemExit(f"nothing is solved yet: {options.checkpoint} is missing")
    path, model = options.pack / "embedder.onnx", Rated(Embedder())
    model.load_state_dict(torch.load(options.checkpoint))
    write(model, path)
    faces = torch.rand(3, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    print(f"embedder: {onnx_export.largest_difference(model, path, faces):.2e} from PyTorch")
