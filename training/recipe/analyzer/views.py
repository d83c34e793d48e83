"""Random training views of the cached crops, with labels that follow the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from recipe.analyzer import lids
from recipe.analyzer.spec import ATTRIBUTES, DRAWN, MIRROR, NAMES, SCALE, SIDE
from recipe.common import data, geometry

Rng = np.random.Generator
TO_CROP = geometry.similarity(
    geometry.template(geometry.WIDE_SIDE, geometry.WIDE_SCALE), geometry.template(DRAWN, SCALE)
)
"""From a cached wide crop to the drawn crop."""
MOUTH = [ATTRIBUTES.index(name) for name in ("mouth_open", "smile", "beard", "mustache")]
EYES_OPEN, OCCLUDED = ATTRIBUTES.index("eyes_open"), ATTRIBUTES.index("face_occluded")
GLASSES = [ATTRIBUTES.index(name) for name in ("eyeglasses", "sunglasses")]
AT = {name: index for index, name in enumerate(NAMES)}
DRAWN_CLOSED = 0.12
"""Share of the views with open eyes whose eyes are drawn closed."""
GUESSED_AGE = 0.4
"""Factor of the weight of ages that no one labeled."""
TABLES = (
    "landmarks",
    "landmarks_weight",
    "pose",
    "pose_weight",
    "attributes",
    "attributes_weight",
    "age",
    "emotions",
    "emotions_weight",
    "gaze",
    "gaze_weight",
    "identity",
)


@dataclass
class View:
    """A crop [96, 96, 3] and its row of every label table."""

    face: np.ndarray
    labels: dict[str, np.ndarray]

    def points(self, *names: str) -> np.ndarray:
        """Landmarks in pixels."""
        return self.labels["landmarks"][[AT[name] for name in names]] * DRAWN

    def forget(self, name: str, columns: list[int] | slice = slice(None)) -> None:
        """Mark labels as unknown because what they describe is hidden."""
        weight = self.labels[name + "_weight"]
        if weight.ndim:
            weight[columns] = 0
        else:
            self.labels[name + "_weight"] = np.zeros_like(weight)

    def is_occluded(self) -> None:
        """Say that a part of the face is hidden."""
        self.labels["attributes"][OCCLUDED] = self.labels["attributes_weight"][OCCLUDED] = 1


def drawn(wide: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The crop [96, 96, 3] of a wide one; `shown` then puts pixel p at p * SIDE / DRAWN."""
    matrix = matrix.copy()
    matrix[:, 2] += 0.5 * (DRAWN / SIDE - 1)
    return cv2.warpAffine(wide, matrix, (DRAWN, DRAWN))


def jittered(wide: np.ndarray, labels: dict[str, np.ndarray], rng: Rng) -> View:
    """The crop as a slightly wrong detector would cut it; mirrored half of the time."""
    labels = {name: np.array(values) for name, values in labels.items()}
    angle, zoom = float(np.clip(rng.normal(0, 5), -20, 20)), float(np.exp(rng.normal(0, 0.05)))
    cosine, sine = np.cos(np.radians(angle)) * zoom, np.sin(np.radians(angle)) * zoom
    linear = np.array([[cosine, -sine], [sine, cosine]])  # y points down, so this turns clockwise
    mirror = rng.random() < 0.5
    if mirror:
        linear[:, 0] *= -1
        labels["pose"] *= [-1, -1, 1]
        labels["gaze"] *= [-1, 1, 1]
    middle = np.array([DRAWN / 2, DRAWN / 2])
    matrix = np.column_stack([linear, middle - linear @ middle + rng.normal(0, 1.5, 2)])
    labels["pose"][0] += angle
    points = geometry.apply(matrix, labels["landmarks"] * DRAWN) / DRAWN
    labels["landmarks"] = (points[MIRROR] if mirror else points).astype(np.float32)
    if mirror:
        labels["landmarks_weight"] = labels["landmarks_weight"][MIRROR]
    return View(drawn(wide, geometry.compose(matrix, TO_CROP)), labels)


