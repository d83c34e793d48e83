"""Write networks as ONNX, and check them against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from recipe.common import data, onnx_runtime

OPSET = 17


def add_arguments(parser: argparse.ArgumentParser, checkpoint: Path) -> None:
    """The options of every export."""
    parser.add_argument("--pack", type=Path, default=data.PACK, help="folder to write to")
    parser.add_argument("--checkpoint", type=Path, default=checkpoint, help="what was trained")


def averaged_weights(checkpoint: Path, model: nn.Module) -> nn.Module:
    """Load the averaged weights of a checkpoint into a fresh network."""
    if not checkpoint.exists():
        raise SystemExit(f"nothing is trained yet: {checkpoint} is missing")
    saved = torch.load(checkpoint, map_location="cpu")["averaged"]
    prefix = "module."
    weights = {k.removeprefix(prefix): v for k, v in saved.items() if k.startswith(prefix)}
    model.load_state_dict(weights)
    return model.eval()


def write(
    model: nn.Module,
    example: torch.Tensor,
    path: Path,
    inputs: str,
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Export a network in evaluation mode, batch norms folded, and check the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model.eval(),
        (example,),
        str(path),
        input_names=[inputs],
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    graph = onnx.load(path)
    graph.ir_version = min(graph.ir_version, 9)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def largest_difference(model: nn.Module, path: Path, example: torch.Tensor) -> float:
    """The largest absolute difference between PyTorch and ONNX Runtime on one input."""
    with torch.no_grad():
        expected = model.eval()(example)
    expected = expected if isinstance(expected, tuple) else (expected,)
    session = onnx_runtime.session(path)
    actual = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    return max(float(np.abs(a - e.numpy()).max()) for a, e in zip(actual, expected, strict=True))
