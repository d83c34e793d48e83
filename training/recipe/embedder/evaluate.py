"""Measure an embedder on people held out from training, beside the teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recipe.common import data
from recipe.embedder import calibration, teacher, verification, views
from recipe.embedder.rater import Rater, Weights, calibrated

RACES = {"0": "white", "1": "black", "2": "Asian", "3": "Indian", "4": "others"}
AGES = ((12, "0-12 years"), (25, "13-25 years"), (50, "26-50 years"), (200, "over 50 years"))
"""UTKFace's own labels."""

Embed = Callable[[np.ndarray], np.ndarray]
"""From aligned crops [N, 112, 112, 3] to embeddings [N, 128]."""


def embed(network: Embed, crops: np.ndarray) -> np.ndarray:
    """Embeddings of many crops, a few at a time."""
    return np.concatenate([network(crops[i : i + 32]) for i in range(0, len(crops), 32)])


class People:
    """Embeddings by one network of the held-out CelebA people."""

    def __init__(self, network: Embed):
        parts = {split: verification.held_out((split,)) for split in (data.CALIBRATION, data.TEST)}
        self.identities = {split: people for split, (_, people) in parts.items()}
        self.embeddings = {split: embed(network, crops) for split, (crops, _) in parts.items()}

    def curve(self) -> calibration.Curve:
        """The similarity curve, fit on the calibration split."""
        split = data.CALIBRATION
        impostors, _ = calibration.all_pairs(self.embeddings[split], self.identities[split])
        return calibration.fit(impostors)

    def verification(self) -> float:
        """Accuracy on the pairs of both splits."""
        index, same = verification.pairs(np.concatenate(list(self.identities.values())))
        return verification.accuracy(np.concatenate(list(self.embeddings.values())), index, same)

    def table(self, curve: calibration.Curve) -> list[dict[str, float]]:
        """False matches and misses on the test split."""
        split = data.TEST
        pairs = calibration.all_pairs(self.embeddings[split], self.identities[split])
        return calibration.table(curve, *pairs)


def groups(mine: Embed, reference: Embed, most: int = 150) -> dict[str, dict]:
    """Mean cosine to the teacher in groups of the test split: age and race by UTKFace, masks."""
    faces = np.load(data.WORK / "faces.npz")
    wides = np.load(data.WORK / "crops.npy", mmap_mode="r")
    members: dict[str, list[int]] = {}
    for index in np.flatnonzero(faces["split"] == data.TEST):
        source, name = data.SOURCES[faces["source"][index]].name, str(faces["name"][index])
        keys = [source]
        fields = name.split("_")
        if source == "utkface" and len(fields) == 4 and fields[2] in RACES:
            age = int(fields[0])
            band = next(label for limit, label in AGES if age <= limit)
            keys += [f"UTKFace, {band}", f"UTKFace, {RACES[fields[2]]}"]
        elif source == "masks":
            keys = ["with mask" if name.startswith("with_mask") else "without mask (same source)"]
        for key in keys:
            members.setdefault(key, []).append(int(index))
    result = {}
    for key, rows in sorted(members.items()):
        crops = np.stack([views.aligned(wides[row]) for row in rows[:most]])
        near = (embed(mine, crops) * embed(reference, crops)).sum(1)
        result[key] = {"faces": len(crops), "cosine": float(near.mean())}
    return result


def measure(pack: Path) -> dict[str, object]:
    """Figures of the pack's embedder and of the teacher on the same pairs."""
    mine, reference = Rater(pack / "embedder.onnx"), teacher.Embedder()
    found = calibrated()
    weights = Weights(**found["quality"])
    curve = calibration.Curve(**found["calibration"])
    people, taught = People(mine), People(reference)
    served = People(lambda crops: weights(*mine.look(crops)))
    score, best = people.verification(), taught.verification()
    near = (people.embeddings[data.TEST] * taught.embeddings[data.TEST]).sum(1).mean()
    return found | {
        "mine": {"verification": score, "table": served.table(curve)},
        "teacher": {"verification": best, "table": taught.table(taught.curve())},
        "share_of_teacher": score / best,
        "cosine_to_teacher": float(near),
        "groups": groups(mine, reference),
    }
