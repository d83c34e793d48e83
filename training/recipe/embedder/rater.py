"""The pack's embedder in ONNX Runtime, and the weights of its qualities."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recipe.common import data, onnx_runtime

CALIBRATION = data.WORK / "embedder.json"
"""Weights and curve of the last `recipe calibrate-embedder`."""
CHUNK = 32


class Rater:
    """Unit embeddings [N, 128] of aligned RGB crops uint8 [N, 112, 112, 3], and their qualities."""

    def __init__(self, path: Path):
        self.session = onnx_runtime.session(path)
        self.input = self.session.get_inputs()[0].name

    def look(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings [N, 128] and qualities [N]."""
        parts = []
        for start in range(0, len(crops), CHUNK):
            some = (crops[start : start + CHUNK].astype(np.float32) - 127.5) / 127.5
            feed = {self.input: np.ascontiguousarray(some.transpose(0, 3, 1, 2))}
            parts.append(self.session.run(["embedding", "quality"], feed))
        embedding, quality = (np.concatenate(part) for part in zip(*parts))
        return embedding / np.linalg.norm(embedding, axis=1, keepdims=True), quality[:, 0]

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Embeddings [N, 128]."""
        return self.look(crops)[0]


@dataclass(frozen=True)
class Weights:
    """How much an embedding of each quality counts: piecewise linear, flat beyond its ends."""

    cosine: tuple[float, ...]
    """Qualities, which are expected cosines."""
    weight: tuple[float, ...]

    def __call__(self, embeddings: np.ndarray, quality: np.ndarray) -> np.ndarray:
        """Embeddings [N, 128] as the server keeps them."""
        return embeddings * np.interp(quality, self.cosine, self.weight)[:, None]


def calibrated() -> dict[str, dict[str, list[float]]]:
    """What `recipe calibrate-embedder` found: `quality` and `calibration` of `pack.toml`."""
    if not CALIBRATION.exists():
        raise SystemExit(f"{CALIBRATION} is missing: run `recipe calibrate-embedder` first")
    return json.loads(CALIBRATION.read_text())
