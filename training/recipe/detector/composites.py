"""Detector training images: faces of every size pasted on backgrounds, and whole photos.

The labels are the teacher's boxes and landmarks, moved through the same transform as the
pixels, so a pasted face needs no second look by the teacher and can be of any size or turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import cv2
import numpy as np

from recipe.common import data, geometry
from recipe.detector import yunet

UNFIT = ("fer-emotions", "identities")
"""Sources that hold no whole photos: faces too small, or cut tightly."""
Rng = np.random.Generator
SIDE = 320


@dataclass
class Sample:
    """An RGB image [S, S, 3] with boxes [N, 4] (x0 y0 x1 y1) and landmarks [N, 5, 2]."""

    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray


def is_background_held_out(name: str) -> bool:
    """Backgrounds are split by file name, as their bytes are needed to filter them anyway."""
    return data.split_of(name.encode()) != data.TRAIN


def clean_backgrounds() -> set[str]:
    """Names of the photos in which the teacher finds no face at a low threshold; cached."""
    store = data.WORK / "backgrounds.json"
    if not store.exists():
        wary = yunet.Detector(yunet.MODEL, threshold=0.3)
        clean = []
        for name, encoded in data.read_images("backgrounds"):
            image = data.decode(encoded)
            if image is not None and not len(wary(image)) and not len(wary(image, 960)):
                clean.append(name)
        store.write_text(json.dumps(clean))
    return set(json.loads(store.read_text()))


def backgrounds(held_out: bool) -> list[np.ndarray]:
    """Photos without faces of one side of the split."""
    clean, images = clean_backgrounds(), []
    for name, encoded in data.read_images("backgrounds"):
        if name in clean and is_background_held_out(name) == held_out:
            image = data.decode(encoded)
            if image is not None:
                images.append(image)
    return images


class Composer:
    """Draws random training images from one split of the cached faces."""

    def __init__(self, split: int, held_out: bool):
        faces = np.load(data.WORK / "faces.npz")
        self.source, self.name, self.matrix = faces["source"], faces["name"], faces["matrix"]
        self.box, self.points, self.score = faces["box"], faces["landmarks"], faces["score"]
        unfit = [data.SOURCE_IDS[name] for name in UNFIT]
        usable = ~np.isin(self.source, unfit) & (faces["split"] == split)
        self.pool = np.flatnonzero(usable & (self.score > 0.6))
        self.wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.backgrounds = backgrounds(held_out)
        self.photos = self.whole_photos(usable)

    def whole_photos(self, usable: np.ndarray) -> list[tuple[bytes, np.ndarray]]:
        """Encoded photos with the rows of the teacher's faces in them."""
        rows: dict[tuple[int, str], list[int]] = {}
        for row in np.flatnonzero(usable):
            rows.setdefault((int(self.source[row]), str(self.name[row])), []).append(row)
        photos = []
        for source in data.SOURCES:
            if source.name not in UNFIT:
                for name, encoded in data.read_images(source.name):
                    found = rows.get((data.SOURCE_IDS[source.name], name))
                    if found:
                        photos.append((encoded, np.array(found)))
        return photos

    def background(self, rng: Rng, side: int) -> np.ndarray:
        """A random piece of a photo, now and then a plain or noisy field."""
        kind = rng.random()
        if kind < 0.85 and self.backgrounds:
            image = self.backgrounds[rng.integers(len(self.backgrounds))]
            height, width = image.shape[:2]
            part = int(min(height, width) * rng.uniform(0.35, 1.0))
            top, left = rng.integers(height - part + 1), rng.integers(width - part + 1)
            piece = cv2.resize(image[top : top + part, left : left + part], (side, side))
            return piece[:, ::-1].copy() if rng.random() < 0.5 else piece
        field = rng.integers(0, 256, 3).astype(np.float32) * np.ones((side, side, 1), np.float32)
        if kind > 0.92:
            coarse = rng.normal(0, 40, (int(rng.integers(2, 40)),) * 2 + (3,)).astype(np.float32)
            field = field + cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        return field.clip(0, 255).astype(np.uint8)

    def paste(
        self, canvas: np.ndarray, row: int, center: np.ndarray, width: float, angle: float, rng: Rng
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paste one face with its box of about `width` pixels at `center`; returns its labels."""
        wide, to_wide = self.wides[row], self.matrix[row].astype(np.float64)
        zoom = np.sqrt(abs(np.linalg.det(to_wide[:, :2])))
        size = np.ptp(self.box[row].reshape(2, 2), axis=0) * zoom
        middle = geometry.apply(to_wide, self.box[row].reshape(2, 2).mean(0))
        scale, side = width / size[0], float(geometry.WIDE_SIDE)
        while scale < 0.5:
            wide = cv2.resize(wide, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            scale, side = scale * 2, side / 2
        shrink = side / geometry.WIDE_SIDE
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        linear = np.array([[cosine * mirror, -sine], [sine * mirror, cosine]])
        placed = np.column_stack([linear, center - linear @ (middle * shrink)])

        reach = side * scale * 0.75 + 2
        low = np.clip(np.floor(center - reach), 0, canvas.shape[0]).astype(int)
        high = np.clip(np.ceil(center + reach), 0, canvas.shape[0]).astype(int)
        region = tuple((high - low).tolist())
        if min(region) > 0:
            local = placed.copy()
            local[:, 2] -= low
            alpha = cv2.warpAffine(self.cover(wide, rng), local, region)[:, :, None] / 255.0
            pixels = cv2.warpAffine(wide, local, region, borderMode=cv2.BORDER_REPLICATE)
            spot = canvas[low[1] : high[1], low[0] : high[0]]
            spot[:] = (spot * (1 - alpha) + pixels * alpha).astype(np.uint8)
        points = geometry.apply(placed, geometry.apply(to_wide, self.points[row]) * shrink)
        if mirror < 0:
            points = points[[1, 0, 2, 4, 3]]
        turn = np.sin(angle) ** 2
        size = (size * (1 - turn) + size[::-1] * turn) * scale * shrink
        return np.concatenate([center - size / 2, center + size / 2]), points

    @staticmethod
    def cover(wide: np.ndarray, rng: Rng) -> np.ndarray:
        """Opacity 0..255 of a crop: a soft ellipse or nearly all, nothing outside its photo."""
        side = len(wide)
        inside = (wide.max(2) > 0).astype(np.uint8) * 255
        inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        shape = np.zeros((side, side), np.uint8)
        if rng.random() < 0.6:
            axes = (int(side * rng.uniform(0.27, 0.45)), int(side * rng.uniform(0.36, 0.49)))
            cv2.ellipse(shape, (side // 2, side // 2), axes, 0, 0, 360, 255, -1)
        else:
            edge = int(side * rng.uniform(0.0, 0.15))
            shape[edge : side - edge, edge : side - edge] = 255
        soft = 2 * int(side * rng.uniform(0.005, 0.04)) + 1
        return cv2.blur(cv2.erode(cv2.min(shape, inside), np.ones((3, 3), np.uint8)), (soft, soft))

    def crowd(self, rng: Rng, side: int) -> Sample:
        """Background with no, one large, several or very many faces."""
        canvas, kind = self.background(rng, side), rng.random()
        if kind < 0.08:
            widths = np.zeros(0)
        elif kind < 0.35 or side > SIDE:
            widths = rng.uniform(0.3, 0.95, 1) * side
        elif kind < 0.85:
            widths = np.exp(rng.uniform(np.log(14), np.log(side * 0.45), int(rng.integers(1, 9))))
        else:
            widths = rng.uniform(11, rng.uniform(16, 34), int(rng.integers(20, 101)))
        boxes, points, taken = [], [], np.zeros((0, 3))
        for width in np.sort(widths)[::-1]:
            for _ in range(6):
                spread = max(side - 0.7 * width, side * 0.3)
                center = side / 2 + (rng.random(2) - 0.5) * spread
                gap = np.linalg.norm(taken[:, :2] - center, axis=1) - 0.55 * (taken[:, 2] + width)
                if (gap > 0).all():
                    angle = rng.normal(0, 0.2) if rng.random() < 0.85 else rng.uniform(-1.1, 1.1)
                    box, landmarks = self.paste(
                        canvas, rng.choice(self.pool), center, width, angle, rng
                    )
                    boxes.append(box)
                    points.append(landmarks)
                    taken = np.vstack([taken, [*center, width]])
                    break
        return Sample(canvas, np.array(boxes).reshape(-1, 4), np.array(points).reshape(-1, 5, 2))

    def photo(self, rng: Rng, side: int) -> Sample:
        """A whole photo at a random scale, on black or on a background."""
        encoded, rows = self.photos[rng.integers(len(self.photos))]
        image = data.decode(encoded)
        assert image is not None
        canvas = (
            self.background(rng, side)
            if rng.random() < 0.5
            else np.zeros((side, side, 3), np.uint8)
        )
        width = np.ptp(self.box[rows][:, ::2], axis=1).max()
        scale = np.exp(rng.uniform(np.log(20), np.log(side * 0.9))) / width
        scale = min(scale, side / max(image.shape[:2]) * rng.uniform(1.0, 1.3))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        mirror = rng.random() < 0.5
        small = small[:, ::-1] if mirror else small
        shift = np.array(
            [rng.uniform(min(0, side - n), max(0, side - n)) for n in small.shape[1::-1]]
        )
        shift = shift.round().astype(int)
        low, high = np.maximum(shift, 0), np.minimum(shift + small.shape[1::-1], side)
        part = small[low[1] - shift[1] : high[1] - shift[1], low[0] - shift[0] : high[0] - shift[0]]
        canvas[low[1] : high[1], low[0] : high[0]] = part
        faces = yunet.Faces(self.box[rows] * scale, self.points[rows] * scale, self.score[rows])
        faces = faces.mirrored(small.shape[1]) if mirror else faces
        boxes, points = faces.boxes + np.tile(shift, 2), faces.landmarks + shift
        center = (boxes[:, :2] + boxes[:, 2:]) / 2
        seen = ((center > 0) & (center < side)).all(1)
        return Sample(canvas, boxes[seen], points[seen])

    def sample(self, rng: Rng, side: int = SIDE) -> Sample:
        """One random training image, damaged like real photos are."""
        drawn = self.photo(rng, side) if rng.random() < 0.3 else self.crowd(rng, side)
        drawn.image = damaged(drawn.image, rng)
        return drawn


def damaged(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Darkness, color, blur, noise and compression, each now and then."""
    if rng.random() < 0.4:
        gain = np.exp(rng.normal(0, 0.3)) if rng.random() < 0.7 else rng.uniform(0.08, 0.5)
        tint = gain * (1 + rng.normal(0, 0.06, 3))
        image = np.clip(image * tint + rng.normal(0, 8), 0, 255).astype(np.uint8)
    if rng.random() < 0.08:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.12:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < 0.12:
        noise = rng.normal(0, rng.uniform(2, 14), image.shape).astype(np.float32)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))]
        image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
    return image
