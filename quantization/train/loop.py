"""Training in stages, resumable after a kill, with a moving average of the weights.

A stage is a picture size, a number of pictures and a learning rate that goes from one value to another along a cosine.
Small pictures first, larger ones later: most of what is to be learned is learned cheaply.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.errors import BrickgateError
from quantization.data.stream import stream
from quantization.train.network import MobileNetV2, to_input

AVERAGE_DECAY = 0.998
SAVE_EVERY_S = 120.0
LOG_EVERY = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """`pictures` pictures of `size_px`; the learning rate goes from `rate_from` to `rate_to`."""

    size_px: int
    pictures: int
    rate_from: float
    rate_to: float
    batch: int = 64
    int8: bool = False
    """Train with the rounding that int8 brings (quantization-aware)."""
    norms_frozen: bool = False
    """Keep the batch norms' statistics: a trained network goes on about 1.4 times as fast, on a CPU, as with them."""


@dataclass(slots=True)
class Progress:
    """Where a training stands: it can be saved, and gone on with."""

    stage: int = 0
    pictures_in_stage: int = 0
    pictures: int = 0
    seconds: float = 0.0


class Training:
    """A network on its way, with its optimiser, its averaged weights and its progress."""

    def __init__(self, network: MobileNetV2, stages: list[Stage], folder: Path, seed: int) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.stages, self.folder, self.seed = stages, folder, seed
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(_groups(network), lr=1e-3, betas=(0.9, 0.99))
        self.progress = Progress()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Writes the checkpoint beside the old one, then replaces it."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        temporary = self.checkpoint.with_suffix(".new")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def resume(self) -> bool:
        """Goes on from the checkpoint where there is one.

        Raises:
            BrickgateError: the checkpoint is of another network, or damaged.
        """
        if not self.checkpoint.exists():
            return False
        try:
            state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average = state["average"]
            self.progress = Progress(**state["progress"])
        except (RuntimeError, KeyError, ValueError, TypeError, EOFError, OSError, UnpicklingError) as error:
            why = " ".join(str(error).split())[:160]
            raise BrickgateError(
                f"{self.checkpoint} is of another recipe or damaged ({why}): move it away to start anew"
            ) from error
        return True

    def averaged(self) -> MobileNetV2:
        """A copy of the network with the averaged weights, in evaluation mode."""
        classes = self.network.classifier[1].out_features
        assert isinstance(classes, int)
        copy = MobileNetV2(classes, self.network.width)
        copy.load_state_dict(self.average)
        return copy.eval()

    def run(self, renders: Path, workers: int, report: Callable[[str], None]) -> None:
        """Trains what is left of the stages."""
        while self.progress.stage < len(self.stages):
            self._run_stage(self.stages[self.progress.stage], renders, workers, report)
            self.progress.stage += 1
            self.progress.pictures_in_stage = 0
            self.save()

    def _run_stage(self, stage: Stage, renders: Path, workers: int, report: Callable[[str], None]) -> None:
        # A resumed stage draws other pictures than it has drawn before: the seed holds where it stands.
        seed = self.seed * 1_000_003 + self.progress.pictures
        batches = stream(renders, stage.size_px, stage.batch, seed, workers)
        self.network.train()
        self.network.round_as_int8(stage.int8)
        self.network.freeze_norms(stage.norms_frozen)
        saved = logged = time.monotonic()
        losses: list[float] = []
        right = seen = 0
        while self.progress.pictures_in_stage < stage.pictures:
            pictures, families = next(batches)
            logits, loss = self._step(pictures, families, stage)
            losses.append(loss)
            right += int((logits.argmax(1) == families).sum())
            seen += len(families)
            if len(losses) == LOG_EVERY:
                now = time.monotonic()
                self.progress.seconds += now - logged
                self._log(stage, sum(losses) / len(losses), right / seen, seen / (now - logged), report)
                losses, right, seen, logged = [], 0, 0, now
            if time.monotonic() - saved > SAVE_EVERY_S:
                self.save()
                saved = time.monotonic()

    def _step(self, pictures: Tensor, families: Tensor, stage: Stage) -> tuple[Tensor, float]:
        rate = rate_at(stage, self.progress.pictures_in_stage)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = to_input(pictures).contiguous(memory_format=torch.channels_last)
        # bfloat16 pays from 128 px on, where float32 activations no longer fit the caches.
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.size_px >= 112):
            logits = self.network(batch)
        loss = functional.cross_entropy(logits.float(), families, label_smoothing=0.05)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._follow_average()
        self.progress.pictures_in_stage += len(families)
        self.progress.pictures += len(families)
        return logits.detach(), float(loss.detach())

    @torch.no_grad()
    def _follow_average(self) -> None:
        steps = self.progress.pictures // 64
        decay = min(AVERAGE_DECAY, (1 + steps) / (10 + steps))
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def _log(self, stage: Stage, loss: float, accuracy: float, speed: float, report: Callable[[str], None]) -> None:
        p = self.progress
        rate = rate_at(stage, p.pictures_in_stage)
        report(
            f"stage {p.stage + 1}/{len(self.stages)} {stage.size_px} px  {p.pictures_in_stage}/{stage.pictures}"
            f"  loss {loss:.3f}  right {accuracy:.3f}  {speed:.0f}/s  rate {rate:.2e}"
        )
        curve = self.folder / "curve.csv"
        new = not curve.exists()
        with curve.open("a", newline="") as stream_:
            writer = csv.writer(stream_)
            if new:
                writer.writerow(["pictures", "seconds", "size_px", "loss", "accuracy", "pictures_per_s", "rate"])
            row = [p.pictures, round(p.seconds, 1), stage.size_px]
            writer.writerow([*row, round(loss, 4), round(accuracy, 4), round(speed, 1), f"{rate:.3e}"])


def _groups(network: nn.Module) -> list[dict[str, Any]]:
    """No weight decay on norms and biases."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]


def rate_at(stage: Stage, pictures_in_stage: int) -> float:
    """Learning rate along the stage's half cosine."""
    done = min(pictures_in_stage / stage.pictures, 1.0)
    return stage.rate_to + (stage.rate_from - stage.rate_to) * 0.5 * (1 + math.cos(math.pi * done))
