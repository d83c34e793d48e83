"""What the server does from the photo to the faces that it returns.

What is expensive runs once, from a low score up; what a threshold or a calibration changes is
decided afterwards, so that one look at the photos judges every setting.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from recipe.common import geometry, onnx_runtime
from recipe.common.logistic import sigmoid
from recipe.detector import yunet
from recipe.served import pixels

LOWEST = 0.1
"""Score from which candidates are kept for later decisions."""
AFAR_SIDE = 256
"""Longest side of the second look at photos in which nothing is found."""
CONTAINED = 0.5
"""Share of the smaller of two boxes inside the other from which both are one face."""
TOGETHER = 1.0
"""Distance of the centers of two faces' landmarks, in radii of the larger's, under which both are
one face."""


BOX_RADII, TOLERANCE, FALLOFF = 4.18, 0.15, 0.3
"""The side of a square box in radii of the face's landmarks, the natural logarithm of what a box
may differ from that, and how fast it then counts less."""


@dataclass(frozen=True)
class Settings:
    """Detector and verifier sections of `pack.toml`."""

    detector: Path
    threshold: float
    nms_iou: float = yunet.NMS_IOU
    max_side: int = 768
    min_side: int = 256
    verifier: Path | None = None
    size: int = 64
    scale: float = 1.0
    calibration: tuple[float, float, float] = (0.0, 1.0, 0.0)
    """Bias, weight of the log odds of the detector's score, weight of the verifier's logit."""
    refine: bool = False

    @staticmethod
    def of(folder: Path) -> Settings:
        """The settings of a pack."""
        spec = tomllib.loads((folder / "pack.toml").read_text())
        mine, look = spec["detector"], spec.get("verifier")
        settings = Settings(folder / mine["file"], mine["score_threshold"], mine["nms_iou"])
        sides = {key: mine[key] for key in ("max_side", "min_side") if key in mine}
        settings = replace(settings, **sides)
        if look is None:
            return settings
        return replace(
            settings,
            verifier=folder / look["file"],
            size=look["size"],
            scale=look["scale"],
            calibration=tuple(look["calibration"]),
            refine=look.get("refine_landmarks", False),
        )


@dataclass
class Looks:
    """The verifier's logits [N] and landmarks [N, 5, 2], in pixels of the photo."""

    logits: np.ndarray
    landmarks: np.ndarray


def no_looks() -> Looks:
    """Where there are no candidates."""
    return Looks(np.zeros(0), np.zeros((0, 5, 2)))


@dataclass
class Candidates:
    """What the detector finds in one photo, and what the verifier makes of it."""

    near: yunet.Faces
    afar: yunet.Faces
    near_looks: Looks = field(default_factory=no_looks)
    afar_looks: Looks = field(default_factory=no_looks)


