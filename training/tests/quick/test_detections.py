"""Counting and steadying detections."""

from __future__ import annotations

import numpy as np
import pytest

from recipe.detector import evaluate, yunet


def test_tally_counts_found_missed_and_false_faces() -> None:
    points = np.tile(np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30.0]]), (2, 1, 1))
    wanted = yunet.Faces(
        np.array([[0, 0, 50, 50], [200, 200, 250, 250.0]]), points, np.array([0.9, 0.9])
    )
    mine = yunet.Faces(
        np.array([[2, 0, 50, 50], [100, 100, 150, 150.0]]), points + 1, np.array([0.8, 0.5])
    )
    tally = evaluate.Tally()
    evaluate.compare(tally, mine, wanted)
    figures = tally.at(0.4)
    assert (figures["recall"], figures["false_per_image"]) == (0.5, 1.0)
    assert figures["landmark_error"] == pytest.approx(np.sqrt(2) / 20)
    assert tally.at(0.6)["false_per_image"] == 0


def test_steadied_landmarks_are_the_mean_over_sizes_and_mirror_images() -> None:
    points = np.array([[[30, 40], [70, 40], [50, 60], [35, 80], [65, 80.0]]])
    faces = yunet.Faces(np.array([[20, 20, 80, 100.0]]), points, np.array([0.9]))

    def unsteady(image: np.ndarray, side: int) -> yunet.Faces:
        moved, is_mirrored = (side - 200) / 40, image[0, 0, 0] == 9
        landmarks, boxes = points + moved, faces.boxes
        if is_mirrored:  # the image is 200 wide
            landmarks = landmarks[:, [1, 0, 2, 4, 3]] * [-1, 1] + [200, 0]
            boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [200, 0, 200, 0]
        return yunet.Faces(boxes, landmarks, faces.scores)

    image = np.zeros((200, 200, 3), np.uint8)
    image[0, -1] = 9
    steady = yunet.steadied(unsteady, image, 200, faces)
    np.testing.assert_allclose(steady.landmarks, points + np.mean([-1, 0, 1.25]))
