"""Detect and align every face with the teacher, once, and cache the crops.

Writes to the work folder: `crops.npy` (wide aligned crops, RGB uint8 [N, 192, 192, 3]) and
`faces.npz` (one row per crop: source, name, identity, split, box, landmarks, score, matrix).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np
from tqdm import tqdm

from recipe.common import data, geometry
from recipe.detector import yunet

SURE = 0.8
"""Score of a single face from which no other margin is tried."""
LEAST_FACE = 24.0
"""Faces of crowd images narrower than this, in source pixels, are left out."""


@cache
def teacher() -> yunet.Detector:
    """The teacher's detector, one per process."""
    return yunet.Detector(yunet.MODEL, threshold=0.5)


def prominent(faces: yunet.Faces, shape: tuple[int, ...]) -> yunet.Faces:
    """The large, central, certain face of a single-person image."""
    size = np.sqrt(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1))
    middle = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - np.array(shape[1::-1]) / 2
    rank = faces.scores * size - 0.5 * np.linalg.norm(middle, axis=1)
    return faces.take(np.argsort(-rank)[:1])


def faces_of(image: np.ndarray, source: data.Source) -> yunet.Faces:
    """The teacher's faces of one image, from the margin that it is surest about."""
    best = yunet.Faces(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    for margin in source.margins:
        faces = teacher()(image, source.side, margin)
        if source.single:
            faces = prominent(faces, image.shape)
        else:
            faces = faces.take(np.flatnonzero(np.ptp(faces.boxes[:, ::2], axis=1) >= LEAST_FACE))
        if faces.scores.sum() > best.scores.sum():
            best = faces
        if source.single and len(best) and best.scores[0] >= SURE:
            break
    return best


Job = tuple[data.Source, str, bytes]


def process(job: Job) -> list[dict[str, object]]:
    """Rows (with their crops) of one image."""
    source, file, encoded = job
    image = data.decode(encoded)
    if image is None:
        return []
    faces, target = (
        faces_of(image, source),
        geometry.template(geometry.WIDE_SIDE, geometry.WIDE_SCALE),
    )
    rows: list[dict[str, object]] = []
    for index in range(len(faces)):
        matrix = geometry.similarity(faces.landmarks[index], target)
        rows.append(
            {
                "crop": geometry.warp(image, matrix, geometry.WIDE_SIDE),
                "source": data.SOURCE_IDS[source.name],
                "name": file,
                "box": faces.boxes[index].astype(np.float32),
                "landmarks": faces.landmarks[index].astype(np.float32),
                "score": np.float32(faces.scores[index]),
                "matrix": matrix.astype(np.float32),
            }
        )
    return rows


def jobs(identity: dict[tuple[str, str], int], keys: list[tuple[int, int]]) -> Iterator[Job]:
    """Every image; its (split, identity) is appended to `keys` in the same order."""
    for source in data.SOURCES:
        for file, encoded in data.read_images(source.name):
            person = identity.get((source.name, file), -1)
            key = f"identity {person}".encode() if person >= 0 else encoded
            if source.name == "identities":
                key = f"family {file.split('_')[0]}".encode()  # relatives look alike
            keys.append((data.split_of(key), person))
            yield source, file, encoded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--force", action="store_true", help="build again")
    parser.add_argument("--processes", type=int, default=2)


def execute(options: argparse.Namespace) -> None:
    """Build the cache unless it is there."""
    data.WORK.mkdir(parents=True, exist_ok=True)
    if (data.WORK / "faces.npz").exists() and not options.force:
        print("prepare: the cache is there")
        return

    keys: list[tuple[int, int]] = []
    todo = list(jobs(data.people(), keys))
    rows, raw = [], (data.WORK / "crops.raw").open("wb")
    with ProcessPoolExecutor(options.processes) as pool, raw:
        results = pool.map(process, todo, chunksize=64)
        for (split, person), found in zip(keys, tqdm(results, total=len(todo), desc="prepare")):
            for row in found:
                raw.write(row.pop("crop"))
                rows.append(row | {"split": split, "identity": person})
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    shape = (len(rows), geometry.WIDE_SIDE, geometry.WIDE_SIDE, 3)
    crops = np.memmap(data.WORK / "crops.raw", np.uint8, "r", shape=shape)
    np.save(data.WORK / "crops.npy", crops)
    np.savez(data.WORK / "faces.npz", **columns)
    (data.WORK / "crops.raw").unlink()
    print(f"prepare: {len(rows)} faces, by split {np.bincount(columns['split']).tolist()}")
