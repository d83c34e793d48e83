"""Quick checks of the analyzer's labels, views, network, calibration and figures. No training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from recipe.analyzer import ages, lids, train
from recipe.analyzer import views as analyzer_views
from recipe.analyzer.export import Calibrated, balance, platt
from recipe.analyzer.faceapi import TfjsNetwork
from recipe.analyzer.model import Analyzer, losses
from recipe.analyzer.spec import (
    ATTRIBUTES,
    DRAWN,
    EMOTIONS,
    MIRROR,
    NAMES,
    OUTPUTS,
    SIDE,
    from_wide,
)
from recipe.common import geometry, onnx_export
from recipe.common.logistic import sigmoid

RNG = np.random.default_rng


def labels() -> dict[str, np.ndarray]:
    """A row of label tables with everything known and landmarks spread over the crop."""
    points = RNG(0).uniform(0.25, 0.75, (len(NAMES), 2)).astype(np.float32)
    points[[NAMES.index("eyeLeft"), NAMES.index("eyeRight")]] = [[0.38, 0.45], [0.62, 0.45]]
    row = {
        "landmarks": points,
        "landmarks_weight": np.ones(len(NAMES)),
        "pose": np.array([3.0, 20.0, -5.0]),
    }
    row |= {"attributes": np.zeros(len(ATTRIBUTES)), "attributes_weight": np.ones(len(ATTRIBUTES))}
    row |= {
        "age": np.array([30.0, 3.0, 1.0]),
        "emotions": np.eye(len(EMOTIONS))[0],
        "gaze": np.array([10.0, 5.0, 1.0]),
    }
    row["identity"] = np.eye(128)[0]
    return row | {f"{name}_weight": np.float32(1) for name in ("pose", "emotions", "gaze")}


def test_mirroring_swaps_sides_and_is_its_own_inverse() -> None:
    assert (MIRROR[MIRROR] == np.arange(len(NAMES))).all()
    assert NAMES[MIRROR[NAMES.index("leftEyeBrowLeft")]] == "rightEyeBrowRight"
    assert NAMES[MIRROR[NAMES.index("chinBottom")]] == "chinBottom"


def test_wide_points_land_where_the_crop_is_cut() -> None:
    wide = geometry.template(geometry.WIDE_SIDE, geometry.WIDE_SCALE)
    cut = geometry.apply(analyzer_views.TO_CROP, wide)
    np.testing.assert_allclose(from_wide(wide / geometry.WIDE_SIDE) * DRAWN, cut, atol=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_labels_follow_the_pixels_of_a_jittered_view(seed: int) -> None:
    row = labels()
    nose = NAMES.index("nose")
    wide = np.zeros((geometry.WIDE_SIDE, geometry.WIDE_SIDE, 3), np.uint8)
    back = cv2.invertAffineTransform(analyzer_views.TO_CROP)
    spot = geometry.apply(back, row["landmarks"][nose] * DRAWN)
    cv2.circle(wide, (round(float(spot[0])), round(float(spot[1]))), 6, (255, 255, 255), -1)
    view = analyzer_views.jittered(wide, row, RNG(seed))
    ys, xs = np.nonzero(analyzer_views.shown(view.face)[:, :, 0] > 127)
    assert np.abs(view.labels["landmarks"][nose] * SIDE - [xs.mean(), ys.mean()]).max() < 0.5
    eyes = view.points("eyeLeft", "eyeRight")
    mirrored = view.labels["pose"][1] < 0
    turn = view.labels["pose"][0] - (-3.0 if mirrored else 3.0)
    if (
        not mirrored
    ):  # the eye line of `labels` is level, so it shows the turn: clockwise is positive
        assert np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])) == pytest.approx(turn, abs=0.1)
    assert view.labels["gaze"][0] == (-10 if mirrored else 10)


def test_painted_covers_change_pixels_and_say_so() -> None:
    other = RNG(1).integers(0, 255, (192, 192, 3), np.uint8)
    plain = np.full((DRAWN, DRAWN, 3), 200, np.uint8)
    shades, mask = (analyzer_views.View(plain.copy(), labels()) for _ in range(2))
    analyzer_views.with_sunglasses(shades, RNG(2))
    x, y = shades.points("eyeLeft")[0].astype(int)
    assert shades.face[y, x].mean() < 120
    assert shades.labels["attributes"][ATTRIBUTES.index("sunglasses")] == 1
    assert shades.labels["attributes_weight"][ATTRIBUTES.index("eyes_open")] == 0
    analyzer_views.with_mask(mask, RNG(3), other)
    assert (mask.face != plain).any()
    assert mask.labels["attributes"][ATTRIBUTES.index("face_occluded")] == 1
    assert (
        mask.labels["attributes_weight"][ATTRIBUTES.index("smile")] == 0
        and mask.labels["emotions_weight"] == 0
    )


def test_unknown_labels_do_not_move_the_loss() -> None:
    out = {name: torch.randn(2, *shape) for name, shape in (OUTPUTS | {"identity": (128,)}).items()}
    row = {name: torch.tensor(np.stack([value, value])).float() for name, value in labels().items()}
    row["attributes_weight"][1], row["age"][1, 2], row["landmarks_weight"][1] = 0, 0, 0
    before = losses(out, row)
    for name in ("attributes", "age", "landmarks"):
        row[name][1, ..., :1] = 0.9
    after = losses(out, row)
    for name in ("attributes", "age", "landmarks"):
        assert before[name] == pytest.approx(float(after[name]))


def test_network_answers_in_the_shapes_of_the_api() -> None:
    out = Analyzer().eval()(torch.zeros(2, 3, SIDE, SIDE))
    assert tuple(out.pop("identity").shape[1:]) == (128,)
    assert {name: tuple(value.shape[1:]) for name, value in out.items()} == OUTPUTS


def test_platt_recovers_a_known_distortion() -> None:
    logit = RNG(0).normal(0, 3, 20_000)
    truth = RNG(1).random(20_000) < sigmoid(0.5 * logit - 1)
    scale, offset = platt(logit, truth, np.ones(len(truth)))
    assert scale == pytest.approx(0.5, abs=0.03) and offset == pytest.approx(-1, abs=0.06)
    weight = balance(truth)
    assert weight[truth].sum() == pytest.approx(weight[~truth].sum())


def test_exported_graph_gives_probabilities(tmp_path: Path) -> None:
    model = Calibrated(Analyzer().eval())
    axes = {name: {0: "N"} for name in ("face", *OUTPUTS)}
    onnx_export.write(
        model,
        torch.zeros(1, 3, SIDE, SIDE),
        tmp_path / "analyzer.onnx",
        "face",
        list(OUTPUTS),
        axes,
    )
    session = onnxruntime.InferenceSession(
        tmp_path / "analyzer.onnx", providers=["CPUExecutionProvider"]
    )
    out = session.run(
        list(OUTPUTS), {"face": RNG(0).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)}
    )
    answer = dict(zip(OUTPUTS, out))
    assert {name: value.shape[1:] for name, value in answer.items()} == OUTPUTS
    assert len(answer["pose"]) == 3
    np.testing.assert_allclose(answer["age"].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(answer["emotions"].sum(1), 1, atol=1e-5)
    assert ((answer["attributes"] > 0) & (answer["attributes"] < 1)).all()


def test_age_range_covers_the_middle_of_the_distribution() -> None:
    even, sharp = np.full((1, 101), 1 / 101), np.eye(101)[[40]]
    low, high = ages.age_range(np.concatenate([even, sharp]))
    assert (low[0], high[0]) == (10, 90)
    assert (low[1], high[1]) == (40, 41)


def test_tensorflow_padding_puts_the_odd_pixel_right_and_below() -> None:
    network = object.__new__(TfjsNetwork)
    network.weights = {"a/filters": torch.ones(3, 3, 1, 1), "a/bias": torch.zeros(1)}
    out = network.conv(torch.ones(1, 1, 4, 4), "a", stride=2)
    assert out[0, 0].tolist() == [[9, 6], [6, 4]]


def test_drawn_lids_change_only_what_is_around_the_eyes_and_say_so() -> None:
    row = labels()
    for side, x in (("left", 0.38), ("right", 0.62)):
        for end, dx, dy in (
            ("EyeLeft", -0.06, 0), ("EyeRight", 0.06, 0), ("EyeUp", 0, -0.03),
            ("EyeDown", 0, 0.03), ("EyeBrowUp", 0, -0.12),
        ):  # fmt: skip
            row["landmarks"][NAMES.index(side + end)] = [x + dx, 0.45 + dy]
    face = RNG(1).integers(0, 255, (DRAWN, DRAWN, 3), np.uint8)
    view = analyzer_views.View(face.copy(), row)
    analyzer_views.with_closed_eyes(view, RNG(2))
    assert (view.face[:20] == face[:20]).all() and (view.face[70:] == face[70:]).all()
    assert (view.face[40:46, 30:42] != face[40:46, 30:42]).any()
    assert view.labels["attributes"][ATTRIBUTES.index("eyes_open")] == 0
    np.testing.assert_array_equal(*view.points("leftEyeUp", "leftEyeDown"))


def test_eyes_are_closed_only_where_blink_and_lids_agree() -> None:
    mesh = np.zeros((3, 478, 2))
    for up, down, left, right in lids.LIDS:
        mesh[:, right, 0] = 10
        mesh[:, up, 1] = [1, 1, 3]
        assert (mesh[:, [down, left]] == 0).all()
    closed, opened = lids.states(np.array([[0.9, 0.8], [0.9, 0.2], [0.1, 0.2]]), mesh)
    assert closed.tolist() == [True, False, False]
    assert opened.tolist() == [False, False, True]


def test_calibrated_ages_cover_what_is_promised_and_sexes_are_even() -> None:
    years = RNG(0).integers(2, 80, 1500).astype(np.float64)
    guess = years + RNG(1).normal(0, 6, 1500)
    logits = torch.tensor(-0.5 * ((np.arange(101) - guess[:, None]) / 2) ** 2).float()
    fitted = ages.fit_ages(logits, years)
    distribution, seen = ages.calibrated(logits, *fitted)
    low, high = ages.age_range(distribution.numpy())
    assert ((low <= years) & (years <= high)).mean() == pytest.approx(ages.COVERED, abs=0.05)
    male = RNG(2).integers(0, 2, 1500)
    logit = 4 * (male - 0.5) + RNG(3).normal(0, 1, 1500) + np.interp(years, [45, 65], [0, 3])
    scale, offset = ages.fit_sex(logit, seen, male, years, years > 0)
    moved = float(offset[3] - offset[1]) / scale
    assert moved == pytest.approx(-3, abs=0.8)


def test_rare_groups_of_utkface_are_drawn_more_often() -> None:
    names = np.array(["25_0_0_1.jpg"] * 90 + ["75_1_1_1.jpg"] * 10)
    factor = train.evened(names)
    assert factor.mean() == pytest.approx(1) and factor[-1] > 4 * factor[0]
