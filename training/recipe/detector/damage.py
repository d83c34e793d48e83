"""How photos are damaged: lost pixels, blur, light, color, noise and compression."""

from __future__ import annotations

import cv2
import numpy as np

DARKEST = 0.06
"""Least light, as a share of the photo's own."""


def damaged(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square RGB image with each damage now and then."""
    side = len(image)
    if rng.random() < 0.15:
        part = rng.uniform(0.35, 0.8)
        small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        kind = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
        image = cv2.resize(small, (side, side), interpolation=kind)
    if rng.random() < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.5))
    if rng.random() < 0.45:
        gain = np.exp(rng.normal(0, 0.3)) if rng.random() < 0.7 else rng.uniform(DARKEST, 0.5)
        tint, shift = gain * (1 + rng.normal(0, 0.06, 3)), rng.normal(0, 8) * min(gain, 1.0)
        table = np.clip(np.arange(256)[:, None] * tint + shift, 0, 255)
        image = cv2.LUT(image, table.astype(np.uint8)[None])
    if rng.random() < 0.08:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.1:
        noise = np.empty((side, side, 3), np.int16)
        cv2.randn(noise, 0, rng.uniform(2, 14))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 90))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image
