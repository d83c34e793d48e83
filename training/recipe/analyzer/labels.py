"""Turn data-set labels and the teachers' answers into one table of targets and weights.

Every target comes with a weight per row: 1 for a label of a data set, less for a teacher's opinion,
0 where nothing is known. Geometry is in units of the analyzer's crop, angles in degrees.
Writes `analyzer_labels.npz` to the work folder, one row per cached crop.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from recipe.analyzer import lids
from recipe.analyzer.faceapi import EXPRESSIONS
from recipe.analyzer.spec import AGES, ATTRIBUTES, EMOTIONS, FIVE, LANDMARKS, from_wide
from recipe.common import data, geometry
from recipe.common.logistic import fit_logistic, sigmoid
from recipe.embedder import teacher, views

SUNGLASSES = Path(__file__).with_name("sunglasses.txt")
FER_FOLDERS = {
    "happy": "HAPPY",
    "sad": "SAD",
    "angry": "ANGRY",
    "disgust": "DISGUSTED",
    "surprise": "SURPRISED",
    "neutral": "CALM",
    "fear": "FEAR",
}
TEACHER_EMOTIONS = ("CALM", "HAPPY", "SAD", "ANGRY", "FEAR", "DISGUSTED", "SURPRISED")
assert len(TEACHER_EMOTIONS) == len(EXPRESSIONS)
FILM_AGES = {"YOUNG": (24, 10), "MIDDLE": (42, 10), "OLD": (66, 11)}
"""Mean and spread that stand for the film faces' three classes."""
# Blendshapes by index; left and right are the subject's.
BROW_DOWN, BROW_INNER_UP, BLINK = (1, 2), (3,), (9, 10)
FIVE_IN_MESH = ((33, 133, 159, 145), (362, 263, 386, 374), (1, 4), (61,), (291,))
"""The detector's eyes, nose and mouth corners as means of mesh points; eyes without pupils."""
LOOK_DOWN, LOOK_UP = (11, 12), (17, 18)
LOOK_IMAGE_RIGHT, LOOK_IMAGE_LEFT = (15, 14), (13, 16)
GAZE_DEGREES = 35.0
"""Eye rotation that a full look blendshape stands for; the blendshapes have no unit."""
CLOSED = 0.75
"""Blink at which a look is fading out."""
SEX_SURE = 0.95
"""Confidence from which the gender teacher's answer stands in for a label."""
UNLIKELY = 0.4
"""Weight of the beards of women and children: known, but men are to be told apart."""
SURE = 0.5
"""Mesh presence from which a mesh may differ more from the detector's landmarks."""
NEAR, NEARER = 0.25, 0.15
"""How far from the detector's five landmarks a mesh may be, as shares of the eye distance."""
CHILD = 13
"""Age below which nobody has a beard."""


