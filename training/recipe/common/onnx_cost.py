"""How large an ONNX network is and how much it computes."""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx
from onnx import shape_inference


def cost(path: Path, shapes: dict[str, list[int]]) -> tuple[float, float, float]:
    """Parameters (millions), multiply-accumulates (millions) and file size (MB) of a network.

    `shapes` fixes the size of every input. Convolutions and linear layers count, the rest is free.
    """
    model = onnx.load(path)
    for value in model.graph.input:
        for axis, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            axis.dim_value = size
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    sizes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    macs = 0
    for node in graph.node:
        kernel = weights.get(node.input[1], []) if len(node.input) > 1 else []
        if node.op_type == "Conv":
            macs += prod(kernel) * prod(sizes[node.output[0]][2:])
        elif node.op_type in ("Gemm", "MatMul"):
            macs += prod(kernel)
    parameters = sum(prod(dims) for dims in weights.values())
    return parameters / 1e6, macs / 1e6, path.stat().st_size / 1e6


def summary(path: Path, shapes: dict[str, list[int]]) -> str:
    """The cost of a network in words, as the model card has it."""
    millions, macs, size = cost(path, shapes)
    return f"{millions:.2f} M parameters, {macs:.0f} MMACs, {size:.1f} MB"