def normalized(faces: np.ndarray) -> torch.Tensor:
    """Crops uint8 [N, S, S, 3] as the network's input."""
    x = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
    return ((x - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)


def shown(face: np.ndarray) -> np.ndarray:
    """A drawn crop at the network's size."""
    return cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def blended(
    face: np.ndarray, cover: np.ndarray, paint: np.ndarray, opacity: float = 1.0
) -> np.ndarray:
    """Paint over a face where the cover (uint8) is set, with a soft edge."""
    weight = cv2.GaussianBlur(cover, (3, 3), 0)[:, :, None] * (opacity / 255.0)
    return (face * (1 - weight) + paint * weight).astype(np.uint8)


def paint(rng: Rng, other: np.ndarray) -> np.ndarray:
    """What covers a face: plain cloth, or a magnified patch of another picture."""
    if rng.random() < 0.5:
        shade = cv2.resize(rng.normal(1, 0.08, (4, 4)).astype(np.float32), (DRAWN, DRAWN))
        return np.clip(rng.uniform(15, 245, 3) * shade[:, :, None], 0, 255)
    x, y = rng.integers(0, other.shape[0] - 40, 2)
    return cv2.resize(other[y : y + 40, x : x + 40], (DRAWN, DRAWN)).astype(np.float32)


def with_mask(view: View, rng: Rng, other: np.ndarray) -> None:
    """Cover nose or mouth down to the chin."""
    left, right, chin, nose = view.points("midJawlineLeft", "midJawlineRight", "chinBottom", "nose")
    top_left, top_right = view.points("upperJawlineLeft", "upperJawlineRight")
    bridge = nose + (view.points("eyeLeft", "eyeRight").mean(0) - nose) * rng.uniform(-0.3, 0.6)
    lift = rng.uniform(0.1, 0.6)
    outline = [
        left + (top_left - left) * lift,
        bridge,
        right + (top_right - right) * lift,
        right,
        chin + [0, 3],
        left,
    ]
    cover = np.zeros((DRAWN, DRAWN), np.uint8)
    cv2.fillPoly(cover, [np.int32(np.array(outline) + rng.normal(0, 1, (6, 2)))], 255)
    view.face = blended(view.face, cover, paint(rng, other))
    view.is_occluded()
    view.forget("attributes", MOUTH)
    view.forget("emotions")


def with_sunglasses(view: View, rng: Rng) -> None:
    """Draw two dark lenses and a bridge over the eyes."""
    eyes = view.points("eyeLeft", "eyeRight")
    span = np.linalg.norm(eyes[1] - eyes[0])
    wide, high = span * rng.uniform(0.33, 0.47), span * rng.uniform(0.2, 0.38)
    angle = float(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])))
    cover = np.zeros((DRAWN, DRAWN), np.uint8)
    boxed = rng.random() < 0.4
    for center in eyes:
        center = tuple(map(float, center + [0, high * rng.uniform(0, 0.3)]))
        if boxed:
            cv2.fillPoly(
                cover, [np.int32(cv2.boxPoints((center, (2 * wide, 1.8 * high), angle)))], 255
            )
        else:
            cv2.ellipse(
                cover, tuple(map(int, center)), (int(wide), int(high)), angle, 0, 360, 255, -1
            )
    cv2.line(cover, *(tuple(map(int, eye)) for eye in eyes), 255, int(rng.integers(1, 4)))
    fade = np.linspace(1, rng.uniform(0.6, 2.2), DRAWN)[:, None, None]
    view.face = blended(view.face, cover, rng.uniform(5, 60, 3) * fade, rng.uniform(0.82, 1.0))
    view.labels["attributes"][GLASSES] = view.labels["attributes_weight"][GLASSES] = 1
    view.is_occluded()
    view.forget("attributes", [EYES_OPEN])
    view.labels["gaze"][2] = 0


def with_object(view: View, rng: Rng, other: np.ndarray) -> None:
    """Hold something, such as a hand, before an eye, the nose or the mouth, or beside them."""
    where = str(rng.choice(["eyeLeft", "eyeRight", "nose", "mouthUp", "beside"]))
    eyes = view.points("eyeLeft", "eyeRight")
    span = float(np.linalg.norm(eyes[1] - eyes[0]))
    if where == "beside":
        center = view.points(
            str(rng.choice(["upperJawlineLeft", "upperJawlineRight", "chinBottom"]))
        )[0]
        center = center + (center - view.points("nose")[0]) * 0.6
    else:
        center = view.points(where)[0] + rng.normal(0, span * 0.1, 2)
    size = rng.uniform(0.3, 0.7, 2) * span
    cover = np.zeros((DRAWN, DRAWN), np.uint8)
    cv2.ellipse(
        cover, tuple(map(int, center)), tuple(map(int, size)), rng.uniform(0, 180), 0, 360, 255, -1
    )
    view.face = blended(view.face, cover, paint(rng, other))
    if where == "beside":
        return
    view.is_occluded()
    view.forget("emotions")
    if where == "mouthUp":
        view.forget("attributes", MOUTH)
    elif where != "nose":
        view.forget("attributes", [EYES_OPEN])
        view.labels["gaze"][2] = 0


