"""The exam's table: recall by size, false faces by place, doubles, landmarks by turn and scale."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from recipe.detector import yunet
from recipe.served import pipeline

if TYPE_CHECKING:
    from recipe.served.exam import Answer

MATCH, TOUCH = 0.4, 0.15
"""Overlap from which a box is a face, and from which a doubt excuses it."""
BINS = ((96, 10_000), (40, 96), (24, 40), (16, 24))
"""Widths of faces in pixels of a photo between the two sides below."""
SEEN = (256, 768)
PORTRAIT = 0.2
"""Share of a photo's width from which its largest face makes it a portrait."""
WIDE = 40.0
"""Width in pixels from which a face counts where photos are turned and resized."""
PLAIN = "0"
"""Name of the view that is the photo as it is."""

Lists = defaultdict[str, list[float]]


def wrong(answer: Answer, mine: yunet.Faces) -> np.ndarray:
    """Which of the boxes are no face and not excused by a doubt."""
    seen = yunet.best_overlap(mine.boxes, answer.faces.boxes) >= MATCH
    if answer.photo.empty:
        return ~seen
    return ~seen & (yunet.best_overlap(mine.boxes, answer.doubts) < TOUCH)


def landmark_errors(answer: Answer, mine: yunet.Faces) -> dict[int, float]:
    """For each face found, by number, the mean error of its landmarks in eye distances.

    The eyes of a profile lie close together, so the unit is at least 0.3 of the box's size.
    """
    result = {}
    for index, (box, points) in enumerate(zip(answer.faces.boxes, answer.faces.landmarks)):
        overlaps = yunet.overlap(box, mine.boxes)
        if len(overlaps) and overlaps.max() >= MATCH:
            away = np.linalg.norm(mine.landmarks[overlaps.argmax()] - points, axis=1).mean()
            size = 0.3 * np.sqrt(np.prod(box[2:] - box[:2]))
            result[index] = float(away / max(np.linalg.norm(points[0] - points[1]), size))
    return result


def bin_of(width: float) -> str | None:
    """The name of the bin of a width in pixels."""
    for low, high in BINS:
        if low <= width < high:
            return f"{low}-{high} px" if high < 1000 else f"over {low} px"
    return None


class Table:
    """Collects what answers show."""

    def __init__(self) -> None:
        self.false: Lists = defaultdict(list)
        self.largest: Lists = defaultdict(list)
        self.found: Lists = defaultdict(list)
        self.errors: Lists = defaultdict(list)
        self.hits: Lists = defaultdict(list)
        self.counts: Lists = defaultdict(list)
        self.turned: Lists = defaultdict(list)
        self.moved: Lists = defaultdict(list)

    def plain(self, answer: Answer, mine: yunet.Faces) -> None:
        """Count a photo as it is."""
        photo, bad = answer.photo, wrong(answer, mine)
        place = "bsds" if photo.collection == "backgrounds" else "scene"
        self.false["empty" if photo.empty else place].append(int(bad.sum()))
        widths = np.ptp(answer.faces.boxes[:, ::2], axis=1)
        if len(mine) and not photo.empty:
            areas = np.prod(mine.boxes[:, 2:] - mine.boxes[:, :2], axis=1)
            self.largest["scenes"].append(bool(bad[areas.argmax()]))
            if len(widths) and widths.max() >= PORTRAIT * answer.size[0]:
                self.largest["portraits"].append(bool(bad[areas.argmax()]))
        seen = np.clip(max(answer.size), *SEEN) / max(answer.size)
        overlaps, errors = (
            yunet.best_overlap(answer.faces.boxes, mine.boxes),
            landmark_errors(answer, mine),
        )
        for index, width in enumerate(widths * seen):
            size = bin_of(width)
            if size is not None:
                self.found[size].append(bool(overlaps[index] >= MATCH))
                self.errors[size] += [errors[index]] if index in errors else []

    def changed(self, answer: Answer, mine: yunet.Faces) -> None:
        """Count the wide faces of a photo that is asked in several turns."""
        big = np.flatnonzero(np.ptp(answer.photo.faces.boxes[:, ::2], axis=1) >= WIDE)
        middles = (mine.boxes[:, :2] + mine.boxes[:, 2:]) / 2
        for box in answer.faces.boxes[big]:
            on = ((middles > box[:2]) & (middles < box[2:])).all(1)
            self.hits[answer.view].append(bool(on.any()))
            self.counts[answer.view] += [int(on.sum())] if on.any() else []
        errors = landmark_errors(answer, mine)
        self.turned[answer.view] += [errors[index] for index in big if index in errors]

    def resized(self, answer: Answer, mine: yunet.Faces, plain: yunet.Faces) -> None:
        """How far landmarks move, in eye distances, where the photo is resized."""
        zoom = float(answer.view[1:])
        for box, points in zip(plain.boxes, plain.landmarks):
            overlaps = yunet.overlap(box * zoom, mine.boxes)
            if len(overlaps) and overlaps.max() >= MATCH and box[2] - box[0] >= WIDE:
                moved = mine.landmarks[overlaps.argmax()] - (points * zoom + zoom / 2 - 0.5)
                eyes = np.linalg.norm(points[0] - points[1]) * zoom
                self.moved[answer.view].append(np.linalg.norm(moved, axis=1).mean() / max(eyes, 1))

    def rows(self) -> dict[str, float]:
        """Means, and the numbers of photos and faces that they rest on."""
        rows: dict[str, float] = {}

        def add(name: str, values: list[float], number: str = "") -> None:
            if values:
                rows[name] = float(np.mean(values))
            if number:
                rows[number] = len(values)

        for place in ("empty", "scene", "bsds"):
            values = self.false[place]
            add(f"false faces a photo, {place}", values, f"photos, {place}")
        for place in ("scenes", "portraits"):
            values = self.largest[place]
            add(f"largest box no face, {place}", values, f"photos with a box, {place}")
        for size in (bin_of(low) for low, _ in BINS):
            add(f"recall {size}", self.found[size], f"faces {size}")
            add(f"landmark error {size}", self.errors[size])
        for view, hits in self.hits.items():
            add(f"turned {view}: recall", hits, f"turned {view}: faces")
            add(f"turned {view}: boxes a face", self.counts[view])
            add(f"turned {view}: landmark error", self.turned[view])
        for view, values in self.moved.items():
            add(f"landmarks moved, resized {view}", values)
        return rows


def table(answers: list[Answer], settings: pipeline.Settings) -> dict[str, float]:
    """The exam's figures with one pack's settings."""
    collected, plain = Table(), {}
    several = {a.photo.name for a in answers if a.view != PLAIN}
    for answer in answers:
        mine = pipeline.decide(answer.found, settings)
        if answer.view == PLAIN:
            plain[answer.photo.name] = mine
            collected.plain(answer, mine)
        if answer.view.startswith("x"):
            collected.resized(answer, mine, plain[answer.photo.name])
        elif answer.photo.name in several:
            collected.changed(answer, mine)
    return collected.rows()
