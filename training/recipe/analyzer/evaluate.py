"""Measure the exported analyzer on the test split."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from recipe.analyzer.ages import age_range
from recipe.analyzer.export import EVEN, balance
from recipe.analyzer.model import CONFUSED
from recipe.analyzer.spec import AGES, ATTRIBUTES, NAMES, OUTPUTS
from recipe.analyzer.views import Views, normalized
from recipe.common import data, onnx_runtime

RACES = ("White", "Black", "Asian", "Indian", "other")
AGE_GROUPS = ((0, 13), (13, 30), (30, 45), (45, 60), (60, 101))
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
Table = dict[str, np.ndarray]


def outputs(pack: Path, views: Views, rows: np.ndarray) -> Table:
    """The pack's answers on the plain crops of some rows."""
    session = onnx_runtime.session(pack / "analyzer.onnx")
    batches = np.array_split(rows, max(1, len(rows) // 32))
    faces = (normalized(views.plain(some)).contiguous().numpy() for some in batches)
    parts = [session.run(list(OUTPUTS), {"face": face}) for face in faces]
    return {name: np.concatenate(part) for name, part in zip(OUTPUTS, zip(*parts))}


class Judge:
    """Answers and truth of the test split."""

    def __init__(self, pack: Path) -> None:
        views = Views()
        self.rows = np.flatnonzero(views.faces["split"] == data.TEST)
        self.answer = outputs(pack, views, self.rows)
        self.truth = {name: table[self.rows] for name, table in views.tables.items()}
        self.names = views.faces["name"][self.rows]
        self.source = views.faces["source"][self.rows]
        self.yaw = np.where(self.truth["pose_weight"] > 0, np.abs(self.truth["pose"][:, 1]), np.nan)
        self.ages = (self.answer["age"] * np.arange(AGES)).sum(1)

    def of(self, source: str) -> np.ndarray:
        """Which rows are of a source."""
        return self.source == data.SOURCE_IDS[source]

    def flag(
        self, name: str, where: np.ndarray, least: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability and truth of an attribute where it is known at least so well."""
        column = ATTRIBUTES.index(name)
        known = where & (self.truth["attributes_weight"][:, column] >= least)
        return self.answer["attributes"][known, column], self.truth["attributes"][
            known, column
        ] > 0.5

    def landmark_error(self, where: np.ndarray) -> float:
        """Mean distance to the teacher's landmarks, percent of the distance between its eyes."""
        where = where & (self.truth["landmarks_weight"].min(1) > 0.9)
        truth, mine = self.truth["landmarks"][where], self.answer["landmarks"][where]
        left, right = truth[:, NAMES.index("eyeLeft")], truth[:, NAMES.index("eyeRight")]
        eyes = np.maximum(np.linalg.norm(left - right, axis=1), 0.1)
        return float(100 * (np.linalg.norm(truth - mine, axis=2).mean(1) / eyes).mean())

    def pose_error(self, where: np.ndarray) -> np.ndarray:
        """Mean absolute roll, yaw and pitch difference to the teacher in degrees."""
        where = where & (self.truth["pose_weight"] > 0)
        return np.abs(self.answer["pose"] - self.truth["pose"])[where].mean(0)

    def age_error(self, where: np.ndarray) -> float:
        """Mean absolute error in years against UTKFace's labels."""
        return float(np.abs(self.ages - self.truth["age"][:, 0])[where].mean())

    def age_coverage(self, where: np.ndarray) -> tuple[float, float]:
        """Share of labeled ages inside the AgeRange, and its mean width in years."""
        low, high = age_range(self.answer["age"][where])
        truth = self.truth["age"][where, 0]
        return float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean())


def share_right(probability: np.ndarray, truth: np.ndarray) -> float:
    """Share of right answers at 0.5, percent."""
    return float(100 * ((probability > 0.5) == truth).mean())


def balanced(probability: np.ndarray, truth: np.ndarray) -> float:
    """Mean of the shares of right answers among true and among false, percent."""
    right = (probability > 0.5) == truth
    return float(50 * (right[truth].mean() + right[~truth].mean()))


def reliability(
    name: str, probability: np.ndarray, truth: np.ndarray
) -> list[tuple[str, int, float, float]]:
    """Per bin of the stated probability: faces, mean stated, share that is true.

    Classes of EVEN are weighted evenly.
    """
    lines = []
    weight = balance(truth) if name in EVEN else np.ones(len(truth))
    for low, high in pairwise(BINS):
        inside = (probability >= low) & ((probability < high) | (high == 1.0))
        if inside.any():
            stated, true = (
                float(np.average(v[inside], weights=weight[inside])) for v in (probability, truth)
            )
            lines.append((f"{low:.1f}-{high:.1f}", int(inside.sum()), stated, true))
    return lines


def groups(judge: Judge) -> list[tuple[str, str]]:
    """Figures for groups of people and of pictures."""
    utk = judge.of("utkface")
    race = np.array([n.split("_")[2] if is_utk else "" for n, is_utk in zip(judge.names, utk)])
    parts = [
        (
            f"age {low}-{high - 1}",
            utk & (judge.truth["age"][:, 0] >= low) & (judge.truth["age"][:, 0] < high),
        )
        for low, high in AGE_GROUPS
    ]
    parts += [
        (f"UTKFace's race label {name}", utk & (race == str(index)))
        for index, name in enumerate(RACES)
    ]
    lines = []
    for name, where in parts:
        if where.sum() < 10:
            continue
        inside, width = judge.age_coverage(where)
        male = judge.flag("male", where)
        sex = f"gender {share_right(*male):.1f} %" if len(male[0]) else "gender not labeled"
        years = f"age error {judge.age_error(where):.1f} years"
        ages = f"{years}, in range {100 * inside:.0f} % at width {width:.0f}"
        lines.append(
            (
                f"{name} ({where.sum()})",
                f"{sex}, {ages}, landmarks {judge.landmark_error(where):.1f} %",
            )
        )
    masked = judge.of("masks") & np.char.startswith(judge.names, "with_mask")
    celeba = judge.of("celeba-9k")
    for name, where in (
        ("masked", masked),
        ("yaw under 20", judge.yaw < 20),
        ("yaw 20-45", (judge.yaw >= 20) & (judge.yaw < 45)),
        ("yaw over 45", judge.yaw >= 45),
    ):
        male = judge.flag("male", where & celeba)
        sex = f"gender {share_right(*male):.1f} % of CelebA's, " if len(male[0]) > 20 else ""
        roll, yaw, pitch = judge.pose_error(where)
        pose = f"roll {roll:.1f}, yaw {yaw:.1f}, pitch {pitch:.1f} degrees from the teacher"
        lines.append(
            (
                f"{name} ({where.sum()})",
                f"{sex}{pose}, landmarks {judge.landmark_error(where):.1f} %",
            )
        )
    return lines


def measure(pack: Path) -> dict[str, object]:
    """All figures: `rows` for the table, `reliability`, `groups`, and scalars for pack.toml."""
    judge = Judge(pack)
    celeba, utk, everyone = (
        judge.of("celeba-9k"),
        judge.of("utkface"),
        np.ones(len(judge.rows), bool),
    )
    real = celeba | utk | judge.of("film-faces") | judge.of("masks")
    masks, sure = judge.of("masks"), judge.truth["gaze"][:, 2] > 0.5
    fer = judge.truth["emotions_weight"] > 0.9
    labeled = np.arange(judge.answer["emotions"].shape[1]) != CONFUSED
    mood = judge.answer["emotions"][fer][:, labeled].argmax(1) == judge.truth["emotions"][fer][
        :, labeled
    ].argmax(1)
    inside, width = judge.age_coverage(utk)
    roll, yaw, pitch = judge.pose_error(real)
    gaze = np.abs(judge.answer["eye_direction"] - judge.truth["gaze"])[sure].mean(0)
    figures = {
        "gender_percent": (share_right(*judge.flag("male", celeba)), "gender, CelebA, %", ">= 93"),
        "gender_utkface_percent": (
            share_right(*judge.flag("male", utk)),
            "gender, UTKFace from age 3, %",
            "",
        ),
        "smile_percent": (share_right(*judge.flag("smile", celeba)), "smile, %", ">= 88"),
        "mouth_open_percent": (
            share_right(*judge.flag("mouth_open", celeba)),
            "mouth open, %",
            ">= 88",
        ),
        "eyeglasses_percent": (
            share_right(*judge.flag("eyeglasses", celeba)),
            "eyeglasses, %",
            ">= 95",
        ),
        "eyeglasses_balanced_percent": (
            balanced(*judge.flag("eyeglasses", celeba)),
            "eyeglasses, balanced, %",
            "",
        ),
        "sunglasses_balanced_percent": (
            balanced(*judge.flag("sunglasses", celeba)),
            "sunglasses, balanced, %",
            "",
        ),
        "beard_balanced_percent": (
            balanced(*judge.flag("beard", celeba)),
            "beard, balanced, %",
            ">= 85",
        ),
        "mustache_balanced_percent": (
            balanced(*judge.flag("mustache", celeba)),
            "mustache, balanced, %",
            ">= 85",
        ),
        "eyes_open_percent": (
            share_right(*judge.flag("eyes_open", everyone, 0.5)),
            "eyes open, as the teacher, %",
            "",
        ),
        "eyes_open_balanced_percent": (
            balanced(*judge.flag("eyes_open", everyone, 0.5)),
            "eyes open, as the teacher, balanced, %",
            "",
        ),
        "face_occluded_percent": (
            share_right(*judge.flag("face_occluded", masks)),
            "face occluded, mask images, %",
            "",
        ),
        "age_error_years": (judge.age_error(utk), "age, mean absolute error, years", "<= 8"),
        "age_range_coverage_percent": (100 * inside, "labeled age inside AgeRange, %", ""),
        "age_range_width_years": (width, "mean width of AgeRange, years", ""),
        "emotion_percent": (float(100 * mood.mean()), "emotion, one of FER's seven, %", ""),
        "roll_error_degrees": (
            float(roll),
            "roll, mean difference to the teacher, degrees",
            "<= 5",
        ),
        "yaw_error_degrees": (float(yaw), "yaw, the same", "<= 5"),
        "pitch_error_degrees": (float(pitch), "pitch, the same", "<= 5"),
        "landmark_error_percent": (
            judge.landmark_error(real),
            "30 landmarks, % of the eye distance",
            "",
        ),
        "gaze_yaw_error_degrees": (
            float(gaze[0]),
            "eye direction yaw, to the teacher, degrees",
            "",
        ),
        "gaze_pitch_error_degrees": (
            float(gaze[1]),
            "eye direction pitch, to the teacher, degrees",
            "",
        ),
    }
    flags = dict.fromkeys(
        ("male", "smile", "mouth_open", "eyeglasses", "sunglasses", "beard", "mustache"), celeba
    )
    flags |= {"eyes_open": everyone, "face_occluded": celeba | masks}
    result: dict[str, object] = {
        "rows": [("analyzer: " + text, value, target) for value, text, target in figures.values()],
        "reliability": {
            name: reliability(name, *judge.flag(name, where, 0.5)) for name, where in flags.items()
        },
        "groups": groups(judge),
    }
    result |= {name: value for name, (value, _, _) in figures.items()}
    return result
