"""Quick checks of the recipe: geometry, calibration, targets, decoding, export. No training."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import calibration
import composites
import detector_model
import detector_train
import embedder_bank
import embedder_model
import embedder_train
import evaluate_detector
import export
import geometry
import teacher
import verify
import warm
import yunet


def test_similarity_recovers_a_known_transform() -> None:
    points = geometry.template(112)
    turned = geometry.similarity([[0, 0], [1, 0]], [[5, 7], [5, 9]])
    found = geometry.similarity(points, geometry.apply(turned, points))
    np.testing.assert_allclose(found, turned, atol=1e-6)
    assert abs(np.linalg.det(found[:, :2]) - 4) < 1e-6


def test_composed_transforms_apply_in_order() -> None:
    first = geometry.similarity([[0, 0], [1, 0]], [[3, 1], [3, 2]])
    second = geometry.similarity([[0, 0], [1, 0]], [[-1, 4], [1, 4]])
    point = np.array([[2.0, 5.0]])
    both = geometry.apply(geometry.compose(second, first), point)
    np.testing.assert_allclose(both, geometry.apply(second, geometry.apply(first, point)))


def test_alignment_puts_landmarks_on_the_template_even_when_shrinking() -> None:
    landmarks = geometry.template(112) * 8 + 60
    image = np.zeros((1000, 1000, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(image, (round(float(x)), round(float(y))), 24, (255, 255, 255), -1)
    crop = geometry.align(image, landmarks, 112)
    spots = cv2.connectedComponentsWithStats((crop[:, :, 0] > 127).astype(np.uint8))[3][1:]
    gaps = np.linalg.norm(spots[:, None] - geometry.template(112)[None], axis=2).min(1)
    assert len(spots) == 5 and gaps.max() < 0.6


@pytest.fixture(scope="module")
def curve() -> tuple[calibration.Curve, np.ndarray]:
    impostors = np.random.default_rng(0).normal(0.02, 0.11, 2_000_000)
    return calibration.fit(impostors), impostors


def test_calibration_rises_and_keeps_its_ends(curve: tuple[calibration.Curve, np.ndarray]) -> None:
    similarity = curve[0](np.linspace(-1, 1, 2001))
    assert (np.diff(similarity) >= 0).all()
    assert similarity[0] == 0 and similarity[1000] == 0 and similarity[-1] == 100


def test_calibration_keeps_its_promises_on_other_strangers(
    curve: tuple[calibration.Curve, np.ndarray],
) -> None:
    others = np.random.default_rng(1).normal(0.02, 0.11, 2_000_000)
    rows = calibration.table(curve[0], others, np.array([0.2, 0.9]))
    rates = {row["similarity"]: row["fmr"] for row in rows}
    assert 3e-4 < rates[80] <= 1e-3 and rates[99] <= 1e-5
    assert rows[1]["misses"] == 1 and rows[1]["fnmr"] == 0.5


def test_verification_accuracy_of_separable_and_of_random_embeddings() -> None:
    people = np.repeat(np.arange(60), 3)
    index, same = verify.pairs(people)
    assert same.sum() == 180 and len(same) == 360
    assert (people[index[same, 0]] == people[index[same, 1]]).all()
    assert verify.accuracy(np.eye(60)[people], index, same) == 1.0
    noise = np.random.default_rng(0).normal(size=(180, 64))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    assert verify.accuracy(noise, index, same) < 0.62


def perfect_outputs(maps: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The YuNet outputs of a detector that says exactly what its targets want."""
    outputs = {}
    for stride, grid in zip(detector_train.STRIDES, maps):
        flat = grid.reshape(15, -1).T
        row, column = np.divmod(np.arange(len(flat)), grid.shape[2])
        cell = np.stack([column, row], 1)
        hit = (flat[:, :1] > 0).astype(np.float32)
        size = np.log(np.maximum(flat[:, 3:5], 1) / stride)
        points = (flat[:, 5:].reshape(-1, 5, 2) / stride - cell[:, None]).reshape(-1, 10)
        box = np.concatenate([flat[:, 1:3] / stride - cell, size], 1)
        for name, part in (("cls", hit), ("obj", hit), ("bbox", box), ("kps", points)):
            outputs[f"{name}_{stride}"] = part[None].astype(np.float32)
    return outputs


def test_targets_decode_to_the_faces_they_were_made_of() -> None:
    boxes = np.array([[10, 20, 26, 40], [100, 90, 160, 170], [150, 10, 310, 200.0]])
    landmarks = np.stack([np.linspace(box[:2], box[2:], 5) for box in boxes])
    sample = composites.Sample(np.zeros((320, 320, 3), np.uint8), boxes, landmarks)
    outputs = perfect_outputs(detector_train.targets(sample, 320))
    faces = yunet.suppress(yunet.decode(outputs, 320, 0.5), 0.45)
    order = np.argsort(faces.boxes[:, 0])
    np.testing.assert_allclose(faces.boxes[order], boxes, atol=1e-2)
    np.testing.assert_allclose(faces.landmarks[order], landmarks, atol=1e-2)


