"""Write the trained networks as ONNX into the pack, and check them against PyTorch."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

import data
import detector_model
import embedder_model
import yunet

OPSET = 17


def write(model: nn.Module, example: torch.Tensor, path: Path, inputs: str, outputs: list[str],
          axes: dict[str, dict[int, str]]) -> None:
    """Export a network in evaluation mode, batch norms folded, and check the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        model.eval(), (example,), str(path), input_names=[inputs], output_names=outputs,
        dynamic_axes=axes, opset_version=OPSET, dynamo=False,
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
    session = yunet.session(path)
    actual = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    return max(float(np.abs(a - e.numpy()).max()) for a, e in zip(actual, expected))


def write_detector(model: detector_model.Detector, path: Path) -> nn.Module:
    """Export the detector; height and width stay free."""
    exported = detector_model.Exported(model)
    axes = {"image": {0: "N", 2: "H", 3: "W"}} | {name: {0: "N", 1: f"A{name.split('_')[1]}"} for name in detector_model.OUTPUTS}
    write(exported, torch.zeros(1, 3, 320, 320), path, "image", detector_model.OUTPUTS, axes)
    return exported


def write_embedder(model: embedder_model.Embedder, path: Path) -> nn.Module:
    """Export the embedder; the batch stays free."""
    axes = {"face": {0: "N"}, "embedding": {0: "N"}}
    write(model, torch.zeros(1, 3, 112, 112), path, "face", ["embedding"], axes)
    return model


def averaged_weights(checkpoint: Path, model: nn.Module, part: str = "") -> nn.Module:
    """Load the averaged weights of a training checkpoint, or of a part of what it trained, into a fresh network."""
    saved = torch.load(checkpoint, map_location="cpu")["averaged"]
    prefix = f"module.{part}"
    model.load_state_dict({k.removeprefix(prefix): v for k, v in saved.items() if k.startswith(prefix)})
    return model.eval()


def main() -> None:
    """Export what has been trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, default=data.PACK)
    pack = parser.parse_args().pack
    random = torch.Generator().manual_seed(0)
    checkpoint = data.WORK / "detector.pt"
    if checkpoint.exists():
        model = write_detector(averaged_weights(checkpoint, detector_model.Detector()), pack / "detector.onnx")
        image = torch.rand(2, 3, 160, 224, generator=random) * 255
        print(f"detector: {largest_difference(model, pack / 'detector.onnx', image):.2e} from PyTorch")
    checkpoint = data.WORK / "embedder.pt"
    if checkpoint.exists():
        model = write_embedder(averaged_weights(checkpoint, embedder_model.Embedder(), "embedder."), pack / "embedder.onnx")
        faces = torch.rand(3, 3, 112, 112, generator=random) * 2 - 1
        print(f"embedder: {largest_difference(model, pack / 'embedder.onnx', faces):.2e} from PyTorch")


if __name__ == "__main__":
    main()
