"""The embedder that teaches: a public MobileFaceNet that takes batches and shows its maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

from recipe.common import data, onnx_runtime

MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD = np.array([0.229, 0.224, 0.225], np.float32) * 255
BLOCKS = [
    *[(f"/features/features.{block}/", (64, 28, 28)) for block in range(5)],
    *[(f"/features/features.{block}/", (128, 14, 14)) for block in range(5, 12)],
    *[(f"/features/features.{block}/", (128, 7, 7)) for block in range(12, 15)],
]
NOT_RESIDUAL = (0, 5, 12)
"""Blocks that change the size or the number of channels: nothing is added to their input."""
MAPS = {
    **{
        name + ("conv/conv.2/Conv_output_0" if block in NOT_RESIDUAL else "Add_output_0"): shape
        for block, (name, shape) in enumerate(BLOCKS)
    },
    "/conv2/conv2.2/Clip_output_0": (512, 7, 7),
    "/gdconv/depthwise/Conv_output_0": (512, 1, 1),
}
"""Inner maps by name, with their shapes: the ends of the blocks, the head, and its gathering."""


@cache
def batched() -> Path:
    """A copy of the teacher whose batch axis is free; the original is fixed to 1."""
    model = onnx.load(data.SHARED / "models" / "mobilefacenet.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"
    shape_name = next(node for node in model.graph.node if node.op_type == "Reshape").input[1]
    for node in model.graph.node:
        if shape_name in node.output:
            node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array([-1, 128])))
    for name, shape in MAPS.items():
        model.graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        )
    data.WORK.mkdir(parents=True, exist_ok=True)
    path = data.WORK / "teacher-embedder.onnx"
    onnx.save(model, path)
    return path


class Teacher:
    """The teacher in OpenVINO with bfloat16: 2-3 times as fast as in float32, cosine > 0.999."""

    def __init__(self, batch: int):
        core = openvino.Core()
        model = core.read_model(batched())
        model.reshape([batch, 3, 112, 112])
        hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
        self.batch, self.model = batch, core.compile_model(model, "CPU", hints)

    def look(self, crops: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Unit embeddings [N, 128] and inner maps of RGB crops [N, 112, 112, 3], N <= batch."""
        tensor = np.zeros((self.batch, 3, 112, 112), np.float32)
        tensor[: len(crops)] = ((crops - MEAN) / STD).transpose(0, 3, 1, 2)
        answer = self.model(tensor)
        out, *maps = (answer[index][: len(crops)] for index in range(1 + len(MAPS)))
        return out / np.linalg.norm(out, axis=1, keepdims=True), maps

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Unit embeddings of any number of crops."""
        return np.concatenate(
            [self.look(crops[i : i + self.batch])[0] for i in range(0, len(crops), self.batch)]
        )


def mirrored(look: Callable[[np.ndarray], np.ndarray], crops: np.ndarray) -> np.ndarray:
    """The directions [N, 128] of the sums of the embeddings of crops and their mirror images."""
    total = look(crops) + look(np.ascontiguousarray(crops[:, :, ::-1]))
    return total / np.linalg.norm(total, axis=1, keepdims=True)


class Embedder:
    """Unit embeddings [N, 128] of aligned RGB uint8 crops [N, 112, 112, 3]."""

    def __init__(self, path: Path | None = None, mean: np.ndarray = MEAN, std: np.ndarray = STD):
        self.session = onnx_runtime.session(path or batched())
        self.input, self.output = (
            self.session.get_inputs()[0].name,
            self.session.get_outputs()[0].name,
        )
        self.mean, self.std = mean, std

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Embed crops of one size."""
        tensor = ((crops.astype(np.float32) - self.mean) / self.std).transpose(0, 3, 1, 2)
        out = self.session.run([self.output], {self.input: np.ascontiguousarray(tensor)})[0]
        return out / np.linalg.norm(out, axis=1, keepdims=True)
