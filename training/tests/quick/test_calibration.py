"""Similarity and verification on made-up embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from recipe.embedder import calibrate, calibration, verification


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


def test_weights_keep_damaged_strangers_apart() -> None:
    def people(count: int, common: float) -> np.ndarray:
        rng = np.random.default_rng(int(10 * common))
        y = rng.normal(size=(count, 64)) / 8 + common * np.eye(64)[0]
        return y / np.linalg.norm(y, axis=1, keepdims=True)

    clean, alike = people(200, 0.0), people(80, 1.0)
    hurt = {"blur": (alike, np.full(80, 0.35)), "clean": (clean[:80], np.full(80, 0.9))}
    weights, curve = calibrate.fit((clean, np.full(200, 0.9), np.arange(200)), hurt)
    assert weights.weight[-1] == 1 and (np.diff(weights.weight) >= 0).all()
    limit = curve.cosine[curve.similarity.index(80.0)]
    assert (calibrate.strangers(alike) >= limit).mean() > 0.2
    for pair in hurt.values():
        assert (calibrate.strangers(weights(*pair)) >= limit).mean() <= 1e-3


def test_verification_accuracy_of_separable_and_of_random_embeddings() -> None:
    people = np.repeat(np.arange(60), 3)
    index, same = verification.pairs(people)
    assert same.sum() == 180 and len(same) == 360
    assert (people[index[same, 0]] == people[index[same, 1]]).all()
    assert verification.accuracy(np.eye(60)[people], index, same) == 1.0
    noise = np.random.default_rng(0).normal(size=(180, 64))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    assert verification.accuracy(noise, index, same) < 0.62