class Table:
    """Targets and weights, filled source by source."""

    def __init__(self) -> None:
        self.faces = dict(np.load(data.WORK / "faces.npz"))
        self.count = len(self.faces["name"])
        answers = dict(np.load(data.WORK / "analyzer_teachers.npz"))
        rows = answers.pop("rows")
        self.teachers: dict[str, np.ndarray] = {}
        for name, values in answers.items():
            self.teachers[name] = np.full((self.count, *values.shape[1:]), np.nan, np.float32)
            self.teachers[name][rows] = values
        self.five = self.detector_points()
        """The detector's landmarks [N, 5, 2] in 0..1 of the wide crop."""
        self.sure = self.trusted()
        self.attributes = np.zeros((self.count, len(ATTRIBUTES)), np.float32)
        self.known = np.zeros_like(self.attributes)
        self.age = np.zeros((self.count, 3), np.float32)
        """Mean, spread, weight."""
        self.emotions = np.zeros((self.count, len(EMOTIONS)), np.float32)
        self.emotions_known = np.zeros(self.count, np.float32)
        self.targets: dict[str, np.ndarray] = {}

    def detector_points(self) -> np.ndarray:
        """The detector's landmarks, moved from the source image to the wide crop."""
        linear, shift = self.faces["matrix"][:, :, :2], self.faces["matrix"][:, :, 2]
        return (
            np.einsum("nij,nkj->nki", linear, self.faces["landmarks"]) + shift[:, None]
        ) / geometry.WIDE_SIDE

    def trusted(self) -> np.ndarray:
        """Which meshes agree with the detector; presence alone refuses many good ones."""
        mesh = np.nan_to_num(self.teachers["mesh"][:, :, :2], nan=9.0)
        points = np.stack([mesh[:, list(group)].mean(1) for group in FIVE_IN_MESH], axis=1)
        template = geometry.template(1, geometry.WIDE_SCALE)
        apart = np.linalg.norm(points - self.five, axis=2).mean(1) / (
            template[1, 0] - template[0, 0]
        )
        return np.where(
            np.nan_to_num(self.teachers["presence"]) > SURE, apart < NEAR, apart < NEARER
        )

    def rows(self, source: str) -> np.ndarray:
        """Row numbers of a source."""
        return np.flatnonzero(self.faces["source"] == data.SOURCE_IDS[source])

    def put(self, name: str, rows: np.ndarray, value: np.ndarray | float, weight: float) -> None:
        """Set an attribute's target where the new weight is above the old one."""
        column = ATTRIBUTES.index(name)
        better = weight > self.known[rows, column]
        self.attributes[rows[better], column] = np.broadcast_to(value, rows.shape)[better]
        self.known[rows[better], column] = weight

    def shape(self, indices: tuple[int, ...]) -> np.ndarray:
        """The mean of some blendshapes, per row, 0 where there is none."""
        return np.nan_to_num(self.teachers["blendshapes"][:, indices].mean(1))


def add_geometry(table: Table) -> None:
    """Landmarks and pose; the detector's five points stand in where the mesh is unsure."""
    # The mesh counts from the corner of a pixel, the warps from its center.
    mesh = table.teachers["mesh"] - 0.5 / geometry.WIDE_SIDE
    points = np.stack(
        [mesh[:, list(indices), :2].mean(1) for indices in LANDMARKS.values()], axis=1
    )
    lost = mend_pupils(points)
    weight = np.repeat(table.sure[:, None], len(LANDMARKS), 1).astype(np.float32)
    unsure = np.flatnonzero(~table.sure)
    points[unsure] = 0.5
    points[unsure[:, None], FIVE] = table.five[unsure]
    weight[unsure[:, None], FIVE] = 0.5
    asked = ~np.isnan(table.teachers["pose"][:, 0])
    table.targets |= {
        "landmarks": from_wide(points),
        "landmarks_weight": weight,
        "pose": np.nan_to_num(table.teachers["pose"]),
        "pose_weight": asked.astype(np.float32),
        "gaze_weight": (asked & ~lost).astype(np.float32),
    }


def mend_pupils(points: np.ndarray) -> np.ndarray:
    """Put pupils that the mesh lost back between the lids, in place; return the rows concerned."""
    at = {name: index for index, name in enumerate(LANDMARKS)}
    lost = np.zeros(len(points), bool)
    for side in ("left", "right"):
        lids = points[:, [at[f"{side}Eye{end}"] for end in ("Left", "Right", "Up", "Down")]]
        width = np.linalg.norm(lids[:, 0] - lids[:, 1], axis=1)
        gone = np.linalg.norm(points[:, at[f"{side}Pupil"]] - lids.mean(1), axis=1) > 0.5 * width
        for name in (f"{side}Pupil", f"eye{side.capitalize()}"):
            points[gone, at[name]] = lids[gone].mean(1)
        lost |= gone
    return lost


def add_gaze(table: Table) -> None:
    """Eye direction from the look blendshapes; its confidence is that the eyes are visible."""
    yaw = (table.shape(LOOK_IMAGE_RIGHT) - table.shape(LOOK_IMAGE_LEFT)) * GAZE_DEGREES
    open_eyes = np.clip((CLOSED + 0.1 - table.shape(BLINK)) / 0.3, 0, 1)
    # The teacher takes a closing lid for a downward look, so that part is faded out.
    pitch = (table.shape(LOOK_UP) - table.shape(LOOK_DOWN) * open_eyes) * GAZE_DEGREES
    frontal = np.clip(1.5 - np.abs(table.targets["pose"][:, 1]) / 40, 0, 1)
    confidence = np.where(table.sure, frontal * open_eyes, 0)
    table.targets["gaze"] = np.stack([yaw, pitch, confidence], 1).astype(np.float32)