def test_tally_counts_found_missed_and_false_faces() -> None:
    points = np.tile(np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30.0]]), (2, 1, 1))
    wanted = yunet.Faces(np.array([[0, 0, 50, 50], [200, 200, 250, 250.0]]), points, np.array([0.9, 0.9]))
    mine = yunet.Faces(np.array([[2, 0, 50, 50], [100, 100, 150, 150.0]]), points + 1, np.array([0.8, 0.5]))
    tally = evaluate_detector.Tally()
    evaluate_detector.compare(tally, mine, wanted)
    figures = tally.at(0.4)
    assert (figures["recall"], figures["false_per_image"]) == (0.5, 1.0)
    assert figures["landmark_error"] == pytest.approx(np.sqrt(2) / 20)
    assert tally.at(0.6)["false_per_image"] == 0


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """A network whose batch norms are not the identity, so that folding them can go wrong."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 2.0)
            layer.weight.data.uniform_(0.5, 1.5)
    return model.eval()


def test_the_exported_detector_says_what_pytorch_says(tmp_path) -> None:
    model = randomised(detector_model.Detector())
    exported = export.write_detector(model, tmp_path / "d.onnx")
    image = torch.rand(2, 3, 96, 160) * 255
    assert export.largest_difference(exported, tmp_path / "d.onnx", image) < 1e-3
    names = [output.name for output in yunet.session(tmp_path / "d.onnx").get_outputs()]
    assert names == detector_model.OUTPUTS
    assert (tmp_path / "d.onnx").stat().st_size < 1.5e6


def test_the_exported_embedder_says_what_pytorch_says(tmp_path) -> None:
    model = randomised(embedder_model.Embedder())
    export.write_embedder(model, tmp_path / "e.onnx")
    faces = torch.rand(3, 3, 112, 112) * 2 - 1
    assert export.largest_difference(model, tmp_path / "e.onnx", faces) < 1e-3
    assert (tmp_path / "e.onnx").stat().st_size < 14e6


def test_a_warm_start_says_what_the_file_says(tmp_path) -> None:
    model = randomised(detector_model.Detector())
    export.write_detector(model, tmp_path / "d.onnx")
    image, fresh = torch.rand(2, 3, 96, 160) * 255, detector_model.Detector()
    warm.start(fresh, tmp_path / "d.onnx", image)
    assert fresh.training
    with torch.no_grad():
        for mine, wanted in zip(fresh.eval()(image), model(image)):
            torch.testing.assert_close(mine, wanted, atol=1e-3, rtol=1e-3)


def test_the_bank_keeps_the_newest_rows() -> None:
    bank = embedder_bank.Bank(rows=5)
    for first in (0, 3):
        numbers = np.arange(first, first + 3)
        crops = np.broadcast_to(numbers[:, None, None, None], (3, 112, 112, 3))
        maps = [np.zeros((3, *shape), np.int8) for shape in teacher.MAPS.values()]
        bank.put(crops, np.repeat(numbers[:, None], 128, 1), maps)
    assert bank.count == 5 and bank.take(20, np.random.default_rng(0)).max() < 5
    assert bank.views[:, 0, 0, 0].tolist() == bank.targets[:, 0].tolist() == [5, 1, 2, 3, 4]


def test_the_pupil_sees_maps_of_the_teachers_shapes() -> None:
    embedding, maps = embedder_train.Pupil().eval()(torch.zeros(2, 3, 112, 112))
    assert embedding.shape == (2, 128)
    assert [tuple(m.shape[1:]) for m in maps] == list(teacher.MAPS.values())


def test_steadied_landmarks_are_the_mean_over_sizes_and_mirror_images() -> None:
    points = np.array([[[30, 40], [70, 40], [50, 60], [35, 80], [65, 80.0]]])
    faces = yunet.Faces(np.array([[20, 20, 80, 100.0]]), points, np.array([0.9]))

    def unsteady(image: np.ndarray, side: int) -> yunet.Faces:
        moved, is_mirrored = (side - 200) / 40, image[0, 0, 0] == 9
        landmarks, boxes = points + moved, faces.boxes
        if is_mirrored:  # the image is 200 wide
            landmarks = landmarks[:, [1, 0, 2, 4, 3]] * [-1, 1] + [200, 0]
            boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [200, 0, 200, 0]
        return yunet.Faces(boxes, landmarks, faces.scores)

    image = np.zeros((200, 200, 3), np.uint8)
    image[0, -1] = 9
    steady = yunet.steadied(unsteady, image, 200, faces)
    np.testing.assert_allclose(steady.landmarks, points + np.mean([-1, 0, 1.25]))
