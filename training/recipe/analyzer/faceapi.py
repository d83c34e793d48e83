"""Two small teachers of face-api.js (MIT), rebuilt from their tfjs weights.

One gives age and gender, the other the expression.

The weights are uint8 with a scale and an offset per tensor; the graphs follow the library's
TinyXception and dense feature extractor. Inputs are RGB uint8 [N, 112, 112, 3].
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

MEAN = torch.tensor([122.782, 117.001, 104.298]).reshape(1, 3, 1, 1)
EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def read_weights(models: Path, name: str) -> dict[str, Tensor]:
    """Every tensor of a tfjs manifest, dequantised to float32, in TensorFlow's layout."""
    weights: dict[str, Tensor] = {}
    for group in json.loads((models / f"{name}-weights_manifest.json").read_text()):
        blob, at = (
            b"".join((models / f"face-api-{path}").read_bytes() for path in group["paths"]),
            0,
        )
        for entry in group["weights"]:
            scale = entry.get("quantization")
            kind = np.dtype(scale["dtype"] if scale else entry["dtype"])
            size = int(np.prod(entry["shape"]))
            values = np.frombuffer(blob, kind, size, at).astype(np.float32).reshape(entry["shape"])
            at += size * kind.itemsize
            if scale:
                values = values * np.float32(scale["scale"]) + np.float32(scale["min"])
            weights[entry["name"]] = torch.from_numpy(values.copy())
    return weights


class TfjsNetwork:
    """TensorFlow's `same` convolutions on a table of named weights."""

    def __init__(self, models: Path, name: str) -> None:
        self.weights = read_weights(models, f"face-api-{name}")

    def conv(
        self, x: Tensor, name: str, kernel: str = "filters", stride: int = 1, bias: bool = True
    ) -> Tensor:
        """A convolution padded as TensorFlow pads: the odd pixel goes right and below."""
        weight = self.weights[f"{name}/{kernel}"]
        depthwise = kernel == "depthwise_filter"
        weight = weight.permute(2, 3, 0, 1) if depthwise else weight.permute(3, 2, 0, 1)
        total = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
        x = functional.pad(x, (total // 2, total - total // 2) * 2)
        return functional.conv2d(
            x,
            weight,
            self.weights[f"{name}/bias"] if bias else None,
            stride,
            groups=x.shape[1] if depthwise else 1,
        )

    def separable(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """Depthwise 3 x 3, then pointwise with the bias."""
        return self.conv(
            self.conv(x, name, "depthwise_filter", stride, bias=False), name, "pointwise_filter"
        )

    def linear(self, x: Tensor, name: str) -> Tensor:
        """A fully connected layer."""
        return x @ self.weights[f"{name}/weights"] + self.weights[f"{name}/bias"]

    @staticmethod
    def tensor(faces: np.ndarray, scale: float) -> Tensor:
        """Normalized NCHW input."""
        return (torch.from_numpy(faces).permute(0, 3, 1, 2).float() - MEAN) / scale


class AgeGenderTeacher(TfjsNetwork):
    """Age in years [N] and the probability of male [N]."""

    def __init__(self, models: Path) -> None:
        super().__init__(models, "age_gender_model")

    def reduction(self, x: Tensor, name: str, activate: bool = True) -> Tensor:
        """Two separable convolutions and a pooling beside a strided shortcut."""
        out = self.separable(functional.relu(x) if activate else x, f"{name}/separable_conv0")
        out = self.separable(functional.relu(out), f"{name}/separable_conv1")
        out = functional.max_pool2d(functional.pad(out, (0, 1, 0, 1), value=-torch.inf), 3, 2)
        return out + self.conv(x, f"{name}/expansion_conv", stride=2)

    @torch.inference_mode()
    def __call__(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = functional.relu(self.conv(self.tensor(faces, 256), "entry_flow/conv_in", stride=2))
        x = self.reduction(x, "entry_flow/reduction_block_0", activate=False)
        x = self.reduction(x, "entry_flow/reduction_block_1")
        for block in range(2):
            out = x
            for index in range(3):
                out = self.separable(
                    functional.relu(out), f"middle_flow/main_block_{block}/separable_conv{index}"
                )
            x = x + out
        x = self.reduction(x, "exit_flow/reduction_block")
        pooled = functional.relu(self.separable(x, "exit_flow/separable_conv")).mean((2, 3))
        gender = self.linear(pooled, "fc/gender").softmax(1)
        return self.linear(pooled, "fc/age")[:, 0].numpy(), gender[:, 0].numpy()


class ExpressionTeacher(TfjsNetwork):
    """Probabilities [N, 7] in the order of EXPRESSIONS."""

    def __init__(self, models: Path) -> None:
        super().__init__(models, "face_expression_model")

    def dense(self, x: Tensor, name: str, first: bool) -> Tensor:
        """Four convolutions, each fed with the sum of those before it."""
        step = self.conv if first else self.separable
        total = out = functional.relu(step(x, f"{name}/conv0", stride=2))
        for index in range(1, 4):
            out = self.separable(
                out if index == 1 else functional.relu(total), f"{name}/conv{index}"
            )
            total = total + out
        return functional.relu(total)

    @torch.inference_mode()
    def __call__(self, faces: np.ndarray) -> np.ndarray:
        x = self.tensor(faces, 255)
        for index in range(4):
            x = self.dense(x, f"dense{index}", first=index == 0)
        return self.linear(x.mean((2, 3)), "fc").softmax(1).numpy()