def add_expressions(table: Table) -> None:
    """Eyes, mouth and emotions from the teachers."""
    sure = np.flatnonzero(table.sure)
    closed, opened = lids.states(
        np.nan_to_num(table.teachers["blendshapes"][:, BLINK]),
        np.nan_to_num(table.teachers["mesh"][:, :, :2]),
    )
    table.put("eyes_open", sure[closed[sure]], 0.0, 1.0)
    table.put("eyes_open", sure[opened[sure]], 1.0, 1.0)
    rows = np.flatnonzero(~np.isnan(table.teachers["expressions"][:, 0]) & table.sure)
    opinion = np.zeros((len(rows), len(EMOTIONS)))
    opinion[:, [EMOTIONS.index(name) for name in TEACHER_EMOTIONS]] = table.teachers["expressions"][
        rows
    ]
    # No set labels confusion: lowered or raised inner brows on an otherwise calm face stand for it.
    brows = np.maximum(table.shape(BROW_DOWN), 0.7 * table.shape(BROW_INNER_UP))[rows]
    confused = 0.4 * np.clip((brows - 0.3) / 0.4, 0, 1) * opinion[:, EMOTIONS.index("CALM")]
    opinion *= (1 - confused)[:, None]
    opinion[:, EMOTIONS.index("CONFUSED")] = confused
    table.emotions[rows], table.emotions_known[rows] = opinion, 0.3


def add_celeba(table: Table) -> None:
    """CelebA's own labels, then smile and open mouth learned from them for the other sources."""
    rows, labels = table.rows("celeba-9k"), data.celeba_rows()
    records = [labels[name] for name in table.faces["name"][rows]]
    column = {
        name: np.array([float(r[name]) for r in records])
        for name in records[0]
        if name not in ("file", "identity")
    }
    for name, label in {"eyeglasses": "Eyeglasses", "male": "Male", "mustache": "Mustache"}.items():
        table.put(name, rows, column[label], 1.0)
    table.put("beard", rows, 1 - column["No_Beard"], 1.0)
    women = rows[column["Male"] < 0.5]
    for name in ("beard", "mustache"):
        table.known[women, ATTRIBUTES.index(name)] = UNLIKELY
    listed = set(SUNGLASSES.read_text().splitlines())
    shades = np.array([name.removesuffix(".jpg") in listed for name in table.faces["name"][rows]])
    table.put("sunglasses", rows, shades, 1.0)
    table.put("face_occluded", rows[shades], 1.0, 1.0)
    table.put("face_occluded", rows[~shades], 0.0, 0.5)
    table.known[rows[shades], ATTRIBUTES.index("eyes_open")] = 0
    shapes = np.nan_to_num(table.teachers["blendshapes"]).astype(np.float64)
    train = table.sure[rows] & (table.faces["split"][rows] == data.TRAIN)
    check = table.sure[rows] & (table.faces["split"][rows] != data.TRAIN)
    single = ("utkface", "film-faces", "synthetic-faces", "identities")
    others = np.concatenate([table.rows(name) for name in single])
    others = others[table.sure[others]]
    for name, label in {"smile": "Smiling", "mouth_open": "Mouth_Slightly_Open"}.items():
        table.put(name, rows, column[label], 1.0)
        weights = fit_logistic(shapes[rows[train]], column[label][train])
        opinion = sigmoid(shapes @ weights[:-1] + weights[-1])
        table.put(name, others, opinion[others], 0.4)
        right = (opinion[rows[check]] > 0.5) == (column[label][check] > 0.5)
        print(
            f"labels: blendshapes alone agree with {label} on {right.mean():.3f}"
            f" of {check.sum()} held-out faces"
        )


