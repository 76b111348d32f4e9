"""One process of a training: a small network on a set of renders, as `torchrun` would start it.

RANK=0 WORLD_SIZE=2 … python crew_member.py WORK RENDERS [--die-at STEP]
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from edge.errors import BrickgateError
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.opening import open_any
from quantization.data.stream import Mix
from quantization.train import running
from quantization.train.checkpoint import Subject
from quantization.train.loop import Training
from quantization.train.network import MobileNetV2
from quantization.train.parallel import Crew, joined
from quantization.train.stages import Stage

STAGES = [Stage(32, 75, 2e-3, 1e-3, batch=15, norms_frozen=True), Stage(32, 30, 1e-3, 1e-4, batch=15)]


def train(work: Path, renders: Path, crew: Crew, die_at: int | None = None) -> Training:
    """A training whose steps can be told exactly: no dropout, and in the first stage no norms that see a batch."""
    torch.manual_seed(1)
    network = MobileNetV2(2, 0.25, dropout=0.0)
    subject = Subject(("3001", "3003"), network.kind, network.width)
    training = Training(network, STAGES, work, seed=4, crew=crew, subject=subject)
    if not training.resume():
        if crew.rank:
            spoil(network)
        crew.alike(network)
    step = training.step

    def until_killed(*batch):
        if die_at is not None and crew.rank == 1 and training.progress.pictures == 15 * die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*batch)

    training.step = until_killed
    training.run(Mix([open_any(renders)], (1.0,), 4), 0, lambda line: print(line) if crew.leads else None)
    return training


@torch.no_grad()
def spoil(network: MobileNetV2) -> None:
    """Other weights and norms than the leading process has."""
    for value in network.state_dict().values():
        value.add_(1)


def quickly() -> None:
    """Few belts, and a checkpoint and a point of the curve at every step."""
    augment.make_belts = lambda rng, size_px: make_belts(rng, size_px, 6)
    running.SAVE_EVERY_S, running.CHECK_EVERY, running.LOG_EVERY = 0.0, 1, 1
    torch.set_num_threads(1)


def main() -> None:
    """Says one line of what a user may be told."""
    quickly()
    work, renders, *rest = sys.argv[1:]
    try:
        with joined() as crew:
            trained = train(Path(work), Path(renders), crew, int(rest[1]) if rest else None)
            torch.save(trained.network.state_dict(), Path(work) / f"network-{crew.rank}.pt")
    except BrickgateError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
