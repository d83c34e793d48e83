"""Begin where the pack is: the weights of an exported network back into PyTorch.

So a fresh machine continues what others have trained instead of starting again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn


def exported_layers(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of each convolution and linear layer, in the order of computation.

    Batch norms that the file keeps are folded into the layer before them.
    """
    graph = onnx.load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    for node in graph.node:
        known = [values[name] for name in node.input[1:] if name in values]
        if node.op_type in ("Conv", "Gemm") and known:
            layers.append(
                (known[0], known[1] if len(known) > 1 else np.zeros(len(known[0]), np.float32))
            )
        elif node.op_type == "MatMul" and known:
            layers.append((known[0].T, np.zeros(known[0].shape[1], np.float32)))
        elif node.op_type == "BatchNormalization":
            scale, offset, mean, variance = known
            epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
            factor = scale / np.sqrt(variance + epsilon)
            weight, bias = layers[-1]
            layers[-1] = (
                weight * factor.reshape(-1, *[1] * (weight.ndim - 1)),
                (bias - mean) * factor + offset,
            )
    return layers


@torch.no_grad()
def start(model: nn.Module, path: Path, example: Tensor) -> None:
    """Put the exported weights into `model`, whose layers run in the file's order.

    Export folds a batch norm into the layer before it. Here each batch norm is set to undo its
    own normalization of `example`, so that the network says what the file says and still learns.
    """
    layers, folded = iter(exported_layers(path)), {}

    def fill(layer: nn.Module, _: tuple[Tensor, ...]) -> None:
        exported = next(layers, None)
        if exported is None:
            return  # what only training uses comes last and is not in the file
        weight, bias = (torch.from_numpy(values.copy()) for values in exported)
        layer.weight.copy_(weight)
        if layer.bias is None:
            folded["shift"] = bias
        else:
            layer.bias.copy_(bias)

    def undo(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x, shift = inputs[0].transpose(0, 1).flatten(1), folded.pop("shift")
        mean, variance = x.mean(1), x.var(1, unbiased=False)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + shift)

    hooks = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            hooks.append(layer.register_forward_pre_hook(fill))
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            hooks.append(layer.register_forward_pre_hook(undo))
    model.eval()(example)
    for hook in hooks:
        hook.remove()
    if next(layers, None) is not None:
        raise ValueError(f"{path} has more layers than the network")
    model.train()
