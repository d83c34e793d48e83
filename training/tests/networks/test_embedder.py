"""The embedder's shapes, lessons and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from randomized import randomized
from torch.nn import functional

from recipe.common import onnx_export
from recipe.common.maps import distances, variances
from recipe.embedder import blocks, export, teacher, train, views
from recipe.embedder.maps import Maps
from recipe.embedder.model import Embedder, Rated, scaled


def test_the_exported_embedder_matches_pytorch(tmp_path: Path) -> None:
    model = randomized(Rated(Embedder()))
    export.write(model, tmp_path / "e.onnx")
    faces = torch.rand(3, 3, 112, 112) * 2 - 1
    assert onnx_export.largest_difference(model, tmp_path / "e.onnx", faces) < 1e-3
    assert (tmp_path / "e.onnx").stat().st_size < 14e6


def test_the_blocks_end_where_the_teachers_do() -> None:
    maps = Embedder().eval().maps(torch.zeros(2, 3, 112, 112))
    assert [tuple(m.shape[1:]) for m in maps] == list(teacher.MAPS.values())


def test_a_network_that_looks_like_the_teacher_leaves_nothing_open() -> None:
    model = randomized(Embedder())
    pixels = torch.rand(2, 3, 112, 112) * 2 - 1
    with torch.no_grad():
        ends = model.maps(pixels)
        maps = Maps.__new__(Maps)
        maps.adds = [block.adds for block in model.blocks]
        maps.variance = variances([ends])
        maps.variance_of_change = variances([maps.changes(ends)])
        left = blocks.losses(model, maps, pixels, ends)
        assert max(left) < 1e-8 and len(left) == len(teacher.MAPS)
        weight = torch.ones(2, 1, 1, 1)
        assert distances(ends, ends, maps.variance, weight).sum() == 0
        moved = [end + variance.sqrt() for end, variance in zip(ends, maps.variance)]
        distance = distances(moved, ends, maps.variance, weight).sum()
    assert abs(distance.item() - len(ends)) < 1e-3


def test_the_distance_of_embeddings_is_none_where_they_are_right() -> None:
    targets = functional.normalize(torch.randn(6, 128))
    batch = {"targets": targets, "weights": torch.tensor([1, 0.3, 1, 1, 0.3, 1])}
    assert train.distance(7 * targets, batch) < 1e-6
    assert train.distance(targets.flip(0), batch) > 0.5


def test_the_last_layer_is_solved() -> None:
    model = randomized(Embedder())
    aim = torch.randn(128, 1024) / 32
    batches = []
    with torch.no_grad():
        for _ in range(6):
            crops = torch.randint(0, 256, (16, 112, 112, 3), dtype=torch.uint8)
            seen = model.features(scaled(crops.numpy()))
            batches.append({"views": crops, "targets": seen @ aim.T})
        train.solve_last_layer(model, iter(batches))
        mine = model(scaled(batches[0]["views"].numpy()))
    cosine = functional.cosine_similarity(mine, batches[0]["targets"])
    assert cosine.min() > 0.9


def test_a_face_between_two_has_parts_of_both() -> None:
    dark, light = (np.full((192, 192, 3), value, np.uint8) for value in (10, 210))
    for seed in range(4):
        between = views.mixed(dark, light, np.random.default_rng(seed))
        assert between.shape == dark.shape and 20 < between.mean() < 200
