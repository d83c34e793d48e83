"""What the training loops share: schedule, averaged weights, checkpoints, progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from recipe.common.muon import Muon

PAUSE = 20.0
"""Seconds that a step counts for at the most, so that a process may be held for a while."""


def rate(share: float, peak: float) -> float:
    """Learning rate at a share 0..1 of the training time: rise, plateau, linear fall to zero."""
    return peak * min(1.0, share / 0.02 + 0.02, (1.0 - share) / 0.35)


class Run:
    """A training run of a fixed time that resumes from its checkpoint.

    The schedule follows the clock, so that one command fits a slow machine and a fast one.
    """

    def __init__(
        self,
        model: nn.Module,
        path: Path,
        minutes: float,
        peak: float,
        decay: float,
        muon: bool = True,
    ):
        self.model, self.path, self.total, self.peak = model, path, minutes * 60, peak
        self.averaged = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True
        )
        matrices = {w: muon and w.ndim == 4 and w.shape[1] > 1 for w in model.parameters()}
        kernels = [w for w, is_matrix in matrices.items() if is_matrix]
        others = [w for w, is_matrix in matrices.items() if not is_matrix]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, peak, weight_decay=decay)
        ]
        if kernels:
            self.optimizers.insert(0, Muon(kernels, peak, weight_decay=decay))
        self.seconds, self.step, self.loss = 0.0, 0, 0.0
        if path.exists():
            saved = torch.load(path)
            model.load_state_dict(saved["model"])
            self.averaged.load_state_dict(saved["averaged"])
            for optimizer, state in zip(self.optimizers, saved["optimizers"]):
                optimizer.load_state_dict(state)
            self.seconds, self.step = saved["state"]["seconds"], saved["state"]["step"]
            self.loss = saved["state"].get("loss", 0.0)
        self.stored = self.seconds

    def steps(self) -> Iterator[float]:
        """Yield the share of the time that is over before each step, until the time is over."""
        start = self.seconds
        bar = tqdm(
            total=round(self.total), initial=round(start), desc=self.path.stem, mininterval=15
        )
        last = time.monotonic()
        while self.seconds < self.total:
            share = self.seconds / self.total
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate(share, self.peak)
            yield share
            now = time.monotonic()
            self.seconds, last = self.seconds + min(now - last, PAUSE), now
            bar.set_postfix({"step": self.step, "loss": f"{self.loss:.4f}"}, refresh=False)
            bar.update(round(self.seconds) - bar.n)
            if self.seconds - self.stored > 120:
                self.store()
        self.store()
        bar.close()

    def learn(self, loss: torch.Tensor) -> None:
        """One optimizer step down the gradient of `loss`."""
        self.model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.averaged.update_parameters(self.model)
        if self.step == 500:  # forget the random start
            self.averaged.module.load_state_dict(self.model.state_dict())
        self.step += 1
        self.loss += (loss.item() - self.loss) * max(0.02, 1 / self.step)

    def store(self) -> None:
        """Write the checkpoint; a stop half-way leaves the old one."""
        self.stored = self.seconds
        state = {"seconds": self.seconds, "step": self.step, "loss": self.loss}
        saved = {"model": self.model.state_dict(), "averaged": self.averaged.state_dict()}
        saved["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        temporary = self.path.with_suffix(".tmp")
        torch.save(saved | {"state": state}, temporary)
        temporary.rename(self.path)
