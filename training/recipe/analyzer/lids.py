"""Eyelids: whether the teachers' mesh shows them closed, and drawing open ones shut."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BLINKED, SHUT, WIDE = 0.6, 0.15, 0.22
"""Eyes are closed where both blinks exceed the first and the mesh's lids are nearer than the
second, as a share of the eye's width; open where no blink does and the lids are farther than the
third.

The blink alone calls every second blurred or shaded pair of open eyes closed.
"""
LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))
"""Mesh points of each eye: upper and lower lid, corners."""


def distance(mesh: np.ndarray, one: int, other: int) -> np.ndarray:
    """Distance [N] of two points of meshes [N, 478, 2]."""
    return np.linalg.norm(mesh[:, one] - mesh[:, other], axis=1)


def openings(mesh: np.ndarray) -> np.ndarray:
    """Distance of the lids of both eyes [N, 2], as a share of the eye's width."""
    parts = [
        distance(mesh, up, down) / np.maximum(distance(mesh, left, right), 1e-6)
        for up, down, left, right in LIDS
    ]
    return np.stack(parts, 1)


def states(blinks: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which faces have closed and which have open eyes [N]; those in between are neither.

    `blinks` [N, 2] are the blendshapes of both eyes, `mesh` [N, 478, 2] the points.
    """
    blink, lids = blinks.min(1), openings(mesh).mean(1)
    return (blink > BLINKED) & (lids < SHUT), (blink < BLINKED) & (lids > WIDE)


@dataclass(frozen=True)
class Eye:
    """Corners, lids and brow of one eye [2], in pixels; left and right are the image's."""

    left: np.ndarray
    right: np.ndarray
    up: np.ndarray
    down: np.ndarray
    brow: np.ndarray


def shut(
    face: np.ndarray, eyes: list[Eye], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The face [S, S, 3] with its upper lids drawn down, and where the lids of each eye meet [2].

    The skin between brow and lid is stretched over the eye, with a dark line of lashes.
    """
    side = len(face)
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    grid, meetings = np.stack([x, y], -1), []
    source, shade = grid.copy(), np.ones((side, side, 1), np.float32)
    droop, lash = rng.uniform(0.55, 1.0), rng.uniform(0.0, 0.5)
    for eye in eyes:
        width = max(float(np.linalg.norm(eye.right - eye.left)), 4.0)
        along = (eye.right - eye.left) / width
        across = np.array([-along[1], along[0]])
        s, t = (grid - eye.left) @ along / width, (grid - eye.left) @ across
        arch = np.clip(4 * s * (1 - s), 0, 1)
        high = min(float((eye.up - eye.left) @ across), -1.0) * rng.uniform(1.05, 1.35)
        low = max(float((eye.down - eye.left) @ across), 1.0) * rng.uniform(1.0, 1.2)
        upper, lower = high * arch, low * arch
        meet = lower * droop
        top = min(float((eye.brow - eye.left) @ across) * 0.9, high - 2.0)
        cheek = low + 0.5 * width
        lid = top + (t - top) * (upper - top) / (meet - top)
        below = cheek - (cheek - t) * (cheek - lower) / (cheek - meet)
        inside = (s > 0) & (s < 1) & (t > top) & (t < cheek)
        moved = np.where(t < meet, lid, below)
        source += np.where(inside, moved - t, 0)[..., None] * across
        line = np.exp(-(((t - meet) / 0.8) ** 2)) * np.clip(arch * 2, 0, 1) * inside
        shade -= (lash * line)[..., None].astype(np.float32)
        meetings.append(eye.left + along * width / 2 + across * low * droop)
    columns, rows = (source[..., axis].astype(np.float32) for axis in (0, 1))
    moved = cv2.remap(face, columns, rows, cv2.INTER_LINEAR)
    return (moved * np.clip(shade, 0, 1)).astype(np.uint8), meetings
