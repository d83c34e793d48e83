"""Teach the embedder the teacher's embeddings of the views in the bank.

The bank may still be growing. The run resumes from its checkpoint.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import data
import teacher
import verify
from embedder_bank import Bank
from embedder_model import Embedder
from training import Run

CHECKPOINT = data.WORK / "embedder.pt"


def batch(bank: Bank, rows: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Views scaled to -1..1, with cheap changes of light, and their targets."""
    pixels = torch.from_numpy(bank.views[rows]).permute(0, 3, 1, 2).float()
    x = (pixels - 127.5) / 127.5
    light = torch.from_numpy(rng.normal(0, 1, (2, len(rows), 1, 1, 1)).astype(np.float32))
    x = x * (1 + 0.08 * light[0]) + 0.04 * light[1]
    return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(bank.targets[rows])


def distance(student: Tensor, target: Tensor) -> Tensor:
    """How far student and teacher differ: face by face, and in their similarities of pairs."""
    student = functional.normalize(student.float())
    each = 1 - (student * target).sum(1).mean()
    pairs = (student @ student.T - target @ target.T).square().mean()
    return each + 5 * pairs


@torch.no_grad()
def embed(model: torch.nn.Module, crops: np.ndarray) -> np.ndarray:
    """Unit embeddings of aligned uint8 crops by the network under training."""
    out = []
    for start in range(0, len(crops), 128):
        x = torch.from_numpy(crops[start : start + 128]).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16):
            y = model(((x - 127.5) / 127.5).contiguous(memory_format=torch.channels_last))
        out.append(functional.normalize(y.float()))
    return torch.cat(out).numpy()


class Judge:
    """Held-out verification beside the teacher, to watch while training."""

    def __init__(self) -> None:
        self.crops, identities = verify.held_out()
        self.index, self.same = verify.pairs(identities)
        teach = teacher.Teacher(32)
        chunks = range(0, len(self.crops), 32)
        self.target = np.concatenate([teach(self.crops[i : i + 32]) for i in chunks])
        self.reference = verify.accuracy(self.target, self.index, self.same)

    def __call__(self, model: torch.nn.Module) -> str:
        """One line on how the network does now."""
        model.eval()
        mine = embed(model, self.crops)
        score = verify.accuracy(mine, self.index, self.same)
        near = float((mine * self.target).sum(1).mean())
        share = score / self.reference
        return f"held-out cosine {near:.4f}, verification {score:.4f} = {share:.4f} of the teacher's"


def main() -> None:
    """Train for a given time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=95)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--judge-every", type=int, default=600, help="steps")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Embedder().to(memory_format=torch.channels_last)
    run = Run(model, CHECKPOINT, options.minutes, options.rate, decay=0.05)
    fast, bank, judge = torch.compile(model), Bank(), Judge()
    rng = np.random.default_rng([7, run.step])
    for _ in run.steps():
        x, target = batch(bank, rng.integers(0, bank.count, options.batch), rng)
        with torch.autocast("cpu", torch.bfloat16):
            y = fast(x)
        run.learn(distance(y, target))
        if run.step % options.judge_every == 0:
            print(f" step {run.step}: {judge(run.averaged)}", flush=True)
    print(f" step {run.step}: {judge(run.averaged)}")


if __name__ == "__main__":
    main()
