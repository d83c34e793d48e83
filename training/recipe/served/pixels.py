"""Resizing and alignment with the server's filters, so that networks see the same pixels."""

from __future__ import annotations

import cv2
import numpy as np

from recipe.common import geometry

LARGEST_FACTOR = 64
"""Factor up to which whole blocks are averaged before the filter."""
SHRINK_ABOVE, SHRINK_TO = 1.75, 1.25
"""Image pixels per crop pixel from which a face is shrunk first, and what is left then."""

Window = tuple[float, float, float, float]
"""Left, top, width and height in pixels; fractions are allowed."""


def axis_weights(source: int, left: float, length: float, target: int) -> np.ndarray:
    """Weights [target, source] of the triangle filter that resizes one axis."""
    scale = length / target
    centers = left + (np.arange(target) + 0.5) * scale
    away = np.abs(np.arange(source)[None] + 0.5 - centers[:, None]) / max(scale, 1.0)
    weights = np.clip(1.0 - away, 0.0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def cut(image: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """The window of an image at `size` (width, height)."""
    left, top, width, height = window
    x0, x1 = max(int(left) - 2, 0), min(int(np.ceil(left + width)) + 2, image.shape[1])
    y0, y1 = max(int(top) - 2, 0), min(int(np.ceil(top + height)) + 2, image.shape[0])
    part = image[y0:y1, x0:x1].astype(np.float32)
    across = axis_weights(x1 - x0, left - x0, width, size[0])
    down = axis_weights(y1 - y0, top - y0, height, size[1])
    rows = np.einsum("tx,yxc->ytc", across, part, optimize=True)
    result = np.einsum("ty,yxc->txc", down, rows, optimize=True)
    return np.clip(result + 0.5, 0, 255).astype(np.uint8)


def averaged(image: np.ndarray, factor: int) -> np.ndarray:
    """The mean of every `factor` x `factor` block; those at the right and lower edge may be cut."""
    height, width = image.shape[:2]
    y, x = np.arange(0, height, factor), np.arange(0, width, factor)
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.int64), y, axis=0), x, axis=1)
    down, across = np.diff(np.append(y, height)), np.diff(np.append(x, width))
    counts = (down[:, None] * across[None])[:, :, None]
    return ((sums + counts // 2) // counts).astype(np.uint8)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """All of an image at `size` (width, height)."""
    height, width = image.shape[:2]
    if size == (width, height):
        return image
    factor = min(width // size[0], height // size[1], LARGEST_FACTOR)
    if factor >= 2:
        whole = (0.0, 0.0, width / factor, height / factor)
        return cut(averaged(image, factor), whole, size)
    return cut(image, (0.0, 0.0, width, height), size)


def aligned(image: np.ndarray, landmarks: np.ndarray, side: int, scale: float) -> np.ndarray:
    """The aligned crop [side, side, 3]; large faces are shrunk first, what lies outside is 0."""
    matrix = geometry.similarity(landmarks, geometry.template(side, scale))
    step = 1.0 / max(np.sqrt(abs(np.linalg.det(matrix[:, :2]))), 1e-6)
    if step > SHRINK_ABOVE:
        factor, edge = step / SHRINK_TO, side - 1.0
        corners = np.array([[0, 0], [edge, 0], [0, edge], [edge, edge]])
        reach = geometry.apply(cv2.invertAffineTransform(matrix), corners)
        low = np.maximum(np.floor(np.floor(reach.min(0)) - 2 * factor), 0)
        high = np.minimum(np.ceil(np.ceil(reach.max(0)) + 2 * factor), image.shape[1::-1])
        span = high - low
        if span.min() >= 1:
            size = np.maximum(np.round(span / factor), 1).astype(int)
            ratios = size / span
            image = cut(image, (*low, *span), tuple(size.tolist()))
            offset = matrix[:, :2] @ (0.5 / ratios - 0.5 + low)  # pixel centers sit at halves
            linear = matrix[:, :2] / np.sqrt(ratios.prod())
            matrix = np.column_stack([linear, matrix[:, 2] + offset])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
