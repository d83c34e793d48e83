"""Alignment puts landmarks where the template has them."""

from __future__ import annotations

import cv2
import numpy as np

from recipe.common import geometry


def test_similarity_recovers_a_known_transform() -> None:
    points = geometry.template(112)
    turned = geometry.similarity([[0, 0], [1, 0]], [[5, 7], [5, 9]])
    found = geometry.similarity(points, geometry.apply(turned, points))
    np.testing.assert_allclose(found, turned, atol=1e-6)
    assert abs(np.linalg.det(found[:, :2]) - 4) < 1e-6


def test_composed_transforms_apply_in_order() -> None:
    first = geometry.similarity([[0, 0], [1, 0]], [[3, 1], [3, 2]])
    second = geometry.similarity([[0, 0], [1, 0]], [[-1, 4], [1, 4]])
    point = np.array([[2.0, 5.0]])
    both = geometry.apply(geometry.compose(second, first), point)
    np.testing.assert_allclose(both, geometry.apply(second, geometry.apply(first, point)))


def test_alignment_puts_landmarks_on_the_template_even_when_shrinking() -> None:
    landmarks = geometry.template(112) * 8 + 60
    image = np.zeros((1000, 1000, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(image, (round(float(x)), round(float(y))), 24, (255, 255, 255), -1)
    crop = geometry.align(image, landmarks, 112)
    spots = cv2.connectedComponentsWithStats((crop[:, :, 0] > 127).astype(np.uint8))[3][1:]
    gaps = np.linalg.norm(spots[:, None] - geometry.template(112)[None], axis=2).min(1)
    assert len(spots) == 5 and gaps.max() < 0.6
