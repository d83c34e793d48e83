"""Run a detector of the YuNet output family with ONNX Runtime and decode its faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from recipe.common import data, onnx_runtime

MODEL = data.SHARED / "models" / "yunet_n_dynamic.onnx"
STRIDES = (8, 16, 32)
NMS_IOU = 0.45
"""Overlap from which non-maximum suppression drops the lower score."""
ZOOMS = (0.8, 1.0, 1.25)
"""Sizes, relative to the image, over which `steadied` averages landmarks."""


@dataclass
class Faces:
    """Faces of one image: boxes [N, 4] as x0 y0 x1 y1, landmarks [N, 5, 2], scores [N]."""

    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: np.ndarray) -> Faces:
        """The faces at `index`, in that order."""
        return Faces(self.boxes[index], self.landmarks[index], self.scores[index])

    def joined(self, other: Faces) -> Faces:
        """These faces, then the others."""
        return Faces(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.landmarks, other.landmarks]),
            np.concatenate([self.scores, other.scores]),
        )

    def mirrored(self, width: float) -> Faces:
        """The faces of the mirror image; left and right landmarks change places.

        `width` is the image's, in pixels.
        """
        boxes = self.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
        landmarks = self.landmarks[:, [1, 0, 2, 4, 3]] * [-1, 1] + [width, 0]
        return Faces(boxes, landmarks, self.scores)


def decode(outputs: dict[str, np.ndarray], width: int, threshold: float) -> Faces:
    """Decode the raw outputs of one image (batch index 0) into scored faces."""
    boxes, landmarks, scores = [], [], []
    for stride in STRIDES:
        cls = outputs[f"cls_{stride}"][0, :, 0].clip(0, 1)
        obj = outputs[f"obj_{stride}"][0, :, 0].clip(0, 1)
        score = np.sqrt(cls * obj)
        keep = np.flatnonzero(score > threshold)
        row, column = np.divmod(keep, width // stride)
        cell = np.stack([column, row], 1).astype(np.float32)
        box = outputs[f"bbox_{stride}"][0, keep]
        center, size = (cell + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
        points = outputs[f"kps_{stride}"][0, keep].reshape(-1, 5, 2)
        boxes.append(np.concatenate([center - size / 2, center + size / 2], 1))
        landmarks.append((points + cell[:, None]) * stride)
        scores.append(score[keep])
    return Faces(np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores))


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box [4] with boxes [N, 4]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return inter / np.maximum(np.prod(box[2:] - box[:2]) + area - inter, 1e-9)


def best_overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `boxes` its largest overlap with any of the others."""
    if not len(others):
        return np.zeros(len(boxes))
    return np.array([overlap(box, others).max() for box in boxes])


def suppress(faces: Faces, iou: float) -> Faces:
    """Greedy non-maximum suppression; the result is sorted by descending score."""
    faces = faces.take(np.argsort(-faces.scores))
    alive = np.ones(len(faces), bool)
    for index in range(len(faces)):
        if alive[index]:
            alive[index + 1 :] &= overlap(faces.boxes[index], faces.boxes[index + 1 :]) < iou
    return faces.take(np.flatnonzero(alive))


class Detector:
    """A detector in pixels of the image that it is given."""

    def __init__(self, path: Path, threshold: float = 0.6, iou: float = NMS_IOU, threads: int = 1):
        self.session = onnx_runtime.session(path, threads)
        self.input = self.session.get_inputs()[0].name
        self.names = [output.name for output in self.session.get_outputs()]
        self.threshold, self.iou = threshold, iou

    def __call__(self, image: np.ndarray, side: int | None = None, pad: float = 0.0) -> Faces:
        """Find faces in an RGB image, resized to a longest `side`, with a black margin of `pad`."""
        ratio = 1.0 if side is None else side / max(image.shape[:2])
        kind = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        small = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=kind)
        margin = round(pad * max(small.shape[:2]))
        height, width = (length + 2 * margin for length in small.shape[:2])
        canvas = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.uint8)
        canvas[margin : margin + small.shape[0], margin : margin + small.shape[1]] = small
        tensor = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
        outputs = dict(zip(self.names, self.session.run(self.names, {self.input: tensor})))
        faces = suppress(decode(outputs, canvas.shape[1], self.threshold), self.iou)
        faces.boxes = (faces.boxes - margin) / ratio
        faces.landmarks = (faces.landmarks - margin) / ratio
        return faces


def steadied(detector: Detector, image: np.ndarray, side: int, faces: Faces) -> Faces:
    """The faces at `side`, with landmarks averaged over three sizes and their mirror images.

    YuNet's landmarks of one face differ by 7 % of the eye distance between two sizes of a photo.
    """
    total, seen = faces.landmarks.astype(float), np.ones(len(faces))
    looks = [(zoom, mirror) for zoom in ZOOMS for mirror in (False, True) if mirror or zoom != 1.0]
    for zoom, mirror in looks if len(faces) else ():
        found = detector(image[:, ::-1] if mirror else image, round(side * zoom))
        if mirror:
            found = found.mirrored(image.shape[1])
        for index in range(len(faces)):
            match = overlap(faces.boxes[index], found.boxes)
            if len(match) and match.max() > 0.5:
                total[index] += found.landmarks[int(match.argmax())]
                seen[index] += 1
    return Faces(faces.boxes, total / seen[:, None, None], faces.scores)
