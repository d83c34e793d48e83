"""The embedder's bank of views, shapes and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from randomized import randomized

from recipe.common import onnx_export
from recipe.embedder import export, teacher, train
from recipe.embedder.bank import Bank
from recipe.embedder.model import Embedder, Rated


def test_the_exported_embedder_matches_pytorch(tmp_path: Path) -> None:
    model = randomized(Rated(Embedder()))
    export.write(model, tmp_path / "e.onnx")
    faces = torch.rand(3, 3, 112, 112) * 2 - 1
    assert onnx_export.largest_difference(model, tmp_path / "e.onnx", faces) < 1e-3
    assert (tmp_path / "e.onnx").stat().st_size < 14e6


def test_the_bank_keeps_the_newest_rows() -> None:
    bank = Bank(rows=5)
    for first in (0, 3):
        numbers = np.arange(first, first + 3)
        crops = np.broadcast_to(numbers[:, None, None, None], (3, 112, 112, 3))
        maps = [np.zeros((3, *shape), np.int8) for shape in teacher.MAPS.values()]
        bank.put(crops, np.repeat(numbers[:, None], 128, 1), maps)
    assert bank.count == 5 and bank.take(20, np.random.default_rng(0)).max() < 5
    assert bank.views[:, 0, 0, 0].tolist() == bank.targets[:, 0].tolist() == [5, 1, 2, 3, 4]


def test_the_pupil_has_maps_of_the_teachers_shapes() -> None:
    embedding, maps = train.Pupil().eval()(torch.zeros(2, 3, 112, 112))
    assert embedding.shape == (2, 128)
    assert [tuple(m.shape[1:]) for m in maps] == list(teacher.MAPS.values())
