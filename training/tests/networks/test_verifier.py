"""The verifier's labels, export and Confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from randomized import randomized

from recipe.common import onnx_export
from recipe.detector import views as detector_views
from recipe.verifier import export, views
from recipe.verifier.model import Verifier
from recipe.verifier.spec import SIDE


def test_half_a_face_and_what_touches_a_doubt_decide_nothing() -> None:
    face, doubt = np.array([[100, 100, 160, 180.0]]), np.array([[200, 20, 240, 70.0]])
    view = detector_views.View(np.zeros((320, 320, 3), np.uint8), face, ignored=doubt)
    finds = np.array(
        [[102, 100, 160, 180], [130, 100, 190, 180], [205, 25, 240, 70], [10, 200, 60, 260.0]]
    )
    assert views.labels(view, finds).tolist() == [0, -2, -2, -1]


def test_the_exported_verifier_matches_pytorch(tmp_path: Path) -> None:
    model = randomized(Verifier())
    export.write(model, tmp_path / "v.onnx")
    crops = torch.rand(3, 3, SIDE, SIDE) * 2 - 1
    assert onnx_export.largest_difference(model, tmp_path / "v.onnx", crops) < 1e-3
