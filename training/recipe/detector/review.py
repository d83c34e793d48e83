"""What a person saw where networks and reference disagree about photographs.

YuNet takes dogs, statues and hands for faces, and misses profiles and masked or small faces that
the networks find. `reviewed.txt` has a line for each such box: the photo, the box in its pixels,
and `none` where there is no human face, or `face` where there is one that the reference doubts or
misses. In the exam the first leaves the reference, and the second counts for neither side, as only
what the networks find was looked at. In training the first is taught as no face, and the second as
a face where YuNet's doubtful look has its landmarks.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from recipe.detector import yunet
from recipe.detector.photographs import Photo

PATH = Path(__file__).with_name("reviewed.txt")
SAME, SIMILAR = 0.5, 0.3
"""Overlap from which a reviewed box is a face of the reference, or one that it doubts."""
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
        name, *edges, verdict = text.rsplit(" ", 5)
        result.setdefault(name, []).append((np.array(edges, float), verdict))
    return result


def judged(photo: Photo, known: Verdicts) -> Photo:
    """The photo as the exam takes it."""
    faces, doubts = photo.faces, photo.doubts
    for box, verdict in known.get(key(photo), []):
        if verdict == FACE:
            alone = yunet.Faces(box[None], np.zeros((1, 5, 2)), np.zeros(1))
            doubts = doubts.joined(alone)
        else:
            faces = apart(faces, box, SAME)
    return replace(photo, faces=faces, doubts=doubts)


def taught(photo: Photo, known: Verdicts) -> Photo:
    """The photo as training takes it."""
    faces, doubts, wrong = photo.faces, photo.doubts, photo.wrong
    for box, verdict in known.get(key(photo), []):
        if verdict == NONE:
            faces, wrong = apart(faces, box, SAME), np.concatenate([wrong, box[None]])
            doubts = apart(doubts, box, SIMILAR)
        elif len(doubts) and not photo.empty:
            overlaps = yunet.overlap(box, doubts.boxes)
            if overlaps.max() >= SIMILAR:
                seen = np.arange(len(doubts)) == overlaps.argmax()
                faces = faces.joined(doubts.take(np.flatnonzero(seen)))
                doubts = doubts.take(np.flatnonzero(~seen))
    return replace(photo, faces=faces, doubts=doubts, wrong=wrong)


def apart(faces: yunet.Faces, box: np.ndarray, limit: float) -> yunet.Faces:
    """The faces that overlap a box by less than the limit."""
    if not len(faces):
        return faces
    return faces.take(np.flatnonzero(yunet.overlap(box, faces.boxes) < limit))
