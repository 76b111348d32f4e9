"""Training in stages, on one process or many, resumable after a kill, with a moving average of the weights.

Small pictures first, larger ones later: most of what is to be learned is learned cheaply. Pictures are counted over all
processes, and a batch is divided among them: their number changes the speed, not what is seen.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from quantization.data.stream import Mix, told_of_killed_makers
from quantization.memory import keep_freed_memory
from quantization.train import checkpoint
from quantization.train.checkpoint import Progress, Subject
from quantization.train.curves import Curves
from quantization.train.kinds import make_network
from quantization.train.layers import Network, to_input
from quantization.train.objective import Labels, Objective
from quantization.train.parallel import ALONE, Crew
from quantization.train.running import Report, StageRun
from quantization.train.stages import Stage, precision, rate_at

BEFORE_INT8 = "before-int8.pt"
"""The checkpoint as it is before the stages that train for int8: what post-training quantization starts from."""
AVERAGE_DECAY = 0.998


class Training:
    """A network on its way, with its optimiser, its averaged weights and its progress."""

    def __init__(
        self,
        network: Network,
        stages: list[Stage],
        folder: Path,
        seed: int,
        objective: Objective | None = None,
        crew: Crew = ALONE,
        subject: Subject | None = None,
    ) -> None:
        self.network = network.to(crew.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = (objective or Labels(network)).to(crew.device)
        self.stages, self.folder, self.seed, self.crew = stages, folder, seed, crew
        self.recipe = checkpoint.described(subject, stages, seed)
        self.optimiser = torch.optim.AdamW(_groups(self.objective), lr=1e-3, betas=(0.9, 0.99), fused=True)
        self.scaler = torch.amp.GradScaler(crew.device.type, enabled=_needs_scaling(crew.device))
        self.progress = Progress()
        self.average: dict[str, Tensor] = {}
        self.restart_average()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def restart_average(self) -> None:
        """Lets the average begin with the weights as they are."""
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def save(self, path: Path | None = None) -> None:
        """Replaces the checkpoint, or writes one to another `path`.

        Raises:
            BrickgateError: it cannot be written; the old one is kept.
        """
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
            "beside": {k: v for k, v in self.objective.state_dict().items() if not k.startswith("network.")},
            "recipe": self.recipe,
        }
        checkpoint.write(state, path or self.checkpoint)

    def resume(self) -> bool:
        """Goes on from the checkpoint where there is one; only the leading process needs to see it.

        Raises:
            BrickgateError: the checkpoint is of another recipe, or damaged.
        """
        state = self.crew.shared(self._read)
        if state is None:
            return False
        try:
            self.network.load_state_dict(state["network"])
            self.objective.load_state_dict(state.get("beside", {}), strict=False)
            self.optimiser.load_state_dict(state["optimiser"])
            self.average = {name: value.to(self.crew.device) for name, value in state["average"].items()}
            self.progress = Progress(**state["progress"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise checkpoint.damaged(self.checkpoint, error) from error
        return True

    def _read(self) -> checkpoint.State | None:
        if not self.checkpoint.exists():
            return None
        state = checkpoint.read(self.checkpoint)
        checkpoint.check(self.checkpoint, state, self.recipe)
        return state

    def averaged(self) -> Network:
        """A copy of the network with the averaged weights, in evaluation mode, on the CPU."""
        copy = make_network(self.network.kind, self.network.classes, self.network.width)
        copy.load_state_dict(self.average)
        return copy.eval()

    def run(self, mix: Mix, loaders: int, report: Report, minutes: float | None = None) -> bool:
        """Trains what is left of the stages.

        Args:
            mix: what is shown.
            loaders: processes that make the pictures for this one; 0: it makes them itself.
            report: told what happens.
            minutes: stop, and save, after so many.

        Returns:
            Whether all stages are done.

        Raises:
            BrickgateError: a damaged sample, a checkpoint that cannot be written, or weights that ran away.
        """
        keep_freed_memory()
        stop_at = math.inf if minutes is None else time.monotonic() + 60 * minutes
        mix = self._placed(mix)
        curves = Curves(self.folder, report) if self.crew.leads and self._left() else None
        if curves is not None:
            curves.rewind(self.progress.pictures)
        while self._left():
            stage = self.stages[self.progress.stage]
            with told_of_killed_makers():
                whole = StageRun(self, stage, curves, report, stop_at).through(mix, loaders)
            if not whole:
                return False
            self.progress.stage += 1
            self.progress.pictures_in_stage = 0
            self.crew.average_buffers(self.network)
            if self.crew.leads and not stage.int8 and self._left() and self.stages[self.progress.stage].int8:
                self.save(self.folder / BEFORE_INT8)  # first: a kill after the checkpoint would leave it out for good
            if self.crew.leads:
                self.save()
        return True

    def _left(self) -> bool:
        return self.progress.stage < len(self.stages)

    def save_together(self) -> None:
        """Saves what all processes have gathered."""
        self.crew.average_buffers(self.network)
        if self.crew.leads:
            self.save()

    def _placed(self, mix: Mix) -> Mix:
        """The mix in the order that the training is in: with other sources or shares than before, a new order begins.

        In the old one, other shares would lead back to pictures that were just shown, drawn alike to the pixel.
        """
        counts, shares = [len(source) for source in mix.sources], list(mix.shares)
        if self.progress.sources not in ([], counts) or self.progress.shares not in ([], shares):
            self.progress.key += 1
            self.progress.place = 0
        self.progress.sources, self.progress.shares = counts, shares
        return replace(mix, key=self.progress.key)

    def step(self, objective: nn.Module, pictures: Tensor, families: Tensor, stage: Stage) -> tuple[Tensor, Tensor]:
        """One step on this process's part of a batch.

        Args:
            objective: the training's own, made parallel where there are more processes.
            pictures: (n, S, S, 3) uint8 RGB.
            families: (n,) class, or −1.
            stage: what is trained in.

        Returns:
            The summed loss and (n,) whether each answer was right, both still on the device.
        """
        rate = rate_at(stage, self.progress.pictures_in_stage)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        device = self.crew.device
        families = families.to(device, non_blocking=True)
        batch = to_input(pictures.to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        dtype = precision(stage, device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss, logits = objective(batch, families)
        self.optimiser.zero_grad(set_to_none=True)
        # Gradients are averaged over the processes: their parts of the batch may differ by a picture.
        self.scaler.scale(loss * (self.crew.size / stage.batch)).backward()
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.objective.parameters(), 5.0)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        for name in ("pictures", "pictures_in_stage", "place"):
            setattr(self.progress, name, getattr(self.progress, name) + stage.batch)
        if self.crew.leads:
            self._follow_average()
        return loss.detach(), logits.detach().argmax(1) == families

    @torch.no_grad()
    def _follow_average(self) -> None:
        steps = self.progress.pictures // 64
        decay = min(AVERAGE_DECAY, (1 + steps) / (10 + steps))
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)


def _groups(network: nn.Module) -> list[dict[str, Any]]:
    """No weight decay on norms and biases."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]


def _needs_scaling(device: torch.device) -> bool:
    """Whether half precision is float16, whose small gradients vanish without a scale."""
    return device.type == "cuda" and not torch.cuda.is_bf16_supported()
