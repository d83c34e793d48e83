"""What the detector learns from: random views of photographs, at any scale, turn and light.

The labels move through the same transform as the pixels. The box of a turned face is the upright
box around its turned outline; its landmarks stay the person's own.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import cv2
import numpy as np

from recipe.common import data, geometry
from recipe.detector import photographs, review
from recipe.detector.damage import damaged
from recipe.detector.photographs import Photo

Rng = np.random.Generator
SIDE = 320
LEAST_FACE = 10.0
"""Faces smaller than this (root of the box area, in pixels) are neither right nor wrong."""
WEIGHTS = {
    "crowd": 1.0,
    "flickr": 1.3,
    "coco": 2.5,
    "inet": 1.5,
    "site": 0.8,
    "street": 0.8,
    "masks": 1.2,
    "synthetic-faces": 0.5,
    "backgrounds": 1.0,
}
"""How often a photo with faces is drawn, by where it comes from."""
CANVASES = ("photo", "black", "plain")
MIRRORED = [1, 0, 2, 4, 3]
"""Order of a mirrored face's landmarks."""


@dataclass
class View:
    """RGB pixels [S, S, 3], faces in them, boxes [N, 4] that are neither faces nor none, and boxes
    that were reviewed and are none."""

    image: np.ndarray
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    landmarks: np.ndarray = field(default_factory=lambda: np.zeros((0, 5, 2)))
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    wrong: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def outline(matrix: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The upright boxes [N, 4] around the ellipses in `boxes`, transformed by `matrix` [2, 3]."""
    center = geometry.apply(matrix, (boxes[:, :2] + boxes[:, 2:]) / 2)
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([center - half, center + half], 1)


def placed(
    zoom: np.ndarray, angle: float, mirror: bool, source: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """The transform that scales by `zoom` (x, y), mirrors, turns and moves `source` to `target`.

    `angle` is in radians, clockwise as seen.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) * (zoom * [-1.0 if mirror else 1.0, 1.0])
    return np.column_stack([linear, target - linear @ source])


