"""Alignment: similarity transforms from five landmarks to a canonical face."""

from __future__ import annotations

import cv2
import numpy as np

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""ArcFace's 112 x 112 template: image-left eye, right eye, nose, left and right mouth corner."""

WIDE_SIDE = 192
"""Side of the cached crops, in pixels."""
WIDE_SCALE = 0.6
"""How far the template is shrunk around the center in the cached crops."""


def template(side: int, scale: float = 1.0) -> np.ndarray:
    """The five template points [5, 2] in a square crop of `side` pixels."""
    return ((TEMPLATE / 112.0 - 0.5) * scale + 0.5) * side


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity transform [2, 3] from `source` to `target` points [N, 2].

    Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", 1991; in the plane it has this closed form over complex numbers.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    a = (source - source_mean) @ np.array([1, 1j])
    b = (target - target_mean) @ np.array([1, 1j])
    turn = (a.conj() @ b) / max((a.conj() @ a).real, 1e-12)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The affine transform [2, 3] that applies `first`, then `second`."""
    square = np.vstack([first, [0, 0, 1]])
    return second @ square


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Transform points [..., 2] by an affine matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def align(image: np.ndarray, landmarks: np.ndarray, side: int, scale: float = 1.0) -> np.ndarray:
    """Cut the aligned crop [side, side, C] out of an image; what lies outside is 0."""
    matrix = similarity(landmarks, template(side, scale))
    return warp(image, matrix, side)


def warp(image: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Bilinear warp, averaging first where the crop is much smaller than its source."""
    factor = 1.0 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if factor > 2.0:
        ratio = 1.0 / factor
        small = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
        ratios = np.array(small.shape[1::-1]) / image.shape[1::-1]
        linear = matrix[:, :2] / ratios
        offset = matrix[:, :2] @ (0.5 / ratios - 0.5)  # pixel centers sit at halves
        matrix = np.column_stack([linear, matrix[:, 2] + offset])
        image = small
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
