"""What a person saw where networks and reference disagree about photographs of the exam.

YuNet takes dogs, statues and hands for faces, and misses profiles and masked or small faces that
the networks find. `reviewed.txt` has a line for each such box: the photo, the box in its pixels,
and `none` where the reference sees a face that is no human one, or `face` where it misses one. The
first leaves the reference; the second counts for neither side, as only what the networks find was
looked at.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recipe.detector import yunet
from recipe.detector.photographs import Photo

PATH = Path(__file__).with_name("reviewed.txt")
SAME = 0.5
"""Overlap from which a reviewed box is a face of the reference."""
FACE, NONE = "face", "none"

Verdicts = dict[str, list[tuple[np.ndarray, str]]]
"""Boxes [4] and verdicts, by collection and name of the photo."""


def key(photo: Photo) -> str:
    """How the file names a photo."""
    return f"{photo.collection}/{photo.name}"


def line(photo: Photo, box: np.ndarray, verdict: str) -> str:
    """A line of the file."""
    return " ".join([key(photo), *(f"{edge:.0f}" for edge in box), verdict])


def verdicts(path: Path = PATH) -> Verdicts:
    """All lines of the file."""
    result: Verdicts = {}
    for text in path.read_text().splitlines():
        name, *edges, verdict = text.split()
        result.setdefault(name, []).append((np.array(edges, float), verdict))
    return result


def apply(photo: Photo, known: Verdicts) -> Photo:
    """The photo with its reference as reviewed."""
    faces, doubts = photo.faces, photo.doubts
    for box, verdict in known.get(key(photo), []):
        if verdict == FACE:
            doubts = np.concatenate([doubts, box[None]])
        elif len(faces):
            faces = faces.take(np.flatnonzero(yunet.overlap(box, faces.boxes) < SAME))
    return replace(photo, faces=faces, doubts=doubts)
