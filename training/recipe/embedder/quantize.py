"""Make the exported embedder compute with 8-bit integers: less than half of the time and memory.

Weights have 7 bits, per output channel: products of 8-bit activations then stay within the 16 bits
in which processors without VNNI add them up, so that every x86 processor gives the same vectors.
What little time goes into stays in floating point: the first convolution, those on the last map,
and linear layers. The last layer is fit again, by least squares, so that it undoes what the
rounding before it does on average.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from recipe.common import data, onnx_runtime
from recipe.embedder import views

RANGED, FITTED, BATCH = 512, 6000, 32
"""Training faces that set the ranges of the activations, and that fit the last layer."""
EXACT = ("/blocks.0/first/", "/head/", "/gather/")
"""Parts of the network whose convolutions are not rounded: most noise for the time they take."""
RIDGE = 1.0
"""Pull towards the layer as it was, in units of the mean variance of a feature."""


class Crops(CalibrationDataReader):
    """Training faces as the network gets them, every second one damaged."""

    def __init__(self, name: str, most: int):
        faces = np.load(data.WORK / "faces.npz")
        self.wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.rng = np.random.default_rng(11)
        rows = self.rng.permutation(np.flatnonzero(faces["split"] == data.TRAIN))[:most]
        self.parts = np.array_split(np.sort(rows), max(len(rows) // BATCH, 1))
        self.name, self.next = name, 0

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch [N, 3, 112, 112], or None at the end."""
        if self.next == len(self.parts):
            return None
        crops = np.stack([views.aligned(self.wides[row]) for row in self.parts[self.next]])
        crops[::2] = [views.damaged(crop, self.rng) for crop in crops[::2]]
        tensor = ((crops.astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2)
        self.next += 1
        return {self.name: np.ascontiguousarray(tensor)}


def rounded(source: Path, path: Path) -> None:
    """Quantize the network at `source`, but for the exact parts, to `path`."""
    name = onnx_runtime.session(source).get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        names = [node.name for node in onnx.load(prepared).graph.node]
        quantize_static(
            prepared,
            path,
            Crops(name, RANGED),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu"],
            nodes_to_exclude=[name for name in names if name.startswith(EXACT)],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def fit(source: Path, model: onnx.ModelProto) -> None:
    """Fit the last layer of a quantized embedder to the embeddings of the one at `source`."""
    last = next(node for node in model.graph.node if "embedding" in node.output)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    slope, bias = (numpy_helper.to_array(weights[name]) for name in last.input[1:])
    before = np.column_stack([slope, bias]).T.astype(np.float64)

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.append(helper.make_tensor_value_info(last.input[0], TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shown.onnx"
        onnx.save(shown, path)
        mine, wanted = onnx_runtime.session(path), onnx_runtime.session(source)
    features, targets = [], []
    crops = Crops(wanted.get_inputs()[0].name, FITTED)
    for batch in tqdm(iter(crops.get_next, None), total=len(crops.parts), mininterval=10):
        features.append(mine.run([last.input[0]], batch)[0])
        targets.append(wanted.run(["embedding"], batch)[0])
    inputs = np.concatenate(features).astype(np.float64)
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    gram = inputs.T @ inputs
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    missing = inputs.T @ (np.concatenate(targets) - inputs @ before)
    after = (before + np.linalg.solve(gram, missing)).T.astype(np.float32)
    for name, values in zip(last.input[1:], (after[:, :-1], after[:, -1])):
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)


def execute(options: argparse.Namespace) -> None:
    """Replace the pack's embedder, and print how close the new one is on training faces."""
    path = options.pack / "embedder.onnx"
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "embedder.onnx"
        rounded(path, new)
        model = onnx.load(new)
        fit(path, model)
        onnx.save(model, new)
        sessions = [onnx_runtime.session(which) for which in (path, new)]
        batch = Crops(sessions[0].get_inputs()[0].name, BATCH).get_next()
        first, second = (session.run(["embedding"], batch)[0] for session in sessions)
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        cosine = float(((first * second).sum(1) / lengths).mean())
        path.write_bytes(new.read_bytes())
    print(f"embedder: cosine {cosine:.4f} to the one in floating point")
