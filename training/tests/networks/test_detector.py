"""The detector's targets, export and warm start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from randomized import randomized

from recipe.common import onnx_export, onnx_runtime, warm
from recipe.detector import examples, export, views, yunet
from recipe.detector.model import OUTPUTS, STRIDES, Detector


def perfect_outputs(maps: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The YuNet outputs of a detector that matches its targets exactly."""
    outputs = {}
    for stride, grid in zip(STRIDES, maps):
        flat = grid.reshape(15, -1).T
        row, column = np.divmod(np.arange(len(flat)), grid.shape[2])
        cell = np.stack([column, row], 1)
        hit = (flat[:, :1] > 0).astype(np.float32)
        size = np.log(np.maximum(flat[:, 3:5], 1) / stride)
        points = (flat[:, 5:].reshape(-1, 5, 2) / stride - cell[:, None]).reshape(-1, 10)
        box = np.concatenate([flat[:, 1:3] / stride - cell, size], 1)
        for name, part in (("cls", hit), ("obj", hit), ("bbox", box), ("kps", points)):
            outputs[f"{name}_{stride}"] = part[None].astype(np.float32)
    return outputs


def test_targets_decode_to_the_faces_they_were_made_of() -> None:
    boxes = np.array([[10, 20, 26, 40], [100, 90, 160, 170], [150, 10, 310, 200.0]])
    landmarks = np.stack([np.linspace(box[:2], box[2:], 5) for box in boxes])
    sample = views.View(np.zeros((320, 320, 3), np.uint8), boxes, landmarks)
    outputs = perfect_outputs(examples.targets(sample, 320))
    faces = yunet.suppress(yunet.decode(outputs, 320, 0.5), 0.45)
    order = np.argsort(faces.boxes[:, 0])
    np.testing.assert_allclose(faces.boxes[order], boxes, atol=1e-2)
    np.testing.assert_allclose(faces.landmarks[order], landmarks, atol=1e-2)


def test_ignored_boxes_are_neither_right_nor_wrong_and_faces_win_over_them() -> None:
    face, doubt = np.array([[100, 90, 160, 170.0]]), np.array([[90, 80, 170, 250.0]])
    landmarks = np.linspace(face[:, :2], face[:, 2:], 5, axis=1)
    sample = views.View(np.zeros((320, 320, 3), np.uint8), face, landmarks, doubt)
    grid = examples.targets(sample, 320)[1][examples.MASK]
    assert grid[8, 8] == 1
    assert grid[14, 8] == -1
    assert grid[18, 8] == 0


def test_the_exported_detector_matches_pytorch(tmp_path: Path) -> None:
    model = randomized(Detector())
    exported = export.write(model, tmp_path / "d.onnx")
    image = torch.rand(2, 3, 96, 160) * 255
    assert onnx_export.largest_difference(exported, tmp_path / "d.onnx", image) < 1e-3
    names = [output.name for output in onnx_runtime.session(tmp_path / "d.onnx").get_outputs()]
    assert names == OUTPUTS
    assert (tmp_path / "d.onnx").stat().st_size < 1.5e6


def test_a_warm_start_matches_the_file(tmp_path: Path) -> None:
    model = randomized(Detector())
    export.write(model, tmp_path / "d.onnx")
    image, fresh = torch.rand(2, 3, 96, 160) * 255, Detector()
    warm.start(fresh, tmp_path / "d.onnx", image)
    assert fresh.training
    with torch.no_grad():
        for mine, wanted in zip(fresh.eval()(image), model(image)):
            torch.testing.assert_close(mine, wanted, atol=1e-3, rtol=1e-3)
