"""Measure a detector against the teacher on photos and composites held out from training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recipe.common import data
from recipe.detector import composites, yunet

IOU = 0.5
LEAST_FACE = 40.0
"""Recall counts the teacher's faces at least this wide, in pixels of the detector's input."""
ALLOWED = 0.05
"""False positives per image at the operating point."""
CERTAIN, DOUBTFUL = 0.6, 0.3
"""The teacher's faces above the first must be found; those between count neither way."""
THRESHOLD_RANGE = (0.35, 0.9)


@dataclass
class Tally:
    """What one detector did on a set of images, at every threshold."""

    images: int = 0
    faces: int = 0
    found: list[float] = field(default_factory=list)
    """Score of the best match of each of the teacher's faces that has one."""
    false: list[float] = field(default_factory=list)
    """Scores of detections that match nothing."""
    errors: list[float] = field(default_factory=list)
    """Landmark error of each match, as a share of the distance between the eyes."""

    def threshold(self, allowed: float = ALLOWED) -> float:
        """The lowest threshold with no more than `allowed` false positives per image."""
        ranked, most = np.sort(self.false)[::-1], int(allowed * self.images)
        edge = float(ranked[most]) + 1e-3 if most < len(ranked) else THRESHOLD_RANGE[0]
        return float(np.clip(edge, *THRESHOLD_RANGE))

    def at(self, threshold: float) -> dict[str, float]:
        """Recall, false positives per image and mean landmark error at a threshold."""
        good = np.array(self.found) >= threshold
        return {
            "images": self.images,
            "faces": self.faces,
            "recall": float(good.sum() / max(self.faces, 1)),
            "false_per_image": float(
                (np.array(self.false) >= threshold).sum() / max(self.images, 1)
            ),
            "landmark_error": float(np.mean(np.array(self.errors)[good]))
            if good.any()
            else float("nan"),
        }


def compare(
    tally: Tally, mine: yunet.Faces, wanted: yunet.Faces, also: np.ndarray | None = None
) -> None:
    """Add one image.

    `wanted` are the teacher's faces (doubtful ones too), `also` further true boxes.
    """
    tally.images += 1
    boxes = wanted.boxes if also is None else np.concatenate([wanted.boxes, also])
    for index in range(len(mine)):
        if not len(boxes) or yunet.overlap(mine.boxes[index], boxes).max() < IOU:
            tally.false.append(float(mine.scores[index]))
    for index in range(len(wanted)):
        if wanted.scores[index] < CERTAIN or np.ptp(wanted.boxes[index, ::2]) < LEAST_FACE:
            continue
        tally.faces += 1
        match = yunet.overlap(wanted.boxes[index], mine.boxes)
        if len(match) and match.max() >= IOU:
            best = int(match.argmax())
            eyes = np.linalg.norm(wanted.landmarks[index, 0] - wanted.landmarks[index, 1])
            miss = np.linalg.norm(mine.landmarks[best] - wanted.landmarks[index], axis=1).mean()
            tally.found.append(float(mine.scores[best]))
            tally.errors.append(float(miss / max(eyes, 1.0)))


def side_of(photo: np.ndarray) -> int:
    """The longest side at which a photo is looked at, in pixels."""
    return max(256, *photo.shape[:2])


class Exam:
    """Held-out images of one split, with the teacher's faces in them."""

    def __init__(
        self, split: int, photos: int = 800, crowds: int = 200, large: int = 200, seed: int = 11
    ):
        self.composer = composites.Composer(split, held_out=True)
        self.teacher = yunet.Detector(yunet.MODEL, DOUBTFUL)
        self.rng = np.random.default_rng([seed, split])
        order = self.rng.permutation(len(self.composer.photos))[:photos]
        self.photos = [data.decode(self.composer.photos[i][0]) for i in order]
        self.crowds = [self.composer.crowd(self.rng, 640) for _ in range(crowds)]
        self.large = [self.one_large() for _ in range(large)]

    def one_large(self) -> composites.Sample:
        """A face that fills 60-90 % of a 640-pixel frame, upright or nearly so."""
        canvas, width = self.composer.background(self.rng, 640), self.rng.uniform(0.6, 0.9) * 640
        row, angle = self.rng.choice(self.composer.pool), self.rng.normal(0, 0.1)
        labels = self.composer.paste(canvas, row, np.full(2, 320.0), width, angle, self.rng)
        return composites.Sample(canvas, labels[0][None], labels[1][None])

    def run(self, detector: yunet.Detector) -> dict[str, Tally]:
        """Tallies of a detector on photos, empty backgrounds and composites."""
        tallies = {name: Tally() for name in ("photos", "backgrounds", "composites")}
        for photo, wanted in zip(tqdm(self.photos, desc="photos", mininterval=5), self.photo_faces):
            compare(tallies["photos"], detector(photo, side_of(photo)), wanted)
        for image in self.composer.backgrounds:
            compare(tallies["backgrounds"], detector(image), self.taught(image))
        for sample in self.crowds:
            compare(
                tallies["composites"],
                detector(sample.image),
                self.taught(sample.image),
                sample.boxes,
            )
        photos, backgrounds = tallies["photos"], tallies["backgrounds"]
        tallies["real"] = Tally(
            photos.images + backgrounds.images,
            photos.faces + backgrounds.faces,
            photos.found + backgrounds.found,
            photos.false + backgrounds.false,
            photos.errors + backgrounds.errors,
        )
        return tallies

    @cached_property
    def photo_faces(self) -> list[yunet.Faces]:
        """The teacher's faces of each photo."""
        return [self.taught(photo, side_of(photo)) for photo in self.photos]

    def taught(self, image: np.ndarray, side: int | None = None) -> yunet.Faces:
        """The teacher's faces, with landmarks averaged over sizes and mirror images.

        A single pass is 5 % off that.
        """
        side = side or max(image.shape[:2])
        return yunet.steadied(self.teacher, image, side, self.teacher(image, side))

    def self_error(self) -> float:
        """Mean landmark error of a single pass of the teacher."""
        tally = Tally()
        for photo, wanted in zip(self.photos, self.photo_faces):
            compare(tally, self.teacher(photo, side_of(photo)), wanted)
        return float(np.mean(tally.errors))

    def large_found(self, detector: yunet.Detector, threshold: float, side: int) -> float:
        """Share of the largest faces found, the frame resized to `side` pixels."""
        hits = 0
        for sample in self.large:
            faces = detector(sample.image, side)
            boxes = faces.boxes[faces.scores >= threshold]
            hits += bool(len(boxes) and yunet.overlap(sample.boxes[0], boxes).max() >= IOU)
        return hits / len(self.large)


def measure(pack: Path, photos: int = 800) -> dict[str, object]:
    """The operating point, chosen on the calibration split, and the figures on the test split."""
    mine = yunet.Detector(pack / "detector.onnx", threshold=0.2)
    threshold = Exam(data.CALIBRATION, photos, crowds=0, large=0).run(mine)["real"].threshold()
    exam = Exam(data.TEST, photos, crowds=photos // 4, large=photos // 4)
    tallies = exam.run(mine)
    teacher = yunet.Detector(yunet.MODEL, threshold=0.2)
    return {
        "threshold": round(threshold, 3),
        "sets": {name: tally.at(threshold) for name, tally in tallies.items()},
        "teacher_self_landmark_error": exam.self_error(),
        "large_found": {side: exam.large_found(mine, threshold, side) for side in (320, 640)},
        "teacher_large_found": {
            side: exam.large_found(teacher, CERTAIN, side) for side in (320, 640)
        },
    }
