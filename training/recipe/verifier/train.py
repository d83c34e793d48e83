"""Teach the verifier on crops of what detectors found."""

from __future__ import annotations

import argparse

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipe.common import data
from recipe.common.loop import Run
from recipe.detector.views import MIRRORED
from recipe.verifier import views
from recipe.verifier.model import Verifier, tensor
from recipe.verifier.spec import SIDE

CHECKPOINT = data.WORK / "verifier.pt"
SCENE_WEIGHT = 0.6
"""What a wrong find in a photo with people counts: some are faces that the teacher missed."""
DOUBTFUL, MATURE = 2.0, 0.4
"""Logit from which a wrong find in a photo with people is left out, and the share of the training
time from which the verifier knows faces well enough to be asked."""

Batch = dict[str, np.ndarray]


class Crops:
    """All crops in memory."""

    def __init__(self) -> None:
        self.parts: list[Batch] = []
        for path in sorted(views.folder().glob("*.npz")):
            with np.load(path) as part:
                self.parts.append({key: part[key] for key in part.files})
        self.faces = [np.flatnonzero(part["faces"]) for part in self.parts]

    def batch(self, rng: np.random.Generator, count: int) -> Batch:
        """Random crops, more than half of them faces, some mirrored, with light changed."""
        rows = []
        for number in range(count):
            at = rng.integers(len(self.parts))
            part = self.parts[at]
            index = rng.choice(self.faces[at]) if number % 2 else rng.integers(len(part["faces"]))
            rows.append([part[key][index] for key in ("crops", "landmarks", "faces", "bare")])
        crops, landmarks, faces, bare = (np.array(values) for values in zip(*rows))
        for index in range(count):
            crops[index] = changed(crops[index], rng)
            if rng.random() < 0.5:
                crops[index] = crops[index][:, ::-1]
                points = landmarks[index].reshape(5, 2)[MIRRORED]
                landmarks[index] = (points * [-1, 1] + [(SIDE - 1) / SIDE, 0]).ravel()
        return {"crops": crops, "landmarks": landmarks, "faces": faces, "bare": bare}


def changed(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop in other light, without color or blurred, now and then."""
    if rng.random() < 0.3:
        tint = np.exp(rng.normal(0, 0.25)) * (1 + rng.normal(0, 0.08, 3))
        table = np.clip(np.arange(256)[:, None] * tint + rng.normal(0, 10), 0, 255)
        crop = cv2.LUT(crop, table.astype(np.uint8)[None])
    if rng.random() < 0.07:
        crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    if rng.random() < 0.1:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.5))
    return crop


def loss(face: Tensor, landmarks: Tensor, batch: Batch, mature: bool) -> Tensor:
    """Focal loss on faces, smooth L1 loss on the landmarks of faces."""
    true, bare = torch.from_numpy(batch["faces"]), torch.from_numpy(batch["bare"])
    wanted, certain = true.float()[:, None], (true | bare)[:, None]
    weight = torch.where(certain, 1.0, SCENE_WEIGHT)
    if mature:
        weight = weight * (certain | (face.detach() < DOUBTFUL))
    wrong = (torch.sigmoid(face.detach()) - wanted).abs().sqrt()
    entropy = functional.binary_cross_entropy_with_logits(face, wanted, reduction="none")
    total = (weight * wrong * entropy).mean()
    if true.any():
        miss = landmarks[true] - torch.from_numpy(batch["landmarks"])[true]
        total = total + 6 * functional.smooth_l1_loss(miss, torch.zeros_like(miss), beta=0.01)
    return total


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=1)


def execute(options: argparse.Namespace) -> None:
    """Train for a given time."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    cv2.setNumThreads(1)
    crops = Crops()
    if not crops.parts:
        raise SystemExit(f"no crops in {views.folder()}: run `recipe propose` first")
    model = Verifier().to(memory_format=torch.channels_last)
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.02)
    rng = np.random.default_rng(run.step)
    for share in run.steps():
        batch = crops.batch(rng, options.batch)
        face, landmarks = model(tensor(torch.from_numpy(batch["crops"])))
        run.learn(loss(face, landmarks, batch, share > MATURE))
