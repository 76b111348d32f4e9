"""One stage of a training, from where it stands to its end or until the time is up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edge.errors import BrickgateError, InputError
from quantization.bar import Bar
from quantization.data.stream import Mix, batches
from quantization.train.curves import Curves
from quantization.train.stages import Stage, rate_at

if TYPE_CHECKING:
    from quantization.train.loop import Training

SAVE_EVERY_S = 120.0
LOG_EVERY = 100
CHECK_EVERY = 10
"""Steps after which the processes agree on whether to save, or to stop."""

Report = Callable[[str], None]


class StageRun:
    """Steps through a stage, and says, saves and stops in time."""

    def __init__(self, training: Training, stage: Stage, curves: Curves | None, report: Report, stop_at: float) -> None:
        self._training, self._stage, self._curves = training, stage, curves
        self._report, self._stop_at = report, stop_at
        self._crew, self._progress = training.crew, training.progress
        self._saved = self._logged = time.monotonic()
        self._tally = self._new_tally()
        self._damaged = 0

    def through(self, mix: Mix, loaders: int) -> bool:
        """Trains; returns whether the stage is done, rather than the time up.

        Raises:
            BrickgateError: see `Training.run`.
        """
        stage, crew, progress = self._stage, self._crew, self._progress
        if stage.batch < 2 * crew.size:
            raise InputError(
                f"a batch of {stage.batch} is too small for {crew.size} processes: start fewer, or raise batch in the"
                " recipe"
            )
        self._prepare()
        objective = crew.parallel(self._training.objective)
        size_px = self._training.objective.pictures_px(stage.size_px)
        made = batches(mix, size_px, stage.batch, progress.place, crew.rank, crew.size, loaders)
        label = f"stage {progress.stage + 1}/{len(self._training.stages)}"
        with Bar(label, stage.pictures, progress.pictures_in_stage, crew.leads) as bar:
            for number, (pictures, families, damage) in enumerate(made, start=1):
                self._add(*self._training.step(objective, pictures, families, stage), damage)
                bar.move(progress.pictures_in_stage)
                done = progress.pictures_in_stage >= stage.pictures
                stopping = not done and number % CHECK_EVERY == 0 and self._time_is_up()
                if done or (number % LOG_EVERY == 0 and not stopping):
                    self._log()
                if done or stopping:
                    return done
        raise AssertionError("batches never end")

    def _prepare(self) -> None:
        """The network as the stage wants it; dropout differs from process to process, and after each resumption."""
        torch.manual_seed((self._training.seed * 1_000_003 + self._progress.pictures) * 4099 + self._crew.rank)
        network = self._training.network
        self._training.objective.train()
        network.round_as_int8(self._stage.int8)
        network.freeze_norms(self._stage.norms_frozen)
        network.freeze_blocks(self._stage.blocks_frozen)

    def _new_tally(self) -> Tensor:
        """Loss, right answers and pictures since the last line."""
        return torch.zeros(3, device=self._crew.device)

    def _add(self, loss: Tensor, right: Tensor, damage: list[str]) -> None:
        self._tally += torch.stack([loss, right.sum(), torch.full_like(loss, len(right) - len(damage))])
        for line in damage:
            self._damaged += 1
            self._report(f"{line}: left out, {self._damaged} so far")

    def _time_is_up(self) -> bool:
        """Saves when it is time to, and says whether to stop; the leading process decides both."""
        now = time.monotonic()
        save, stop = now - self._saved > SAVE_EVERY_S, now > self._stop_at
        decided = torch.tensor([save, stop], dtype=torch.float32, device=self._crew.device)
        save, stop = (self._crew.sum(decided * self._crew.leads) > 0).tolist()
        if stop:
            self._log()
        if save or stop:
            self._training.save_together()
            self._saved = now
        return stop

    def _log(self) -> None:
        loss, right, seen = self._crew.sum(self._tally).tolist()
        self._tally = self._new_tally()
        if not math.isfinite(loss):
            raise BrickgateError("the loss is no number any more: lower rate_from in the recipe, and start anew")
        now = time.monotonic()
        progress, stage = self._progress, self._stage
        progress.seconds += now - self._logged
        speed, rate = seen / (now - self._logged), rate_at(stage, progress.pictures_in_stage)
        self._logged = now
        if self._curves is None:
            return
        self._curves.add(progress, stage.size_px, loss / max(seen, 1), right / max(seen, 1), speed, rate)
        self._report(
            f"stage {progress.stage + 1}/{len(self._training.stages)} {stage.size_px} px "
            f" {progress.pictures_in_stage}/{stage.pictures}  loss {loss / max(seen, 1):.3f} "
            f" right {right / max(seen, 1):.3f}  {speed:.0f}/s  rate {rate:.2e}"
        )