def cut_off(view: View, rng: Rng) -> None:
    """End the picture at the forehead or a cheek, which hides nothing, or inside the face."""
    edge, deep = int(rng.integers(4)), rng.random() < 0.3
    depth = int(DRAWN * (rng.uniform(0.36, 0.6) if deep else rng.uniform(0.02, 0.16)))
    turned = np.rot90(view.face, edge).copy()
    turned[:depth] = 0
    view.face = np.ascontiguousarray(np.rot90(turned, -edge))
    if deep:
        view.is_occluded()
        view.forget("emotions")
        view.forget("attributes", [EYES_OPEN, *MOUTH])
        view.labels["gaze"][2] = 0


def with_closed_eyes(view: View, rng: Rng) -> None:
    """Draw the upper lids down."""
    ends = ("EyeLeft", "EyeRight", "EyeUp", "EyeDown", "EyeBrowUp")
    sides = ("left", "right")
    eyes = [lids.Eye(*view.points(*(side + end for end in ends))) for side in sides]
    view.face, meetings = lids.shut(view.face, eyes, rng)
    for side, meeting in zip(sides, meetings):
        for name in (f"{side}EyeUp", f"{side}EyeDown"):
            view.labels["landmarks"][AT[name]] = meeting / DRAWN
    view.labels["attributes"][EYES_OPEN], view.labels["attributes_weight"][EYES_OPEN] = 0, 1
    view.labels["gaze"][2] = 0
    view.forget("emotions")


def damaged(face: np.ndarray, rng: Rng) -> np.ndarray:
    """Light, color, resolution, noise and compression of real photos, each now and then."""
    if rng.random() < 0.6:
        tint = 1 + rng.normal(0, 0.06, 3)
        table = 255 * (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.25))
        table = table * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 8)
        face = cv2.LUT(face, np.clip(table[:, None] * tint, 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.15:
        face = np.repeat(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.3:
        small = int(rng.integers(28, 80))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        face = cv2.resize(face, (DRAWN, DRAWN), interpolation=int(rng.integers(1, 3)))
    if rng.random() < 0.1:
        noise = rng.normal(0, rng.uniform(2, 10), face.shape)
        face = np.clip(face + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))]
        face = cv2.imdecode(cv2.imencode(".jpg", face, quality)[1], cv2.IMREAD_COLOR)
    return face


class Views:
    """Crops and label tables, from which training and plain views are drawn."""

    def __init__(self) -> None:
        self.crops = np.load(data.WORK / "crops.npy", mmap_mode="r")
        self.faces = dict(np.load(data.WORK / "faces.npz"))
        self.tables = dict(np.load(data.WORK / "analyzer_labels.npz"))
        guessed = self.tables["age"][:, 2] < 0.9
        self.tables["age"][guessed, 2] *= GUESSED_AGE

    def random(self, row: int, rng: Rng) -> View:
        """A training view of a row."""
        view = jittered(self.crops[row], {name: self.tables[name][row] for name in TABLES}, rng)
        visible = view.labels["landmarks_weight"].min() > 0.9
        chance = rng.random()
        is_open = view.labels["attributes"][EYES_OPEN] > 0.5
        is_bare = view.labels["attributes"][GLASSES].max() <= 0.5
        if visible and is_bare and is_open and rng.random() < DRAWN_CLOSED:
            with_closed_eyes(view, rng)
        if visible and chance < 0.12:
            other = self.crops[rng.integers(len(self.crops))]
            (with_mask if chance < 0.04 else with_object)(view, rng, other)
        elif visible and chance < 0.16:
            with_sunglasses(view, rng)
        elif chance < 0.3:
            cut_off(view, rng)
        view.face = damaged(view.face, rng)
        return view

    def plain(self, rows: np.ndarray) -> np.ndarray:
        """The crops [N, 64, 64, 3] that the server would cut."""
        return np.stack([shown(drawn(self.crops[row], TO_CROP)) for row in rows])

    def closable(self, rows: np.ndarray, every: int = 4) -> np.ndarray:
        """Every so many of the rows that show open eyes without glasses and all landmarks."""
        flags, known = self.tables["attributes"][rows], self.tables["attributes_weight"][rows]
        seen = self.tables["landmarks_weight"][rows].min(1) > 0.9
        is_open = (flags[:, EYES_OPEN] > 0.5) & (known[:, EYES_OPEN] > 0.5)
        return rows[seen & is_open & (flags[:, GLASSES].max(1) < 0.5)][::every]

    def closed(self, rows: np.ndarray, seed: int = 0) -> np.ndarray:
        """The plain crops [N, 64, 64, 3] with their eyes drawn closed."""
        faces, rng = [], np.random.default_rng(seed)
        for row in rows:
            labels = {name: np.array(self.tables[name][row]) for name in TABLES}
            view = View(drawn(self.crops[row], TO_CROP), labels)
            with_closed_eyes(view, rng)
            faces.append(shown(view.face))
        return np.stack(faces)
