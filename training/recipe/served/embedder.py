"""What the server keeps of a face: the pack's embedder on the aligned crop, with its weights."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from recipe.common import onnx_runtime
from recipe.served import pixels


class Embedder:
    """The embedder of a pack, with its weights of views."""

    def __init__(self, pack: Path):
        spec = tomllib.loads((pack / "pack.toml").read_text())
        self.spec, self.quality = spec["embedder"], spec.get("quality")
        self.session = onnx_runtime.session(pack / self.spec["file"])
        self.input = self.session.get_inputs()[0].name

    def run(self, crop: np.ndarray) -> tuple[np.ndarray, float]:
        """Unit vector and rating of one RGB crop."""
        mean, std = (np.array(self.spec[key], np.float32) for key in ("mean", "std"))
        tensor = ((crop.astype(np.float32) - mean) / std).transpose(2, 0, 1)[None]
        names = ["embedding", "quality"] if self.quality else None
        outputs = self.session.run(names, {self.input: tensor})
        vector = outputs[0][0].astype(np.float64)
        rating = float(outputs[1].ravel()[0]) if self.quality else 1.0
        return vector / np.linalg.norm(vector), rating

    def vector(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The vector that the server keeps of a face."""
        crop = pixels.aligned(image, landmarks, self.spec["size"], 1.0)
        vector, rating = self.run(crop)
        if self.spec.get("flip", False):
            mirrored, other = self.run(np.ascontiguousarray(crop[:, ::-1]))
            vector, rating = vector + mirrored, (rating + other) / 2
            vector /= np.linalg.norm(vector)
        if self.quality:
            vector *= np.interp(rating, self.quality["cosine"], self.quality["weight"])
        return vector
