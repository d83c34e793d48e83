"""Photographs with the teacher's faces: several looks at each, merged into faces and doubts.

YuNet errs on photographs in both directions. So each photo is looked at in several sizes and
mirrored, and a face is what most looks that could see it agree on.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recipe.common import data
from recipe.detector import yunet

CERTAIN, DOUBTFUL, AGREED = 0.7, 0.25, 0.45
"""A face has one look above the first and a mean above the last.

A look below the second saw nothing.
"""
VISIBLE = (14.0, 480.0)
"""Widths in pixels at which the teacher can be trusted to see a face."""
SAME = 0.4
"""Overlap from which two looks see one face."""

Look = tuple[int, bool]
"""Longest side in pixels; whether the photo is mirrored."""
Looks = dict[Look, yunet.Faces]

WHOLE: tuple[Look, ...] = tuple((side, mirror) for side in (640, 960) for mirror in (False, True))
TIGHT: tuple[Look, ...] = ((256, False), (192, True))
"""Looks at photographs and at tight crops, in the order that they are made."""
PAD = 0.25
"""Margin around tight crops, as a share of the longest side."""


@dataclass(frozen=True)
class Collection:
    """One source of images: how it is looked at, and how many of its images are used."""

    name: str
    tight: bool = False
    share: float = 1.0
    empty: bool = False
    """Whether there is no face, whatever the teacher sees."""


COLLECTIONS = (
    Collection("negatives", empty=True),
    Collection("scenes"),
    Collection("backgrounds"),
    Collection("masks", share=0.4),
    Collection("synthetic-faces"),
    Collection("celeba-9k", tight=True, share=0.3),
    Collection("utkface", tight=True, share=0.3),
    Collection("film-faces", tight=True, share=0.35),
    Collection("identities", tight=True, share=0.2),
)


@dataclass
class Photo:
    """One photo: its encoded bytes, the faces in it and what may be faces.

    Where `empty`, there are no faces and `doubts` are what the teacher wrongly saw. `wrong` are
    boxes [N, 4] that a person saw to be none.
    """

    collection: str
    name: str
    encoded: bytes
    faces: yunet.Faces
    doubts: yunet.Faces
    empty: bool
    wrong: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))

    @property
    def kind(self) -> str:
        """Where the photo comes from: the prefix of its name, or its collection."""
        prefix = self.name.rsplit("/", 1)[-1].partition("-")[0]
        return prefix if self.collection in ("scenes", "negatives") else self.collection

    def pixels(self) -> np.ndarray:
        """RGB pixels [H, W, 3]."""
        image = data.decode(self.encoded)
        if image is None:
            raise ValueError(f"{self.collection}/{self.name} is no image")
        return image


def share_of(name: str) -> float:
    """A fixed number 0..1 for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 10_000 / 10_000


def split_of(collection: str, name: str) -> int:
    """The fixed split of a photo: 72 % train, 8 % calibration, 20 % test."""
    if collection == "backgrounds":  # as the composites split them
        return data.split_of(name.encode())
    share = share_of(f"{collection}/{name}")
    return data.TEST if share < 0.2 else data.CALIBRATION if share < 0.28 else data.TRAIN


def merge(looks: Looks, width: int, height: int) -> tuple[yunet.Faces, yunet.Faces]:
    """Faces and doubtful ones of one photo of that size in pixels.

    The score of each is the mean over the looks that could see it.
    """
    found = []
    for (_, mirrored), seen in looks.items():
        faces = seen.mirrored(width) if mirrored else seen
        found += [(faces.scores[i], faces.boxes[i], faces.landmarks[i]) for i in range(len(faces))]
    found.sort(key=lambda entry: -entry[0])
    clusters: list[list[tuple[float, np.ndarray, np.ndarray]]] = []
    for entry in found:
        close = (c for c in clusters if yunet.overlap(entry[1], c[0][1][None])[0] > SAME)
        cluster = next(close, None)
        if cluster is None:
            clusters.append([entry])
        else:
            cluster.append(entry)
    faces, doubts = [], []
    for cluster in clusters:
        scores = np.array([entry[0] for entry in cluster])
        box = np.average([entry[1] for entry in cluster], axis=0, weights=scores)
        points = np.average([entry[2] for entry in cluster], axis=0, weights=scores)
        sizes = [(box[2] - box[0]) * side / max(width, height) for side, _ in looks]
        able = sum(VISIBLE[0] <= size <= VISIBLE[1] for size in sizes)
        mean = float(min(scores.sum() / max(able, 1 + len(looks) // 3), scores.max()))
        sure = scores.max() >= CERTAIN and mean >= AGREED
        (faces if sure else doubts).append((box, points, mean))
    return together(faces), together(doubts)


def together(found: list[tuple[np.ndarray, np.ndarray, float]]) -> yunet.Faces:
    """Faces of a box, landmarks and a score each."""
    boxes, landmarks, scores = zip(*found) if found else ((), (), ())
    return yunet.Faces(
        np.array(boxes).reshape(-1, 4), np.array(landmarks).reshape(-1, 5, 2), np.array(scores)
    )


def store_of(collection: Collection) -> Path:
    """Where the looks at a collection are kept."""
    return data.WORK / f"looks-{collection.name}.pickle"


def saved_looks(collection: Collection) -> dict[str, tuple[tuple[int, int], Looks]]:
    """Size (width, height) and looks of each photo so far, by name."""
    store = store_of(collection)
    return pickle.loads(store.read_bytes()) if store.exists() else {}


def look(collection: Collection, most: int) -> None:
    """Look at the photos of a collection until each has had `most` looks."""
    teacher = yunet.Detector(yunet.MODEL, DOUBTFUL)
    saved = saved_looks(collection)
    wanted = (TIGHT if collection.tight else WHOLE)[:most]
    images = tqdm(data.read_images(collection.name), desc=collection.name, mininterval=10)
    for name, encoded in images:
        if share_of(name[::-1]) >= collection.share:
            continue
        done = saved[name][1] if name in saved else {}
        missing = [key for key in wanted if key not in done]
        image = data.decode(encoded) if missing else None
        if image is None:
            continue
        for side, mirrored in missing:
            view = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            done[side, mirrored] = teacher(view, side, PAD if collection.tight else 0.0)
        saved[name] = (image.shape[1::-1], done)
    temporary = store_of(collection).with_suffix(".tmp")
    temporary.write_bytes(pickle.dumps(saved))
    temporary.rename(store_of(collection))


def photos(collection: Collection, split: int) -> list[Photo]:
    """The photos of one split that have been looked at."""
    saved, result = saved_looks(collection), []
    for name, encoded in data.read_images(collection.name):
        if name in saved and split_of(collection.name, name) == split:
            (width, height), looks = saved[name]
            faces, doubts = merge(looks, width, height)
            if collection.empty:
                doubts, faces = faces.joined(doubts), faces.take(np.zeros(0, int))
            result.append(Photo(collection.name, name, encoded, faces, doubts, collection.empty))
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--looks", type=int, default=len(WHOLE), help="looks at each photo")
    parser.add_argument("--only", nargs="*", help="collections")


def execute(options: argparse.Namespace) -> None:
    """Look at every photo; what was seen is kept, so that a second run only adds."""
    data.WORK.mkdir(parents=True, exist_ok=True)
    for collection in COLLECTIONS:
        if not options.only or collection.name in options.only:
            look(collection, options.looks)
