"""Looks, views and what the exam counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recipe.common import geometry
from recipe.detector import photographs, review, views, yunet
from recipe.embedder import conditions
from recipe.served import exam, figures, pipeline, pixels

POINTS = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80.0]])
BOX = np.array([20, 20, 80, 100.0])


def face(score: float = 0.9, shift: float = 0.0) -> yunet.Faces:
    return yunet.Faces((BOX + shift)[None], (POINTS + shift)[None], np.array([score]))


def none() -> yunet.Faces:
    return face().take(np.zeros(0, int))


def test_looks_that_agree_are_a_face_and_a_single_sure_look_is_a_doubt() -> None:
    looks = {(640, False): face(0.9), (640, True): face(0.8).mirrored(640)}
    faces, doubts = photographs.merge(looks, 640, 480)
    assert (len(faces), len(doubts)) == (1, 0)
    assert faces.scores[0] == pytest.approx(0.85)
    np.testing.assert_allclose(faces.landmarks[0], POINTS)
    faces, doubts = photographs.merge({(640, False): face(0.8), (640, True): none()}, 640, 480)
    assert (len(faces), len(doubts)) == (0, 1)


def test_the_box_of_a_turned_face_surrounds_its_outline() -> None:
    quarter = views.placed(np.ones(2), np.pi / 2, False, np.array([50, 60.0]), np.array([50, 60.0]))
    np.testing.assert_allclose(views.outline(quarter, BOX[None])[0], [10, 30, 90, 90], atol=1e-9)


def test_a_shrunk_image_shows_the_same_place() -> None:
    y, x = np.mgrid[0:300, 0:400]
    image = np.stack([x * 0.6, y * 0.8, x * 0], 2).astype(np.uint8)
    small = pixels.resize(image, (100, 75))
    y, x = (np.mgrid[0:75, 0:100] + 0.5) * 4 - 0.5
    inside = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(small[inside][..., 0], (x * 0.6)[inside], atol=1.5)
    np.testing.assert_allclose(small[inside][..., 1], (y * 0.8)[inside], atol=1.5)


@pytest.mark.parametrize("scale", [0.7, 1.5, 5.0])
def test_a_crop_shows_the_same_place_at_every_scale(scale: float) -> None:
    y, x = np.mgrid[0:700, 0:800]
    image = np.stack([x * 0.3, y * 0.3, x * 0], 2).astype(np.uint8)
    matrix = views.placed(np.full(2, scale), 0.3, False, np.full(2, 32.0), np.array([400, 350.0]))
    crop = pixels.aligned(image, geometry.apply(matrix, geometry.template(64, 0.6)), 64, 0.6)
    for place in ([10, 10], [32, 32], [50, 20]):
        wanted = geometry.apply(matrix, np.array(place, float)) * 0.3
        np.testing.assert_allclose(crop[place[1], place[0], :2], wanted, atol=2)


def test_a_face_is_returned_once() -> None:
    inner = yunet.Faces(np.array([[30, 30, 60, 70.0]]), POINTS[None] * 0.9, np.array([0.95]))
    beside = face(0.7, shift=90.0)
    faces = face(0.9).joined(inner).joined(beside)
    np.testing.assert_allclose(pipeline.once(faces, faces.scores, 0.45).scores, [0.95, 0.7])
    worse = faces.scores * [1.0, 0.5, 1.0]
    np.testing.assert_allclose(pipeline.once(faces, worse, 0.45).scores, [0.9, 0.7])


def test_what_a_person_saw_corrects_the_reference(tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 20, 20], [50, 50, 90, 90.0]])
    wanted = yunet.Faces(boxes, np.zeros((2, 5, 2)), np.ones(2))
    doubt = yunet.Faces(np.array([[100, 0, 126, 40.0]]), POINTS[None], np.array([0.5]))
    photo = photographs.Photo("scenes", "a dog.jpg", b"", wanted, doubt, False)
    lines = [
        review.line(photo, np.array([51, 49, 90, 90.0]), review.NONE),
        review.line(photo, np.array([100, 0, 130, 40.0]), review.FACE),
    ]
    (tmp_path / "reviewed.txt").write_text("\n".join(lines))
    known = review.verdicts(tmp_path / "reviewed.txt")
    judged = review.judged(photo, known)
    assert judged.faces.boxes.tolist() == [[0, 0, 20, 20]]
    assert judged.doubts.boxes.tolist() == [[100, 0, 126, 40], [100, 0, 130, 40]]
    taught = review.taught(photo, known)
    assert taught.faces.boxes.tolist() == [[0, 0, 20, 20], [100, 0, 126, 40]]
    assert taught.wrong.tolist() == [[51, 49, 90, 90]]
    assert not len(taught.doubts)


def answer(mine: yunet.Faces, wanted: yunet.Faces, doubts: np.ndarray, empty: bool) -> exam.Answer:
    collection = "negatives" if empty else "scenes"
    doubted = yunet.Faces(doubts, np.zeros((len(doubts), 5, 2)), np.zeros(len(doubts)))
    photo = photographs.Photo(collection, "flickr-1.jpg", b"", wanted, doubted, empty)
    found = pipeline.Candidates(mine, none())
    return exam.Answer(photo, figures.PLAIN, wanted, doubts, found, (400, 300))


def test_doubts_excuse_in_scenes_and_not_where_nobody_is() -> None:
    settings = pipeline.Settings(exam.data.PACK, 0.5)
    stray = face(0.9, shift=200.0)
    nothing = np.zeros((0, 4))
    rows = figures.table([answer(stray, face(), nothing, False)], settings)
    assert rows["false faces a photo, scene"] == rows["largest box no face, scenes"] == 1
    assert rows["recall 40-96 px"] == 0
    rows = figures.table([answer(stray, face(), stray.boxes, False)], settings)
    assert rows["false faces a photo, scene"] == 0
    rows = figures.table([answer(stray, none(), stray.boxes, True)], settings)
    assert rows["false faces a photo, empty"] == 1
    rows = figures.table([answer(face(0.4), face(), nothing, False)], settings)
    assert rows["recall 40-96 px"] == 0
    rows = figures.table([answer(face(0.6), face(), nothing, False)], settings)
    assert (rows["recall 40-96 px"], rows["landmark error 40-96 px"]) == (1, 0)


def test_every_condition_spoils_a_photo_near_its_face_alone() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (140, 120, 3), np.uint8)
    photo = conditions.Photo(image, POINTS, 60.0)
    for name, change in conditions.CONDITIONS.items():
        spoiled = change(photo, np.random.default_rng(1))
        is_same = spoiled.shape == image.shape and (spoiled == image).all()
        assert is_same == (name == "upright")
    masked = conditions.CONDITIONS["mask"](photo, rng)
    assert (masked[:20] == image[:20]).all() and (masked[80] != image[80]).any()
