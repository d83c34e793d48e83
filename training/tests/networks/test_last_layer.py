"""The embedder's last layer in closed form, its quality, and the damages of its views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from randomized import randomized

from recipe.common import onnx_export
from recipe.embedder import damages, export, last_layer, lessons, quality, solve
from recipe.embedder.model import Embedder

RNG = np.random.default_rng


@pytest.mark.parametrize("kind", damages.KINDS)
def test_a_damage_keeps_the_crop_and_changes_it(kind: damages.Callable) -> None:
    face = RNG(0).integers(0, 255, (112, 112, 3), np.uint8)
    damage = kind(RNG(1))
    assert damage.paint(face, RNG(2)).shape == face.shape
    is_painted = (damage.paint(face, RNG(2)) != face).any()
    assert is_painted or not np.allclose(damage.place(RNG(3)), damages.IDENTITY)


def test_labeled_faces_move_towards_their_person_and_others_stay() -> None:
    targets = np.eye(4, dtype=np.float32)
    moved = lessons.towards_person(targets, np.array([7, 7, -1, 8]), np.array([True] * 3 + [False]))
    assert moved[0] @ moved[1] > 0.4
    np.testing.assert_array_equal(moved[2:], targets[2:])


def test_the_last_layer_finds_a_linear_map_and_ignores_what_is_no_face() -> None:
    seen, truth = RNG(0).normal(size=(4000, 6)), RNG(1).normal(size=(128, 6))
    targets = seen @ truth.T / 10
    groups = np.where(np.arange(4000) < 3000, lessons.NOT_DAMAGED, lessons.NO_FACE)
    targets[3000:] = 100
    trained = np.zeros((128, 6)), np.full(128, 1 / np.sqrt(128))
    weight, bias = last_layer.solve(seen, targets, groups, trained)
    np.testing.assert_allclose(weight, truth / 10, atol=0.02)
    assert np.abs(bias).max() < 0.02


def test_the_exported_network_answers_what_was_solved(tmp_path: Path) -> None:
    model = randomized(Embedder())
    crops = RNG(0).integers(0, 255, (40, 112, 112, 3), np.uint8)
    seen = last_layer.features(model, crops).astype(np.float64)
    targets = np.eye(128)[np.arange(40)]
    groups = np.repeat([lessons.NOT_DAMAGED, 0, lessons.NO_FACE], [20, 15, 5])
    network = solve.rated(model, seen, targets, groups)
    export.write(network, tmp_path / "e.onnx")
    faces = torch.rand(3, 3, 112, 112) * 2 - 1
    assert onnx_export.largest_difference(network, tmp_path / "e.onnx", faces) < 1e-2


def test_quality_as_layers_equals_the_fit() -> None:
    seen = RNG(0).normal(size=(300, 8))
    groups = np.where(np.arange(300) < 250, 0, lessons.NO_FACE)
    fitted = quality.fit(seen, np.where(seen[:, 0] > 0, 0.9, 0.1), groups)
    assert (
        fitted.logits(seen)[seen[:, 0] > 0.5].min() > fitted.logits(seen)[seen[:, 0] < -0.5].max()
    )
    with torch.no_grad():
        again = quality.layers(fitted)(quality.tensor(seen))[:, 0].numpy()
    np.testing.assert_allclose(again, fitted.logits(seen), atol=1e-3)
