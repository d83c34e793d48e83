"""Random views of cached faces: jitter, mixing, warping and the damage of real photos."""

from __future__ import annotations

import cv2
import numpy as np

from recipe.common import geometry

Rng = np.random.Generator
SIDE = 112
TO_CENTER = geometry.similarity(
    geometry.template(geometry.WIDE_SIDE, geometry.WIDE_SCALE), geometry.template(SIDE)
)
"""From a cached wide crop to the embedder's aligned crop."""


def aligned(wide: np.ndarray) -> np.ndarray:
    """The exact 112 x 112 aligned crop of a cached wide crop."""
    return cv2.warpAffine(wide, TO_CENTER, (SIDE, SIDE))


def jittered(wide: np.ndarray, rng: Rng, placed: np.ndarray | None = None) -> np.ndarray:
    """An aligned crop whose landmarks were a little wrong; sometimes mirrored.

    The affine transform `placed` [2, 3] of the crop comes last.
    """
    more = 2.0 if rng.random() < 0.2 else 1.0
    angle, zoom = np.radians(rng.normal(0, 3 * more)), np.exp(rng.normal(0, 0.03 * more))
    stretch = np.exp(rng.normal(0, 0.05)) if rng.random() < 0.4 else 1.0
    cosine, sine = np.cos(angle) * zoom, np.sin(angle) * zoom
    linear = np.array([[cosine * stretch, -sine], [sine * stretch, cosine]])
    if rng.random() < 0.5:
        linear[:, 0] *= -1
    middle = np.array([SIDE / 2, SIDE / 2])
    shift = middle - linear @ middle + rng.normal(0, 1.5 * more, 2)
    matrix = geometry.compose(np.column_stack([linear, shift]), TO_CENTER)
    if placed is not None:
        matrix = geometry.compose(placed, matrix)
    return cv2.warpAffine(wide, matrix, (SIDE, SIDE))


def smooth_field(rng: Rng, cells: int, amplitude: float, side: int = SIDE) -> np.ndarray:
    """A smooth random field [side, side] of about the given amplitude."""
    coarse = rng.normal(0, amplitude, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def mixed(first: np.ndarray, second: np.ndarray, rng: Rng) -> np.ndarray:
    """A square crop between two: an even blend, or parts of each with soft borders."""
    if rng.random() < 0.5:
        weight: np.ndarray | float = rng.uniform(0.25, 0.75)
    else:
        field = smooth_field(rng, int(rng.integers(2, 5)), 1.5, len(first))
        weight = (1 / (1 + np.exp(-3 * field)))[:, :, None]
    return (first * weight + second * (1 - weight)).astype(np.uint8)


def masked(face: np.ndarray, rng: Rng) -> np.ndarray:
    """A face whose mouth and nose tip a cloth of one color covers."""
    top, droop = rng.uniform(58, 74), rng.uniform(2, 10)
    outline = np.array(
        [[14, top + droop], [56, top - droop], [98, top + droop], [90, 112], [22, 112]], np.float32
    )
    outline += rng.normal(0, 2, outline.shape)
    cover = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(cover, [outline.astype(np.int32)], 255)
    weight = cv2.GaussianBlur(cover, (5, 5), 0)[:, :, None] / 255.0
    shade = 1 + smooth_field(rng, 4, 0.06)[:, :, None]
    cloth = np.clip(rng.uniform(20, 240, 3) * shade, 0, 255)
    return (face * (1 - weight) + cloth * weight).astype(np.uint8)


def damaged(face: np.ndarray, rng: Rng) -> np.ndarray:
    """Light, color, sharpening, resolution, blur, noise and compression, now and then."""
    if rng.random() < 0.5:
        gain, lift = np.exp(rng.normal(0, 0.25)), rng.normal(0, 12)
        tint = 1 + rng.normal(0, 0.04, 3)
        face = np.clip(face * (gain * tint) + lift, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        soft = cv2.GaussianBlur(face, (0, 0), 1.5).astype(np.float32)
        face = np.clip(face + rng.uniform(0.3, 2.0) * (face - soft), 0, 255).astype(np.uint8)
    if rng.random() < 0.06:
        face = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.25:
        small = int(rng.integers(24, 80))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        face = cv2.resize(face, (SIDE, SIDE), interpolation=int(rng.integers(1, 3)))
    if rng.random() < 0.1:
        face = cv2.GaussianBlur(face, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < 0.1:
        face = np.clip(face + rng.normal(0, rng.uniform(2, 12), face.shape), 0, 255)
        face = face.astype(np.uint8)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))]
        face = cv2.imdecode(cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_COLOR)
    return face