def warp_onto(canvas: np.ndarray, image: np.ndarray, matrix: np.ndarray) -> None:
    """Draw the transformed image over the canvas; pixels are averaged where it shrinks."""
    zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if zoom < 0.7:
        small = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        ratios = np.array(small.shape[1::-1]) / image.shape[1::-1]
        linear = matrix[:, :2] / ratios
        matrix = np.column_stack([linear, matrix[:, 2] + linear @ (ratios * 0.5 - 0.5)])
        image = small
    size = canvas.shape[1::-1]
    cv2.warpAffine(image, matrix, size, canvas, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def turn(rng: Rng) -> float:
    """A roll in radians: nearly upright, near a multiple of the right angle, or any."""
    kind = rng.random()
    if kind < 0.65:
        return rng.normal(0, 0.12)
    if kind < 0.85:
        return rng.integers(1, 4) * np.pi / 2 + rng.normal(0, 0.08)
    return rng.uniform(-np.pi, np.pi)


def mined_boxes() -> dict[tuple[str, str], np.ndarray]:
    """What mining found, by collection and name: boxes [N, 4] that are no faces."""
    store = data.WORK / "mined.pickle"
    return pickle.loads(store.read_bytes()) if store.exists() else {}


class Views:
    """Draws views of the photos of one split."""

    def __init__(self, split: int):
        known = review.verdicts()
        every = {
            c: [review.taught(photo, known) for photo in photographs.photos(c, split)]
            for c in photographs.COLLECTIONS
        }
        whole = [p for c, photos in every.items() if not c.tight for p in photos]
        self.tight = [p for c, photos in every.items() if c.tight for p in photos if len(p.faces)]
        self.full = [p for p in whole if len(p.faces)]
        self.bare = [p for p in whole if p.empty or not len(p.faces) + len(p.doubts)]
        weights = np.array([WEIGHTS.get(photo.kind, 1.0) for photo in self.full])
        self.chance = weights / weights.sum()
        self.pixels: dict[tuple[str, str], np.ndarray] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take over what mining has found by now."""
        self.mined = mined_boxes()
        self.hard = [p for p in self.bare if len(self.phantoms(p))]
        self.hard_full = [p for p in self.full if len(self.phantoms(p))]

    def phantoms(self, photo: Photo) -> np.ndarray:
        """Boxes [N, 4] of a photo that a detector took for faces."""
        seen = [photo.wrong, self.mined.get((photo.collection, photo.name), np.zeros((0, 4)))]
        return np.concatenate([photo.doubts.boxes, *seen] if photo.empty else seen)

    def decoded(self, photo: Photo) -> np.ndarray:
        """RGB pixels, kept where the photo is large and drawn often."""
        key = photo.collection, photo.name
        if key not in self.pixels:
            image = photo.pixels()
            if photo.collection not in ("scenes", "negatives", "backgrounds"):
                return image
            self.pixels[key] = image
        return self.pixels[key]

    def canvas(self, rng: Rng, side: int) -> np.ndarray:
        """What lies around a photo: part of an empty one, black or plain."""
        kind = rng.choice(CANVASES, p=[0.5, 0.3, 0.2])
        if kind == "photo":
            return self.empty(rng, side).image
        color = rng.integers(0, 256, 3) if kind == "plain" else np.zeros(3)
        return np.tile(color.astype(np.uint8), (side, side, 1))

    def empty(self, rng: Rng, side: int) -> View:
        """A view of a photo without faces, often around something that was taken for one."""
        pool = self.hard if self.hard and rng.random() < 0.5 else self.bare
        photo = pool[rng.integers(len(pool))]
        image = self.decoded(photo)
        length, boxes = max(image.shape[:2]), self.phantoms(photo)
        if len(boxes) and rng.random() < 0.8:
            center, zoom = aim(rng, boxes, side)
            zoom = np.clip(zoom, 0.5 * side / length, 4.0)
        else:
            zoom = np.exp(rng.uniform(np.log(0.6), np.log(3.0))) * side / length
            center = rng.random(2) * image.shape[1::-1]
        view = View(np.zeros((side, side, 3), np.uint8))
        if rng.random() < 0.3:
            view.image[:] = rng.integers(0, 256, 3)
        target = rng.uniform(0.2, 0.8, 2) * side
        matrix = placed(np.full(2, zoom), turn(rng), rng.random() < 0.5, center, target)
        warp_onto(view.image, image, matrix)
        return view

    def scene(self, rng: Rng, side: int) -> View:
        """A view of a photo with faces: around one of them, or of anything in it."""
        if self.hard_full and rng.random() < 0.15:
            photo = self.hard_full[rng.integers(len(self.hard_full))]
            boxes = self.phantoms(photo)
        else:
            photo = self.full[rng.choice(len(self.full), p=self.chance)]
            boxes = photo.faces.boxes
        image = self.decoded(photo)
        length = max(image.shape[:2])
        if rng.random() < 0.85:
            center, zoom = aim(rng, boxes, side)
            zoom = np.clip(zoom, 0.5 * side / length, 3.0)
        else:
            zoom = np.exp(rng.uniform(np.log(0.8), np.log(2.5))) * side / length
            center = rng.random(2) * image.shape[1::-1]
        view = View(self.canvas(rng, side))
        self.show(view, photo, image, zoom, center, rng.uniform(0.12, 0.88, 2) * side, rng)
        return view

    def show(
        self,
        view: View,
        photo: Photo,
        image: np.ndarray,
        zoom: float,
        center: np.ndarray,
        target: np.ndarray,
        rng: Rng,
    ) -> None:
        """Draw a photo into a view, its `center` at `target`, and add its faces."""
        squeeze = np.exp(rng.normal(0, 0.06)) if rng.random() < 0.5 else 1.0
        mirror = rng.random() < 0.5
        zooms = zoom * np.array([squeeze, 1 / squeeze])
        matrix = placed(zooms, turn(rng), mirror, center, target)
        warp_onto(view.image, image, matrix)
        boxes = outline(matrix, photo.faces.boxes)
        points = geometry.apply(matrix, photo.faces.landmarks)
        points = points[:, MIRRORED] if mirror else points
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], 1))
        inside = ((middle > 0) & (middle < len(view.image))).all(1)
        good = inside & (sizes >= LEAST_FACE)
        doubts = outline(matrix, photo.doubts.boxes)
        view.boxes = np.concatenate([view.boxes, boxes[good]])
        view.landmarks = np.concatenate([view.landmarks, points[good]])
        view.ignored = np.concatenate([view.ignored, boxes[~good], doubts])
        view.wrong = np.concatenate([view.wrong, outline(matrix, photo.wrong)])

    def collage(self, rng: Rng, side: int) -> View:
        """Tight pictures of faces on something empty: one large or a few."""
        view = View(self.canvas(rng, side))
        count = 1 if rng.random() < 0.5 or side > SIDE else int(rng.integers(2, 6))
        taken = np.zeros((0, 3))
        for _ in range(count):
            photo = self.tight[rng.integers(len(self.tight))]
            image, box = self.decoded(photo), photo.faces.boxes[0]
            width = rng.uniform(0.25, 0.95) * side
            if count > 1:
                width = np.exp(rng.uniform(np.log(14), np.log(side * 0.35)))
            spread = max(1 - width / side, 0.15)
            target = (0.5 + rng.uniform(-0.5, 0.5, 2) * spread) * side
            reach = width * max(image.shape[:2]) / (box[2] - box[0])
            away = np.linalg.norm(taken[:, :2] - target, axis=1)
            if (away < 0.75 * (taken[:, 2] + reach)).any():
                continue
            taken = np.vstack([taken, [*target, reach]])
            zoom, center = width / (box[2] - box[0]), (box[:2] + box[2:]) / 2
            self.show(view, photo, image, zoom, center, target, rng)
        return view

    def sample(self, rng: Rng, side: int = SIDE) -> View:
        """One random view, damaged like photos are."""
        kind = rng.random()
        if side > SIDE:
            view = self.collage(rng, side) if kind < 0.5 else self.scene(rng, side)
        elif kind < 0.6:
            view = self.scene(rng, side)
        elif kind < 0.85:
            view = self.empty(rng, side)
        else:
            view = self.collage(rng, side)
        view.image = damaged(view.image, rng)
        return view


def aim(rng: Rng, boxes: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """The center of one of the boxes, and a zoom that gives it a size worth learning."""
    box = boxes[rng.integers(len(boxes))]
    size = np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1.0)))
    wanted = rng.uniform(60, side * 0.9)
    if rng.random() < 0.75:
        wanted = np.exp(rng.uniform(np.log(12), np.log(90)))
    return (box[:2] + box[2:]) / 2, wanted / size