def add_utkface(table: Table) -> None:
    """Age and gender from the file names; women and children have no beard."""
    rows = table.rows("utkface")
    parts = [name.split("_") for name in table.faces["name"][rows]]
    age = np.array([float(part[0]) for part in parts])
    male = np.array([float(part[1] == "0") for part in parts])
    table.age[rows] = np.stack([np.minimum(age, AGES - 1), 1.5 + 0.06 * age, np.ones(len(rows))], 1)
    table.put("male", rows[age >= 3], male[age >= 3], 1.0)
    bare = rows[(male == 0) | (age < CHILD)]
    for name in ("beard", "mustache"):
        table.put(name, bare, 0.0, UNLIKELY)


def add_ages(table: Table) -> None:
    """The age teacher's opinion, and for film faces the mean of it and their class."""
    asked = np.flatnonzero(~np.isnan(table.teachers["age"]))
    opinion = np.clip(table.teachers["age"], 0, AGES - 1)
    rest = np.tile([6.0, 0.4], (len(asked), 1))
    table.age[asked] = np.column_stack([opinion[asked], rest])
    with (data.SHARED / "data" / "film-faces.csv").open(newline="") as handle:
        classes = {int(row["id"]): row["class"] for row in csv.DictReader(handle)}
    for row in table.rows("film-faces"):
        kind = classes[int(Path(table.faces["name"][row]).stem)]
        if kind not in FILM_AGES:
            continue
        mean, spread = FILM_AGES[kind]
        seen = not np.isnan(opinion[row])
        table.age[row] = ((mean + opinion[row]) / 2, 8, 0.4) if seen else (mean, spread, 0.2)


def add_identity(table: Table) -> None:
    """The embedder's teacher's view of each face; its mirror image has nearly the same."""
    teach, wides = teacher.Teacher(64), np.load(data.WORK / "crops.npy", mmap_mode="r")
    parts = np.array_split(np.arange(table.count), max(1, table.count // 64))
    crops = (np.stack([views.aligned(wides[row]) for row in part]) for part in parts)
    table.targets["identity"] = np.concatenate([teach(some) for some in crops]).astype(np.float16)


def add_others(table: Table) -> None:
    """The gender teacher for film faces, masks for occlusion, FER for emotions."""
    rows, male = table.rows("film-faces"), np.nan_to_num(table.teachers["male"], nan=0.5)
    rows = rows[np.abs(male[rows] - 0.5) > SEX_SURE - 0.5]
    table.put("male", rows, male[rows] > 0.5, 0.3)
    rows = table.rows("masks")
    masked = np.array([name.startswith("with_mask") for name in table.faces["name"][rows]])
    table.put("face_occluded", rows, masked.astype(float), 1.0)
    for name in ("mouth_open", "smile", "beard", "mustache"):
        table.known[rows[masked], ATTRIBUTES.index(name)] = 0
    rows = table.rows("fer-emotions")
    folders = [FER_FOLDERS[name.split("/")[0]] for name in table.faces["name"][rows]]
    table.emotions[rows] = np.eye(len(EMOTIONS))[[EMOTIONS.index(name) for name in folders]]
    table.emotions_known[rows] = 1
    happy = np.array([name == "HAPPY" for name in folders])
    plain = np.array([name in ("CALM", "SAD", "ANGRY") for name in folders])
    table.put("smile", rows[happy], 1.0, 0.3)
    table.put("smile", rows[plain], 0.0, 0.3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""


def execute(options: argparse.Namespace) -> None:
    """Build the table and print how much of it is known."""
    table = Table()
    sources = (add_celeba, add_utkface, add_ages, add_others, add_identity)
    for step in (add_geometry, add_gaze, add_expressions, *sources):
        step(table)
    table.targets |= {"attributes": table.attributes, "attributes_weight": table.known}
    table.targets["age"] = table.age
    table.targets |= {"emotions": table.emotions, "emotions_weight": table.emotions_known}
    np.savez(data.WORK / "analyzer_labels.npz", **table.targets)
    for index, name in enumerate(ATTRIBUTES):
        known = table.known[:, index] > 0
        share = table.attributes[known, index].mean()
        print(f"labels: {name:14} known {known.sum():6} share true {share:.3f}")