class Served:
    """Detector and verifier of a pack."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.detector = onnx_runtime.session(settings.detector)
        self.input = self.detector.get_inputs()[0].name
        self.names = [output.name for output in self.detector.get_outputs()]
        self.verifier = onnx_runtime.session(settings.verifier) if settings.verifier else None

    def size_seen(self, image: np.ndarray, longest: int) -> tuple[float, tuple[int, int]]:
        """Scale and size (width, height) at which the network sees an image."""
        height, width = image.shape[:2]
        enlarged = max(self.settings.min_side / max(width, height), 1.0)
        scale = min(longest / max(width, height), enlarged)
        return scale, (max(round(width * scale), 1), max(round(height * scale), 1))

    def look(self, image: np.ndarray, longest: int) -> yunet.Faces:
        """Candidates of one pass over an RGB image, suppressed, in its pixels."""
        scale, (width, height) = self.size_seen(image, longest)
        canvas = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.uint8)
        canvas[:height, :width] = pixels.resize(image, (width, height))
        tensor = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        outputs = dict(zip(self.names, self.detector.run(self.names, {self.input: tensor})))
        found = yunet.decode(outputs, canvas.shape[1], LOWEST)
        faces = yunet.suppress(found, self.settings.nms_iou)
        faces.boxes, faces.landmarks = faces.boxes / scale, faces.landmarks / scale
        sound = (faces.boxes[:, 2:] - faces.boxes[:, :2] >= 1).all(1)
        inside = (faces.boxes[:, 2:] > 0).all(1) & (faces.boxes[:, :2] < image.shape[1::-1]).all(1)
        return faces.take(np.flatnonzero(sound & inside))

    def verified(self, image: np.ndarray, faces: yunet.Faces) -> Looks:
        """The verifier's look at every candidate."""
        if self.verifier is None or not len(faces):
            return Looks(np.zeros(len(faces)), faces.landmarks)
        side, scale = self.settings.size, self.settings.scale
        crops = np.stack([pixels.aligned(image, p, side, scale) for p in faces.landmarks])
        tensor = (crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5
        name = self.verifier.get_inputs()[0].name
        logits, points = self.verifier.run(["face", "landmarks"], {name: tensor})
        template, refined = geometry.template(side, scale), []
        for marks, mine in zip(faces.landmarks, points.reshape(-1, 5, 2).astype(np.float64)):
            back = cv2.invertAffineTransform(geometry.similarity(marks, template))
            refined.append(geometry.apply(back, mine * side))
        return Looks(logits[:, 0], np.array(refined))

    def candidates(self, image: np.ndarray) -> Candidates:
        """Both looks at an image."""
        near = self.look(image, self.settings.max_side)
        far = max(image.shape[:2]) > AFAR_SIDE
        afar = self.look(image, AFAR_SIDE) if far else near.take(np.zeros(0, int))
        return Candidates(near, afar, self.verified(image, near), self.verified(image, afar))


def log_odds(score: np.ndarray) -> np.ndarray:
    """Log odds of a score, which is kept away from 0 and 1."""
    score = np.clip(score, 1e-4, 1 - 1e-4)
    return np.log(score / (1 - score))


def extents(faces: yunet.Faces) -> tuple[np.ndarray, np.ndarray]:
    """Centers [N, 2] of the faces' landmarks, and the roots of their mean square distances [N]."""
    centers = faces.landmarks.mean(1)
    return centers, np.sqrt(((faces.landmarks - centers[:, None]) ** 2).sum(2).mean(1))


def agreement(faces: yunet.Faces) -> np.ndarray:
    """How well the sizes of boxes and landmarks agree: 1, less for a box too large or too small."""
    sides = np.sqrt(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1))
    off = np.abs(np.log(sides / (BOX_RADII * extents(faces)[1])))
    return np.exp(-((np.maximum(off - TOLERANCE, 0) / FALLOFF) ** 2))


def once(faces: yunet.Faces, fits: np.ndarray, iou: float) -> yunet.Faces:
    """Of boxes of one face the one of the largest fit; sorted by falling fit.

    Boxes are of one face where they overlap or contain each other, or their landmarks lie together.
    """
    faces = faces.take(np.argsort(-fits, kind="stable"))
    centers, radii = extents(faces)
    kept: list[int] = []
    for index, box in enumerate(faces.boxes):
        others = faces.boxes[kept]
        low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        smaller = np.minimum(np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], 1))
        away = np.linalg.norm(centers[kept] - centers[index], axis=1)
        same = yunet.overlap(box, others) > iou
        same |= shared > CONTAINED * smaller
        same |= away < TOGETHER * np.maximum(radii[kept], radii[index])
        if not same.any():
            kept.append(index)
    return faces.take(np.array(kept, int))


def decide(found: Candidates, settings: Settings) -> yunet.Faces:
    """What is returned: scores are probabilities 0..1; without a verifier the detector's scores."""
    faces = sure(found.near, found.near_looks, settings)
    return faces if len(faces) else sure(found.afar, found.afar_looks, settings)


def sure(faces: yunet.Faces, looks: Looks, settings: Settings) -> yunet.Faces:
    """The candidates of one pass that are rather faces than none, each face once."""
    keep = np.flatnonzero(faces.scores >= settings.threshold)
    faces = faces.take(keep)
    if settings.verifier is None:
        return faces
    bias, detector, verifier = settings.calibration
    chance = sigmoid(bias + detector * log_odds(faces.scores) + verifier * looks.logits[keep])
    points = looks.landmarks[keep] if settings.refine else faces.landmarks
    likely = np.flatnonzero(chance >= 0.5)
    seen = yunet.Faces(faces.boxes, points, chance).take(likely)
    fits = chance[likely] * faces.scores[likely] * agreement(seen)
    return once(seen, fits, settings.nms_iou)
